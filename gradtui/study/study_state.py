"""Where a study stands, as one value that never changes: what a screen paints and a command prints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gradtui.diagnosis.outcome import Verdict
from gradtui.study.chart import Chart
from gradtui.study.measures import Measures
from gradtui.study.plan import Member
from gradtui.study.row import RunRow
from gradtui.study.spec import StudySpec

StudyStatus = Literal["planned", "running", "finished", "stopped", "failed"]
"""failed: it is over, and at least one of its trainings was not trained to its end because something broke."""


@dataclass(frozen=True, eq=False)
class StudyRow(RunRow):
    """One experiment of the study, and what became of it so far."""

    member: Member
    codes: tuple[str, ...] = ()
    """Of its findings that are critical or warnings; `degradation` once shallower ones have ended."""
    evidence: tuple[str, ...] = ()
    """A sentence of each of them."""
    measures: Measures | None = None
    """What it came to; None before its end."""

    @property
    def key(self) -> str:
        """Tells rows apart."""
        return self.member.key

    @property
    def name(self) -> str:
        """What it is called."""
        return self.member.name


@dataclass(frozen=True)
class StudyFinding:
    """What shows only across runs."""

    code: str
    """One of gradtui.diagnosis.findings.CODES."""
    series: str
    """In which of the study's series; empty where it has one only."""
    evidence: str
    """A sentence or two with the figures."""
    runs: tuple[str, ...]
    """Keys of the rows that show it."""

    def to_json(self) -> dict[str, Any]:
        """As `gradtui study --json` prints it."""
        return {"code": self.code, "series": self.series, "evidence": self.evidence, "runs": list(self.runs)}


@dataclass(frozen=True)
class Ranked:
    """A change and what it came to, over all seeds that have ended."""

    change: str
    verdict: Verdict
    """Held against the study's first change; means over seeds, with every finding that any seed has."""
    seeds: int


@dataclass(frozen=True, eq=False)
class StudyState:
    """All of it. Rows stand in the order in which they are begun."""

    folder: Path
    """Of the study."""
    spec: StudySpec
    status: StudyStatus = "planned"
    rows: tuple[StudyRow, ...] = ()
    charts: tuple[Chart, ...] = ()
    """One for each of `compare.y`, of what has ended so far."""
    findings: tuple[StudyFinding, ...] = ()
    ranked: tuple[Ranked, ...] = ()
    """Of a study without a grid: its changes, the best first; the first of them is the one to beat, and left out."""
    seconds: float = 0.0
    """For how long it has been at it, this time."""
    problem: str = ""
    """Why nothing can be trained; one line."""
    kept_by: str = ""
    """Who else is at it, and begins its runs: another process, here or elsewhere. Empty where we are, or nobody."""

    @property
    def name(self) -> str:
        """What it is called."""
        return self.spec.name

    @property
    def total(self) -> int:
        """How many experiments there are."""
        return len(self.rows)

    @property
    def ended(self) -> int:
        """How many of them have ended, however."""
        return sum(row.ended for row in self.rows)

    @property
    def share(self) -> float:
        """How much is done, 0 to 1."""
        return sum(row.share for row in self.rows) / len(self.rows) if self.rows else 0.0

    @property
    def seconds_left(self) -> float | None:
        """At the pace so far, counting only what was trained this time; None before a twentieth is done."""
        own = [row for row in self.rows if not (row.taken_up and row.ended)]
        done = sum(row.share for row in own) / len(own) if own else 1.0
        return self.seconds * (1 - done) / done if done >= 0.05 else None

    @property
    def done(self) -> bool:
        """Whether nothing more will come."""
        return bool(self.problem) or self.status in ("finished", "stopped", "failed")

    def row(self, key: str) -> StudyRow:
        """The row of a member. Raises KeyError."""
        for row in self.rows:
            if row.key == key:
                return row
        raise KeyError(key)
