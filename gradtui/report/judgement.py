"""What is to be said of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradtui.diagnosis.findings import Finding
    from gradtui.runs.reader import Run


@dataclass(frozen=True)
class Judgement:
    """The diagnosis of a run as it stood at one moment."""

    findings: tuple[Finding, ...]
    """What is wrong; nothing where it is well."""
    remarks: tuple[Finding, ...]
    """What is odd, and held: for people, not for programs."""


def judge(run: Run) -> Judgement:
    """The diagnosis of the run as it stands now."""
    from gradtui.diagnosis import diagnose, evidence_of, remarks

    evidence = evidence_of(run)
    return Judgement(tuple(diagnose(evidence)), tuple(remarks(evidence)))
