"""Test the run that grows while a benchmark looks at it."""

from __future__ import annotations

import time

from gradtui.runs.process import is_alive
from gradtui.runs.reader import open_run
from tests.benchmarks.home import Home
from tests.benchmarks.made_runs import STEPS_BEFORE, growing_run


def test_it_is_live_and_gets_longer_until_the_block_ends() -> None:
    with Home() as home:
        with growing_run(home, layers=5, rate=500) as (folder, writer):
            run = open_run(folder)
            first = run.status
            assert first.live
            assert first.step >= STEPS_BEFORE
            end = time.monotonic() + 20
            while run.status.step < first.step + 20 and time.monotonic() < end:
                time.sleep(0.05)
            assert run.status.step >= first.step + 20
            rows = run.table("scalars").read(0)
            # Each row says when it was recorded: some milliseconds ago, and the newest last.
            assert time.time() - 20 < rows["time"][-1] <= time.time()
            assert (rows["time"][1:] >= rows["time"][:-1]).all()
        assert not is_alive(writer, None)
