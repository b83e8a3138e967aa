"""However often a trainer is killed, and in whatever moment, its run stays whole and loses 200 ms at most.

`GRADTUI_KILLS=500 pytest -m long -s -k many_kills` kills five hundred times, and prints what was lost.
"""

from __future__ import annotations

import mmap
import os
import random
import signal
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gradtui.runs.reader import open_run
from gradtui.training.launch import create_run
from tests.support.fuzzing import warm
from tests.support.trainings import small

KILLS = int(os.environ.get("GRADTUI_KILLS", "30"))
KILLS_OF_A_RUN = 10
"""A run is killed and resumed so often before the next one is begun."""
MOST_LOST_SECONDS = 0.2
LAST = struct.Struct("<qd")
"""The last step that was recorded, and its time."""


@pytest.fixture
def noted() -> Iterator[mmap.mmap]:
    """Memory that a trainer shares with this process, and that outlives it."""
    with mmap.mmap(-1, LAST.size) as shared:
        yield shared


def start(folder: Path, noted: mmap.mmap) -> int:
    """Start a trainer, as `python -m gradtui.training` does, and return its process; torch is imported already."""
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            from gradtui.training.process import main
            from gradtui.training.recorder import Recorder
            from gradtui.training.step import StepResult

            record = Recorder.record

            def noting(self: Recorder, step: int, moment: float, result: StepResult) -> None:
                LAST.pack_into(noted, 0, step, moment)
                record(self, step, moment, result)

            Recorder.record = noting  # type: ignore[method-assign]
            os._exit(main([str(folder)]))
        finally:
            os._exit(70)
    return child


def lost(folder: Path, noted: mmap.mmap) -> tuple[int, float]:
    """Return how many steps are not on the disk, and the time that they took; fail where the run is not whole."""
    step, at = LAST.unpack_from(noted)
    run = open_run(folder)
    assert run.status.state == "died"
    assert run.status.reason == f"died at step {run.steps}"
    last, moment = step, at
    for table in ("scalars", "grad_norm"):
        rows = run.table(table).read()
        assert rows["step"].tolist() == list(range(1, len(rows) + 1)), table
        assert np.isfinite(rows["values"]).all()
        last, moment = min(last, len(rows)), min(moment, float(rows["time"][-1]))
    return step - last, at - moment


@pytest.mark.long
def test_many_kills_lose_200_milliseconds_at_most(tmp_path: Path, noted: mmap.mmap) -> None:
    warm("gradtui.training.run")
    rng = random.Random(1)
    steps, seconds = [], []
    folder = tmp_path
    for kill in range(KILLS):
        if kill % KILLS_OF_A_RUN == 0:
            endless = small(run__steps=10_000_000, run__checkpoint_every=200, run__threads=1)
            folder = create_run(endless, tmp_path / "runs")
        LAST.pack_into(noted, 0, 0, 0.0)
        child = start(folder, noted)
        end = time.monotonic() + 60
        while LAST.unpack_from(noted)[0] == 0:
            assert time.monotonic() < end, (folder / "trainer.log").read_text()
            time.sleep(0.01)
        time.sleep(0.25 + rng.random() * 0.5)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
        missing, took = lost(folder, noted)
        steps.append(missing)
        seconds.append(took)
    ordered = sorted(seconds)
    print(
        f"{KILLS} kills: lost {ordered[len(ordered) // 2] * 1e3:.0f} ms (median), "
        f"{ordered[int(len(ordered) * 0.99)] * 1e3:.0f} ms (99 %), {ordered[-1] * 1e3:.0f} ms at most; "
        f"{max(steps)} steps at most"
    )
    assert ordered[-1] <= MOST_LOST_SECONDS
