"""One run of a study, looked at again and again: how far it is, how it stands, and what that comes to."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradtui.diagnosis import LiveDiagnosis, evidence_of
from gradtui.diagnosis.corridor import corridor_of
from gradtui.diagnosis.evidence import BESIDE_THE_PATH
from gradtui.diagnosis.findings import Finding
from gradtui.diagnosis.verdict import Outcome, outcome_of
from gradtui.runs.follower import Follower, Snapshot
from gradtui.runs.reader import Run, open_run
from gradtui.study.measures import Measures, measures_of

JUDGE_SECONDS = 1.0
"""Between two judgements of a run that trains, at least."""
TIMED = 10_000
"""Steps, the last ones, over which the time of one is taken."""

Floats = NDArray[np.float64]


class Watched:
    """A run's folder. Raises RunError where it is none, or its run.json is corrupt."""

    def __init__(self, folder: Path) -> None:
        self.run = open_run(folder)
        self.snapshot: Snapshot | None = None
        self.outcome: Outcome | None = None
        """As it stood when it was judged last; None before its first step."""
        self.findings: tuple[Finding, ...] = ()
        self.measures: Measures | None = None
        """Both of that moment too."""
        self._follower = Follower(self.run)
        self._diagnosis = LiveDiagnosis()
        self._judged: Snapshot | None = None
        self._judged_at = 0.0

    def look(self) -> bool:
        """Take in what is new, and say whether anything was."""
        snapshot = self._follower.poll()
        if snapshot is None:
            return False
        self.snapshot = snapshot
        return True

    @property
    def waits_since(self) -> float | None:
        """When it was judged last, where it may be judged again by now; None where that would be too soon."""
        snapshot = self.snapshot
        if snapshot is None or not snapshot.step or snapshot is self._judged:
            return None
        due = not snapshot.status.live or time.monotonic() - self._judged_at >= JUDGE_SECONDS
        return self._judged_at if due else None

    def judge(self) -> None:
        """Say what was found in it and what it has learned, by now."""
        self._judged = self.snapshot
        evidence = evidence_of(self.run)
        self.findings = tuple(self._diagnosis.update(evidence).findings)
        self.outcome = outcome_of(evidence, self.findings, seconds_of(self.run))
        self.measures = measures_of(evidence, self.findings, self.outcome)
        self._judged_at = time.monotonic()

    def gradients(self) -> tuple[Floats, tuple[Floats, Floats] | None]:
        """The gradient of every layer at the newest step, (layers,), and where it would lie in a net that is well."""
        if self.snapshot is None:
            return np.zeros(0), None
        values = np.asarray(self.snapshot.latest, np.float64)
        layers = self.snapshot.meta.layers if self.snapshot.meta else ()
        beside = (*BESIDE_THE_PATH, "embedding")
        level = max((i for i, layer in enumerate(layers[:-1]) if layer.kind not in beside), default=-1)
        healthy = corridor_of("grad_norm", values, [layer.parameters for layer in layers], level)
        return values, healthy


def seconds_of(run: Run) -> float:
    """What a step takes, by the run's own time stamps; NaN before the second. A pretraining is shared out to the steps
    that are planned: it is the price of its cure.

    The median over steps: evaluations between two of them, a pause, or an hour between two processes are left out.
    """
    table = run.table_or_empty("scalars")
    rows = table.read(max(0, table.rows - TIMED))
    if len(rows) < 2:
        return float("nan")
    taken = np.diff(rows["time"]) / np.maximum(np.diff(rows["step"].astype(np.int64)), 1)
    steps = run.meta.steps if run.meta and run.meta.steps else int(rows["step"][-1])
    return float(np.median(taken)) + _pretraining_seconds(run) / steps


def _pretraining_seconds(run: Run) -> float:
    times = [
        float(event["time"])
        for event in run.events()
        if event["event"] == "pretrain" or (event["event"] == "phase" and event.get("phase") == "pretraining")
    ]
    return max(times) - min(times) if times else 0.0
