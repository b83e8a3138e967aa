"""Say what could be judged of a run, and why a run without findings may still have a problem."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from gradtui.diagnosis.evidence import Evidence
from gradtui.diagnosis.rules.case import Case
from gradtui.diagnosis.shallower import is_deep
from gradtui.diagnosis.thresholds import FEWEST_LOSSES, WARMUP_STEPS
from gradtui.runs.follower import CURVE_BUCKETS
from gradtui.runs.reader import Run
from gradtui.runs.summary import Summary
from gradtui.words import plain_exponents, several

MOST_GROWTH = 1e6
"""A training is not healthy if its total gradient norm is this many times that of the first step."""

NEEDS_SHALLOWER = (
    "The net has learned little. Only a run of the same net with fewer layers can show whether depth is the reason "
    "(degradation)."
)
"""Why a deep run without findings may still be worse than a shallower one."""


@dataclass(frozen=True)
class AnsweredQuestions:
    """An AnsweredQuestions says which questions the numbers of a run could answer."""

    enough_steps: bool
    """Whether the run is long enough for the words "no problems found"."""
    learning: bool
    """Whether its losses, or the number that tells its progress, say whether anything was learned."""
    why: str
    """What could not be judged and why, in whole sentences; empty where everything could."""

    def to_json(self) -> dict[str, object]:
        """Return it as `gradtui diagnose --json` prints it."""
        return {"enough_steps": self.enough_steps, "learning": self.learning, "why": self.why}


def judged_of(evidence: Evidence, *, found: bool = False, compared: bool = False) -> AnsweredQuestions:
    """Return what could be judged of a run so far.

    A run that has learned or has findings is long enough with any number of steps.

    Args:
        evidence: of the run.
        found: whether it has findings.
        compared: whether it was compared with a run with fewer layers.
    """
    steps = max(evidence.step, evidence.facts.step if evidence.facts is not None else 0)
    if not steps:
        return AnsweredQuestions(False, False, "No step was recorded.")
    with np.errstate(all="ignore"):
        case = Case(evidence)
        losses = len(case.loss.values)
        learned = case.learned and losses + len(evidence.progress) > 1
    enough = learned or found or steps >= WARMUP_STEPS
    sentences = [] if enough else [_too_short(steps, finished=evidence.finished)]
    learning = learned or losses >= FEWEST_LOSSES or len(evidence.progress) >= FEWEST_LOSSES
    # Where something was found, as a loss that is NaN from step 3 on, a small number of losses is no news.
    if not learning and not (found and losses):
        sentences.append(_too_few(losses, len(evidence.progress), evidence.other_losses))
    elif evidence.finished and enough and not (learned or found or compared) and is_deep(evidence.experiment):
        sentences.append(NEEDS_SHALLOWER)
    return AnsweredQuestions(enough, learning and enough, " ".join(sentences))


def _too_short(steps: int, *, finished: bool) -> str:
    taken = several(steps, "step")
    return (
        f"A run of {taken} is too short to say more."
        if finished
        else f"{taken} {'is' if steps == 1 else 'are'} too few to say more yet."
    )


def _too_few(losses: int, metrics: int, others: tuple[str, ...]) -> str:
    if losses:
        return f"Only {losses} usable loss{'es were' if losses > 1 else ' was'} recorded, too few to judge learning."
    if metrics:
        return (
            f"No loss was seen, and {several(metrics, 'value')} of the metric "
            f"{'is' if metrics == 1 else 'are'} too few to judge learning."
        )
    if others:
        named = ", ".join(others)
        return f"Besides {named} no loss of the whole training was seen, so learning was not judged."
    return "No loss was seen, so learning was not judged."


def objection(curves: Mapping[str, Summary], at: int | None = None) -> str:
    """Return in a few words why a run cannot be called free of problems; "" if there is no reason.

    Args:
        curves: the scalars of the run by name, over time.
        at: the last step that counts; None is the newest.
    """
    return objection_to(_upto(curves, "loss", at), _upto(curves, "grad_norm", at))


def objection_to(losses: ArrayLike, norms: ArrayLike) -> str:
    """Return the same reason from losses and total gradient norms, oldest first."""
    losses, norms = np.asarray(losses, np.float64), np.asarray(norms, np.float64)
    for values, words in ((losses, "the loss"), (norms, "the gradient norm")):
        if len(values) and not np.isfinite(values[-1]):
            return f"{words} is {'NaN' if np.isnan(values[-1]) else 'infinite'}"
    known = norms[np.isfinite(norms) & (norms > 0)]
    if len(known) and known[-1] > MOST_GROWTH * known[0]:
        return f"the gradient norm is {plain_exponents(f'{known[-1] / known[0]:.0e}')} times that of the first step"
    return ""


def objection_of(run: Run) -> str:
    """Return the same reason for a run as it stands on disk now, from the curves that the screens have of it."""

    def values(name: str) -> ArrayLike:
        table = run.scalar_table(name)
        if name not in table.columns or not table.rows:
            return np.zeros(0)
        column = table.columns.index(name)
        return table.summary(0, table.rows, CURVE_BUCKETS).mean[:, column].astype(float)

    return objection_to(values("loss"), values("grad_norm"))


def _upto(
    curves: Mapping[str, Summary], name: str, at: int | None
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    curve = curves.get(name)
    if curve is None:
        return np.zeros(0)
    values = np.asarray(curve.mean, np.float64)
    return values if at is None else values[: int(np.searchsorted(curve.step, at, side="right"))]
