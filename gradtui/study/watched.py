"""One run of a study: its run monitor, and the figures that studies compare."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradtui.diagnosis.findings import Finding
from gradtui.diagnosis.monitor import RunMonitor
from gradtui.diagnosis.outcome import Outcome
from gradtui.runs.follower import Snapshot
from gradtui.study.measures import Measures, measures_of

Floats = NDArray[np.float64]


class Watched:
    """A run's folder. Raises RunError where it is none, or its run.json is corrupt."""

    def __init__(self, folder: Path) -> None:
        self._monitor = RunMonitor(folder)
        self.run = self._monitor.run
        self.outcome: Outcome | None = None
        self.findings: tuple[Finding, ...] = ()
        self.measures: Measures | None = None

    @property
    def snapshot(self) -> Snapshot | None:
        """Return the state of the run by the last look."""
        return self._monitor.snapshot

    def look(self) -> bool:
        """Read what is new, and return whether anything was."""
        return self._monitor.poll()

    @property
    def waits_since(self) -> float | None:
        """Return when it was judged last if it should be judged again by now, else None."""
        return self._monitor.waiting_since

    def judge(self) -> None:
        """Diagnose the run and take its figures."""
        self._monitor.diagnose()
        evidence, outcome = self._monitor.evidence, self._monitor.outcome
        assert evidence is not None
        assert outcome is not None
        self.findings, self.outcome = self._monitor.current_findings, outcome
        self.measures = measures_of(evidence, self.findings, outcome)

    def gradients(self) -> tuple[Floats, tuple[Floats, Floats] | None]:
        """Return the gradient of every layer at the newest step, (layers,), and its healthy range."""
        return self._monitor.gradients()
