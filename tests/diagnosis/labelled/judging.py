"""Judge the diagnosis of a labelled run: whether it is right, and whether it flickered during the training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from gradtui.diagnosis import Evidence, Finding, LiveDiagnosis, diagnose, evidence_of
from tests.diagnosis.labelled.cases import SEEDS, Case
from tests.diagnosis.labelled.trainings import Trainings

NOTHING = "—"
"""No finding."""
SAME = {"exploding": ("exploding", "nonfinite", "unstable-loss")}
"""Codes that are right for a label besides the label itself."""

STEPS_BETWEEN_UPDATES = 3
"""A lab that trains 100 steps a second diagnoses more seldom; of a large net it sees every step."""


@dataclass(frozen=True)
class Shown:
    """A Shown is a code that was shown while the run trained."""

    code: str
    first: int
    """The step at which it came."""
    times: int
    """How often it came: more than once is a flicker."""


@dataclass(frozen=True)
class Judged:
    """A Judged is one run of a case with its findings."""

    case: Case
    seed: int
    findings: list[Finding]
    live: list[Shown]

    @property
    def first(self) -> str:
        """Return the code of the first finding."""
        return self.findings[0].code if self.findings else NOTHING

    @property
    def right(self) -> bool:
        """Return whether the first finding is what the label says; for a healthy net, whether there is none."""
        if self.case.well:
            return not self.findings
        return self.first in SAME.get(self.case.label, (self.case.label,))

    @property
    def flickers(self) -> list[str]:
        """Return the codes that came, went and came back."""
        return [shown.code for shown in self.live if shown.times > 1]

    @property
    def taken_back(self) -> list[str]:
        """Return the codes that were shown while it trained and not at the end; for a healthy net: false alarms."""
        at_end = {finding.code for finding in self.findings}
        return [shown.code for shown in self.live if shown.code not in at_end]


def judged(cases: Iterable[Case], trainings: Trainings, seeds: Sequence[int] = SEEDS) -> Iterator[Judged]:
    """Train every case with every seed, and diagnose it."""
    for case in cases:
        for seed in seeds:
            evidence = evidence_of(trainings(case.experiment, seed))
            partner = evidence_of(trainings(case.partner, seed)) if case.partner else None
            yield judge(case, seed, evidence, partner)


def judge(case: Case, seed: int, evidence: Evidence, partner: Evidence | None) -> Judged:
    """Diagnose one run, at its end and on the way."""
    return Judged(case, seed, diagnose(evidence, partner), replayed(evidence, partner))


def replayed(
    evidence: Evidence, partner: Evidence | None = None, every: int = STEPS_BETWEEN_UPDATES
) -> list[Shown]:
    """Return what was shown before the run was over, as a live diagnosis would have seen it."""
    diagnosis = LiveDiagnosis()
    before: set[str] = set()
    shown: dict[str, Shown] = {}
    for step in range(1, evidence.step + 1, every):
        update = diagnosis.update(replace(evidence.upto(step), finished=False), partner)
        now = {finding.code for finding in update.findings}
        for code in now - before:
            known = shown.get(code, Shown(code, step, 0))
            shown[code] = replace(known, times=known.times + 1)
        before = now
    return list(shown.values())
