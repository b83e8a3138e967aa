"""What the diagnosis says of a labelled run, and whether that is right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from gradtui.diagnosis import Evidence, Finding, diagnose, evidence_of
from tests.diagnosis.labelled.cases import SEEDS, Case
from tests.diagnosis.labelled.replay import Shown, replayed
from tests.diagnosis.labelled.trainings import Trainings

NOTHING = "—"
"""No finding."""
SAME = {"exploding": ("exploding", "nonfinite", "unstable-loss")}
"""Codes that are right for a label, where it is not the label alone."""


@dataclass(frozen=True)
class Judged:
    """One run of a case."""

    case: Case
    seed: int
    findings: list[Finding]
    live: list[Shown]

    @property
    def first(self) -> str:
        """The code of the first finding."""
        return self.findings[0].code if self.findings else NOTHING

    @property
    def right(self) -> bool:
        """Whether the first finding is what the label says; of who is well, whether there is none."""
        if self.case.well:
            return not self.findings
        return self.first in SAME.get(self.case.label, (self.case.label,))

    @property
    def flickers(self) -> list[str]:
        """Codes that came, went and came back."""
        return [shown.code for shown in self.live if shown.times > 1]

    @property
    def taken_back(self) -> list[str]:
        """Codes that stood while it trained, and not at the end; of who is well: false alarms."""
        at_end = {finding.code for finding in self.findings}
        return [shown.code for shown in self.live if shown.code not in at_end]


def judged(cases: Iterable[Case], trainings: Trainings, seeds: Sequence[int] = SEEDS) -> Iterator[Judged]:
    """Train every case with every seed, and ask the diagnosis."""
    for case in cases:
        for seed in seeds:
            evidence = evidence_of(trainings(case.experiment, seed))
            partner = evidence_of(trainings(case.partner, seed)) if case.partner else None
            yield judge(case, seed, evidence, partner)


def judge(case: Case, seed: int, evidence: Evidence, partner: Evidence | None) -> Judged:
    """Ask the diagnosis about one run, at its end and on the way."""
    return Judged(case, seed, diagnose(evidence, partner), replayed(evidence, partner))
