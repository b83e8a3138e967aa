"""Test that the CPU time, memory and children of another process are those that it used."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.benchmarks import processes

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


def test_cpu_time_and_memory_of_a_process(spun: int) -> None:
    assert 0.25 < processes.cpu_seconds(spun) < 1
    assert 50 < processes.memory_mb(spun) < 500


def test_descendants_of_a_process_are_found(spun: int) -> None:
    assert spun in processes.descendants(os.getpid())
    assert processes.descendants(spun) == []


def test_a_process_that_rests_is_idle(spun: int) -> None:
    assert processes.wait_idle([spun], 20)
    assert not processes.wait_idle([os.getpid(), spun], 0)


def test_a_process_that_is_gone_has_used_nothing_and_has_no_children() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    assert processes.cpu_seconds(child.pid) == 0
    assert processes.descendants(child.pid) == []
