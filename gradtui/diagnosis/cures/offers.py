"""Choose which of the wanted cures apply to the experiment, change what the finding names, and are expected to help."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, NamedTuple

from gradtui.diagnosis.cures import rates
from gradtui.diagnosis.cures.case_texts import turns_units_off, worded
from gradtui.diagnosis.cures.measured import Measured
from gradtui.diagnosis.findings import CureOffer
from gradtui.diagnosis.theory import predict
from gradtui.diagnosis.thresholds import EXPLODING_DECADES, VANISHING_DECADES
from gradtui.experiment.cures import CURES, cure
from gradtui.experiment.errors import ExperimentError
from gradtui.experiment.net_plan import net_shape
from gradtui.experiment.overrides import diff, set_fields
from gradtui.experiment.spec import Experiment

MOST_OFFERS = 9
"""The most offers of one finding; studies compare all of them."""
MOST_OFFERS_FOR_SCRIPTS = 4
"""The most offers where there is no experiment to change: only the best are listed."""
HEALTHY_DECADES = (VANISHING_DECADES, EXPLODING_DECADES)
"""The predicted gradient of a cured net must lie between these."""
ANY_DECADES = (-math.inf, math.inf)
_GROUP = re.compile(r"net\.(\d+)\.")


Text = str | Callable[[Experiment | None], str]
"""The words of a remedy; where they depend on the experiment, a function of it."""


class Remedy(NamedTuple):
    """A Remedy is a change that replaces one value of the experiment that was too small or too large."""

    name: str
    why: Text
    price: Text
    changes: Callable[[Experiment], dict[str, Any]]


Wanted = str | Remedy | CureOffer | None
"""A key of `gradtui.experiment.cures`, a remedy, or a finished offer; None is left out."""


def offers(
    exp: Experiment | None,
    wanted: Iterable[Wanted],
    within: tuple[float, float] = ANY_DECADES,
    measured: Measured | None = None,
) -> tuple[CureOffer, ...]:
    """Return the wanted cures that apply to this experiment, in their order.

    A cure is left out if it changes nothing, if the experiment forbids it, if it changes the net but none of the layers
    that the finding names, if it reverts what the parent run's cure has changed, and if theory predicts an unhealthy
    profile with it. Without an experiment (a script) the offers have no changes: only the reason can be given.

    Args:
        exp: the experiment; None for a script.
        wanted: the cures, the best first.
        within: the decades from last to first layer between which the predicted profile must lie.
        measured: the figures of the run.
    """
    measured = measured or Measured()
    found: list[CureOffer] = []
    for item in wanted:
        offer = _offer(exp, item, measured)
        if offer is None or any(offer.name == other.name for other in found):
            continue
        if exp is not None:
            if any(offer.set == other.set for other in found) or not _touches(exp, offer, measured.layers):
                continue
            if measured.parent is not None and rates.reverses(offer, exp, measured.parent):
                continue
            if not _helps(exp, offer, within, measured.start):
                continue
        found.append(offer)
    return tuple(found[: MOST_OFFERS if exp else MOST_OFFERS_FOR_SCRIPTS])


def every_offer(exp: Experiment) -> list[CureOffer]:
    """Return all known cures that change something in this experiment, in their order, whatever is wrong with it."""
    found: list[CureOffer] = []
    for known in CURES:
        offer = _offer(exp, known.key, Measured())
        if offer is not None and all(offer.name != other.name and offer.set != other.set for other in found):
            found.append(offer)
    return found


def theory_agrees(exp: Experiment, start: float) -> bool:
    """Return whether theory and the measured profile agree: vanishing, healthy or exploding."""
    profile = predict(exp).log10_profile
    if not profile or math.isnan(start):
        return bool(profile)
    return _kind(profile[0]) == _kind(start)


def _kind(decades: float) -> int:
    low, high = HEALTHY_DECADES
    return -1 if decades <= low else 1 if decades >= high else 0


def _helps(exp: Experiment, offer: CureOffer, within: tuple[float, float], start: float) -> bool:
    """Return False if theory predicts a profile outside of these decades for the cured net.

    For example, the gradient of deep sigmoids vanishes also with layer normalisation, and in a plain net of 57 layers
    it explodes with batch normalisation. Where theory is wrong about the net as it is, it is not asked.
    """
    if offer.key == "relu" and turns_units_off(exp):
        # ReLU's units would never fire, whatever its initial weights.
        return False
    if within == ANY_DECADES or not any(path.startswith("net") for path in offer.set):
        return True
    if not math.isnan(start) and not theory_agrees(exp, start):
        return True
    profile = predict(set_fields(exp, offer.set)).log10_profile
    return not profile or within[0] < profile[0] < within[1]


def _touches(exp: Experiment, offer: CureOffer, layers: tuple[str, ...]) -> bool:
    """Return False if a cure changes only the net, and no group that has one of the named layers."""
    changed = {int(match[1]) for path in offer.set if (match := _GROUP.match(path))}
    if not changed or not layers or not all(path.startswith("net.") for path in offer.set):
        return True
    try:
        affected = {
            layer.group for layer in net_shape(exp).layers if layer.name in layers and layer.group >= 0
        }
    except ExperimentError:
        return True
    return not affected or bool(changed & affected)


def _offer(exp: Experiment | None, item: Wanted, measured: Measured) -> CureOffer | None:
    if item is None:
        return None
    if isinstance(item, CureOffer):
        if exp is None:
            return item
        changes = valid(exp, item.set)
        return replace(item, set=changes) if changes else None
    if isinstance(item, str):
        known = cure(item)
        changes = known.set_of(exp) if exp else {}
        offer = CureOffer(known.name, changes, known.why, known.price, item)
        offer = worded(exp, offer, measured) if exp else offer
    else:
        changes = valid(exp, item.changes(exp)) if exp else {}
        why, price = (text if isinstance(text, str) else text(exp) for text in (item.why, item.price))
        offer = CureOffer(item.name, changes, why, price)
    return offer if changes or exp is None else None


def valid(exp: Experiment, changes: dict[str, Any]) -> dict[str, Any]:
    """Return those of the changes that make a difference; none where the experiment forbids them."""
    try:
        return dict(diff(exp, set_fields(exp, changes)))
    except ExperimentError:
        return {}
