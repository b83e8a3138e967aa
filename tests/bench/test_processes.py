"""What is known of other processes, also where there is no /proc."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gradtui.bench import processes

SPIN = (
    "import time; spun = b'x' * 50_000_000\nwhile time.process_time() < 0.3: pass\nprint(flush=True); input()"
)


@pytest.fixture
def spun() -> Iterator[int]:
    """A process that has used a third of a second and 50 MB, and rests."""
    with subprocess.Popen(
        [sys.executable, "-c", SPIN], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        yield child.pid
        child.kill()


@pytest.fixture(params=["/proc", "ps"])
def source(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Where it is known from."""
    if request.param == "ps":
        monkeypatch.setattr(processes, "PROC", tmp_path)
    elif not processes.PROC.exists():
        pytest.skip("no /proc here")
    return str(request.param)


@pytest.mark.usefixtures("source")
def test_cpu_time_and_memory_of_a_process(spun: int) -> None:
    # ps may know whole seconds only.
    assert 0 <= processes.cpu_seconds(spun) < 5
    assert 50 < processes.memory_mb(spun) < 500


@pytest.mark.skipif(not processes.PROC.exists(), reason="ps counts whole seconds")
def test_cpu_time_counts_hundredths(spun: int) -> None:
    assert 0.25 < processes.cpu_seconds(spun) < 1


@pytest.mark.usefixtures("source")
def test_children_are_found(spun: int) -> None:
    assert spun in processes.descendants(os.getpid())
    assert processes.descendants(spun) == []


def test_a_process_that_rests_is_idle(spun: int) -> None:
    assert processes.wait_idle([spun], 20)
    assert not processes.wait_idle([os.getpid(), spun], 0)


@pytest.mark.parametrize(
    ("text", "seconds"), [("0:01.23", 1.23), ("00:00:07", 7), ("2-03:00:01", 2 * 86400 + 3 * 3600 + 1)]
)
def test_the_clock_of_ps(text: str, seconds: float) -> None:
    assert processes._clock(text) == pytest.approx(seconds)
