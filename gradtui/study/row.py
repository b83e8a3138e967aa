"""How one run of many stands: what the table of cures and the table of a study both show."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gradtui.diagnosis.outcome import Outcome
from gradtui.runs.status import State

Floats = NDArray[np.float64]

JUDGED: tuple[State, ...] = ("finished", "diverged")
"""Ends that say something of the experiment. One that was stopped has learned for a shorter time than the others."""


@dataclass(frozen=True, eq=False, kw_only=True)
class RunRow:
    """A run that is wanted, and what became of it so far."""

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
    gradients: Floats | None = None
    """Of every layer at the newest step, (layers,)."""
    healthy: tuple[Floats, Floats] | None = None
    """Between which they would lie in a net that is well."""

    @property
    def live(self) -> bool:
        """Whether a trainer is at it."""
        return self.state in ("starting", "running", "paused")

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return not self.live and self.state != "waiting"

    @property
    def judged(self) -> bool:
        """Whether it was trained to an end that says something of the experiment."""
        return self.state in JUDGED and self.outcome is not None

    @property
    def share(self) -> float:
        """How much of it is done, 0 to 1."""
        return 1.0 if self.ended else min(1.0, self.step / self.steps) if self.steps else 0.0
