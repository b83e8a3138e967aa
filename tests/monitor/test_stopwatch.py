"""Test that the stopwatch counts our own work, without the time in which other programs have the processor."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
import torch

from gradtui.monitor.stopwatch import WAITS_FILE, HookCosts, Stopwatch, _waited

CPU = torch.device("cpu")
BUSY = "import time\nwhile True: time.perf_counter()"


def work(seconds: float) -> float:
    """Compute for so many seconds of processor time, and return those of the wall clock."""
    begin, until = time.perf_counter(), time.thread_time() + seconds
    while time.thread_time() < until:
        pass
    return time.perf_counter() - begin


@pytest.fixture
def shared_core() -> Iterator[None]:
    """Let this thread share one core with two programs that always compute."""
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system cannot bind a program to a core")
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    others = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(2)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()
        os.sched_setaffinity(0, cores)


def test_time_in_which_others_have_the_processor_is_neither_our_cost_nor_the_trainings(
    shared_core: None,
) -> None:
    stopwatch = Stopwatch(CPU)
    wall = work(0.2)
    with stopwatch.on("recording"):
        wall += work(0.2)
    lap = stopwatch.lap()
    assert wall > 0.5
    assert lap["recording"] == pytest.approx(0.2, rel=0.1)
    if _waited() is not None:
        assert lap["training"] == pytest.approx(0.2, rel=0.3)


def test_what_a_script_waits_for_is_time_of_its_training() -> None:
    stopwatch = Stopwatch(CPU)
    time.sleep(0.05)
    with stopwatch.on("recording"), stopwatch.on("sampling"):
        work(0.01)
    lap = stopwatch.lap()
    assert lap["training"] >= 0.04
    assert lap["recording"] < 0.01 <= lap["sampling"]
    assert stopwatch.lap()["sampling"] == 0.0


def test_a_device_is_waited_for_by_the_wall_clock() -> None:
    stopwatch = Stopwatch(torch.device("cuda"))
    with stopwatch.on("sampling"):
        time.sleep(0.05)
    assert stopwatch.lap()["sampling"] >= 0.05


def test_a_thread_that_logs_meanwhile_does_not_bring_its_own_clock() -> None:
    stopwatch = Stopwatch(CPU)
    work(0.1)

    def log() -> None:
        with stopwatch.on("recording"):
            pass

    with stopwatch.on("recording"):
        other = threading.Thread(target=log)
        other.start()
        other.join()
    assert -0.01 < stopwatch.lap()["recording"] < 0.05


def test_a_system_that_tells_no_waits_leaves_them_in_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradtui.monitor.stopwatch.WAITS_FILE", f"{WAITS_FILE}-missing")
    stopwatch = Stopwatch(CPU)
    time.sleep(0.3)
    assert stopwatch.lap()["training"] >= 0.29


def test_hooks_that_are_timed_at_some_steps_count_for_all_and_one_slow_step_does_not() -> None:
    now = [1.0]
    costs = HookCosts(lambda: now[0])
    for step in range(1, 161):
        for _ in range(3):
            began = costs.begin()
            now[0] += 0.5 if step == 50 else 2e-6
            costs.end(began)
        now[0] += 1e-3
        costs.end_step()
    assert costs.seconds == pytest.approx(160 * 6e-6, rel=1e-6)
