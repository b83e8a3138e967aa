"""Where a comparison of cures stands, as one value that never changes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gradtui.diagnosis.findings import Finding
from gradtui.diagnosis.verdict import Outcome, Verdict
from gradtui.runs.status import State
from gradtui.study.candidates import Candidate

Floats = NDArray[np.float64]

JUDGED: tuple[State, ...] = ("finished", "diverged")
"""Ends that say something of the cure. One that was stopped has learned for a shorter time than the others."""


@dataclass(frozen=True, eq=False)
class TrialRow:
    """One cure, and what became of it so far."""

    candidate: Candidate
    state: State | Literal["waiting"] = "waiting"
    reason: str = ""
    """Why it failed, or what it waits for; one line, mostly empty."""
    phase: str = ""
    """What its trainer is at."""
    folder: Path | None = None
    """Its run; None before it was begun."""
    taken_up: bool = False
    """Whether the run was there before."""
    step: int = 0
    steps: int = 0
    outcome: Outcome | None = None
    """How it stands now; None before its first step."""
    verdict: Verdict | None = None
    """Held against the sick run; None before its end, and of the sick experiment itself."""
    price: float = math.nan
    """Time of a step ÷ that of the sick experiment under the same load; NaN where one is unknown."""
    gradients: Floats | None = None
    """Of every layer at the newest step, (layers,)."""
    healthy: tuple[Floats, Floats] | None = None
    """Between which they would lie in a net that is well."""

    @property
    def key(self) -> str:
        """Tells rows apart; empty is the sick experiment itself."""
        return self.candidate.key

    @property
    def name(self) -> str:
        """What the cure is called."""
        return self.candidate.name

    @property
    def live(self) -> bool:
        """Whether a trainer is at it."""
        return self.state in ("starting", "running", "paused")

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return not self.live and self.state != "waiting"

    @property
    def share(self) -> float:
        """How much of it is done, 0 to 1."""
        return 1.0 if self.ended else min(1.0, self.step / self.steps) if self.steps else 0.0


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
