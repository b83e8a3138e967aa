"""Test the benchmarks as a person runs them, with `python -m tests.benchmarks`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest

from gradtui.runs.process import is_alive
from tests.benchmarks.__main__ import MEASUREMENTS, ON_REQUEST
from tests.benchmarks.processes import descendants

BENCH = [sys.executable, "-m", "tests.benchmarks"]


def bench(*words: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*BENCH, *words], capture_output=True, text=True, timeout=timeout)


def test_every_measurement_is_there() -> None:
    folder = Path(import_module("tests.benchmarks.measurements").__file__ or "").parent
    assert {path.stem for path in folder.glob("[a-z]*.py")} == set(MEASUREMENTS | ON_REQUEST)
    for name in MEASUREMENTS | ON_REQUEST:
        assert callable(import_module(f"tests.benchmarks.measurements.{name}").measure)


def test_benchmark_command_does_not_import_torch() -> None:
    modules = ", ".join(f"tests.benchmarks.measurements.{name}" for name in MEASUREMENTS | ON_REQUEST)
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_bad_input_is_one_line() -> None:
    done = bench("kees")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == 'gradtui: kees: no such measurement; did you mean "keys"?\n'
    assert bench("--fast").returncode == 2


def test_benchmark_json_has_the_documented_keys() -> None:
    done = bench("charts", "--quick", "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert len(figures) == 5
    for figure in figures:
        assert list(figure) == ["name", "value", "unit", "budget", "ok"]
        assert figure["value"] > 0
        assert (figure["unit"], figure["budget"], figure["ok"]) == ("ms", None, True)
    progress = done.stderr.splitlines()
    assert "cores" in progress[0]
    assert [line.partition(":")[0] for line in progress[1:]] == ["charts"]


@pytest.mark.long
def test_others_are_compared_with_where_they_are_installed() -> None:
    from tests.benchmarks.peers.kinds import KINDS, installed, missing

    done = bench("--peers", "--quick", "--json")
    assert done.returncode == 0, done.stderr
    figures = {figure["name"]: figure for figure in json.loads(done.stdout)}
    for name, kind in KINDS.items():
        assert (f"50 × 128: {kind.text}" in figures) == (name in installed())
    every_step = figures["50 × 128: gradtui, every step"]
    assert every_step["unit"] == "×"
    assert every_step["spread"][0] <= every_step["value"] <= every_step["spread"][1]
    for library in missing():
        assert library in done.stderr


@pytest.mark.long
def test_quick_benchmark_prints_every_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    done = bench("--quick", timeout=600)
    assert done.returncode == 0, done.stderr
    machine, heading, *rows = done.stdout.splitlines()
    assert "torch" in machine
    assert heading.split() == ["measured", "value", "budget"]
    assert len(rows) > 25
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == list(MEASUREMENTS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_nothing_is_left_when_it_is_interrupted(
    number: signal.Signals, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with subprocess.Popen(
        [*BENCH, "keys", "--quick"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        # Two trainers and the lab.
        started = _wait_for(lambda: descendants(process.pid), 3)
        process.send_signal(number)
        process.send_signal(number)
        assert process.wait(30) == code
    assert not [pid for pid in started if is_alive(pid, None)]
    assert list(tmp_path.iterdir()) == []


def _wait_for(look, count: int) -> list[int]:  # type: ignore[no-untyped-def]
    end = time.monotonic() + 60
    while len(found := look()) < count and time.monotonic() < end:
        time.sleep(0.02)
    return list(found)
