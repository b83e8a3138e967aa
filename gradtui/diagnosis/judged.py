"""Say what could be judged of a run: if nothing was found, too little may have been recorded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradtui.diagnosis.evidence import Evidence
from gradtui.diagnosis.rules.case import Case
from gradtui.diagnosis.thresholds import FEWEST_LOSSES, WARMUP_STEPS


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


def judged_of(evidence: Evidence, *, found: bool = False) -> AnsweredQuestions:
    """Return what could be judged of a run so far; `found` says whether it has findings.

    A run that has learned or has findings is long enough, however few its steps.
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
    if not learning:
        sentences.append(_too_few(losses, len(evidence.progress), evidence.other_losses))
    return AnsweredQuestions(enough, learning and enough, " ".join(sentences))


def _too_short(steps: int, *, finished: bool) -> str:
    taken = f"{steps} step{'s' if steps > 1 else ''}"
    return (
        f"A run of {taken} is too short to say more." if finished else f"{taken} are too few to say more yet."
    )


def _too_few(losses: int, metrics: int, others: tuple[str, ...]) -> str:
    if losses:
        return f"Only {losses} loss{'es were' if losses > 1 else ' was'} seen, too few to judge learning by."
    if metrics:
        return f"No loss was seen, and {metrics} values of the metric are too few to judge learning by."
    if others:
        named = ", ".join(others)
        return f"No loss of the whole training was seen beside {named}, so learning was not judged."
    return "No loss was seen, so learning was not judged."
