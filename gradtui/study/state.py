"""Where a comparison of cures stands, as one value that never changes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gradtui.diagnosis.findings import Finding
from gradtui.diagnosis.outcome import Outcome, Verdict
from gradtui.study.candidates import Candidate
from gradtui.study.row import RunRow


@dataclass(frozen=True, eq=False)
class TrialRow(RunRow):
    """One cure, and what became of it so far."""

    candidate: Candidate
    verdict: Verdict | None = None
    """Held against the sick run; None before its end, and of the sick experiment itself."""
    price: float = math.nan
    """Time of a step ÷ that of the sick experiment under the same load; NaN where one is unknown."""

    @property
    def key(self) -> str:
        """Tells rows apart; empty is the sick experiment itself."""
        return self.candidate.key

    @property
    def name(self) -> str:
        """What the cure is called."""
        return self.candidate.name


@dataclass(frozen=True, eq=False)
class TrialsState:
    """All of it. Rows stand in the order in which they are begun, the sick experiment itself first."""

    name: str = ""
    """Of the sick run."""
    findings: tuple[Finding, ...] = ()
    """What was wrong with it when the comparison began."""
    before: Outcome | None = None
    """Its own outcome; the time of a step is its own too, under whatever load that was."""
    rows: tuple[TrialRow, ...] = ()
    ranked: tuple[str, ...] = ()
    """Keys of the cures that were trained to their end, the best first."""
    problem: str = ""
    """Why nothing can be compared; one line."""

    @property
    def share(self) -> float:
        """How much is done, 0 to 1."""
        return sum(row.share for row in self.rows) / len(self.rows) if self.rows else 0.0

    @property
    def done(self) -> bool:
        """Whether nothing more will come."""
        return bool(self.problem) or (bool(self.rows) and all(row.ended for row in self.rows))

    def row(self, key: str) -> TrialRow:
        """The row of a cure. Raises KeyError."""
        for row in self.rows:
            if row.key == key:
                return row
        raise KeyError(key)

    def in_order(self) -> tuple[TrialRow, ...]:
        """As one reads them: without a cure, the ranked, what runs, what waits, and what came to nothing."""
        place = {key: at for at, key in enumerate(self.ranked)}

        def rank(row: TrialRow) -> tuple[int, int]:
            if not row.key:
                return 0, 0
            if row.key in place:
                return 1, place[row.key]
            return (2 if row.live else 3 if row.state == "waiting" else 4), 0

        return tuple(sorted(self.rows, key=rank))
