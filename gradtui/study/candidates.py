"""What is tried on a sick run: its cures, each as an experiment that differs from the sick one by it alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from gradtui.diagnosis.cures import HEALTHY_DECADES, offers
from gradtui.diagnosis.findings import CureOffer, Finding, codes_with
from gradtui.experiment import Experiment, set_fields
from gradtui.experiment.edits import CURES, cure

ENOUGH = 8
"""Cures that are tried at least, where so many there are: what nobody advised may be the best."""

STARVING = codes_with("starves")
"""Findings of a gradient that is too small …"""
HOLDING_BACK = frozenset(
    {"smaller-lr", "smaller-batch", "mean-loss", "clip-norm", "clip-value", "l2", "l1", "gain-one"}
)
"""… which cures that make steps, weights or gradients smaller would only starve more; unadvised, they are left out."""
ON_DEMAND = frozenset({"pretrain-autoencoder", "pretrain-rbm"})
"""Dear ones, which are tried where they are advised."""


@dataclass(frozen=True)
class Candidate:
    """One training of the comparison."""

    key: str
    """The cure's key; of a remedy that is none of CURES its name; empty of the sick experiment itself."""
    cure: str
    """The cure's key as a run's parent has it, empty where it is none of CURES."""
    name: str
    """What people call it."""
    experiment: Experiment
    why: str = ""
    price: str = ""
    """What it is known to cost."""


def candidates(
    sick: Experiment, findings: Sequence[Finding], keys: Sequence[str] | None = None
) -> list[Candidate]:
    """The sick experiment itself, to be trained under the same load as all others, then its cures.

    keys: of CURES, those that are wanted; by default all that the findings advise, in their order, remedies that are
    no cure of a net (another rate, say) among them, and up to ENOUGH of the others. Left out is what changes nothing,
    and what comes to the same experiment as one before it. Raises KeyError on an unknown key.
    """
    sick = _one_thread(sick)
    found = [Candidate("", "", "no cure", _named(sick, "no-cure"))]
    seen = {sick}
    for offer in _advised(sick, findings) if keys is None else _wanted(sick, keys):
        cured = set_fields(sick, offer.set)
        if cured not in seen:
            seen.add(cured)
            key = offer.key or offer.name
            named = _named(cured, "-".join(key.lower().split()))
            found.append(Candidate(key, offer.key, offer.name, named, offer.why, offer.price))
    return found


def _wanted(sick: Experiment, keys: Iterable[str]) -> Iterator[CureOffer]:
    for key in keys:
        wanted = cure(key)
        yield CureOffer(wanted.name, wanted.set_of(sick), wanted.why, wanted.price, key)


def _advised(sick: Experiment, findings: Sequence[Finding]) -> list[CureOffer]:
    advised = [offer for finding in findings for offer in finding.cures if offer.set]
    there = {offer.key or offer.name for offer in advised}
    codes = {finding.code for finding in findings}
    left_out = there | ON_DEMAND | (HOLDING_BACK if codes & STARVING else frozenset())
    others = offers(sick, [cure.key for cure in CURES if cure.key not in left_out], HEALTHY_DECADES)
    return [*advised, *others[: max(0, ENOUGH - len(there))]]


def _one_thread(sick: Experiment) -> Experiment:
    """Where torch may choose, it takes every core, and several trainers would be in each other's way."""
    return sick if sick.run.threads else replace(sick, run=replace(sick.run, threads=1))


def _named(experiment: Experiment, said: str) -> Experiment:
    """The same under a name that a list of runs, and a file, can tell from the others."""
    return replace(experiment, name=f"{experiment.name[:150]}-{said}")


def same(one: Experiment, other: Experiment) -> bool:
    """Whether two experiments are the same training, whatever they are called."""
    return replace(one, name="", description="") == replace(other, name="", description="")
