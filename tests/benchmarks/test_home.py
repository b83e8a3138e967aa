"""Test that files and processes of the benchmarks are gone at the end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gradtui.experiment import resolve
from gradtui.runs.folder import new_folder
from gradtui.runs.meta import RunMeta, write_meta
from gradtui.runs.process import is_alive, start_ticks
from tests.benchmarks.figures import CannotMeasure
from tests.benchmarks.home import Home


def test_benchmark_home_is_empty_and_is_removed_at_the_end() -> None:
    with Home() as home:
        environment = home.environment()
        assert environment["GRADTUI_HOME"] == str(home.path)
        assert Path(environment["TMPDIR"]).is_relative_to(home.path)
        assert list(home.runs.iterdir()) == []
    assert not home.path.exists()


def test_measured_programs_do_not_inherit_the_terminal_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "COLUMNS", "TEXTUAL_COLOR_SYSTEM"):
        monkeypatch.setenv(name, "1")
    with Home() as home:
        environment = home.environment()
    assert not {"NO_COLOR", "COLUMNS", "TEXTUAL_COLOR_SYSTEM"} & set(environment)
    assert environment["COLORTERM"] == "truecolor"


def test_a_child_ends_with_its_block_and_a_failed_one_is_said() -> None:
    with Home() as home:
        with home.running("http.server", "--bind", "127.0.0.1", "0") as child:
            assert child.poll() is None
        assert child.poll() is not None
        assert b"Python" in home.answer_of("platform") or home.answer_of("platform")
        with pytest.raises(CannotMeasure, match="ended with 1"):
            home.answer_of("no_such_module")


def test_a_trainer_ends_with_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    with Home() as home:
        folder = home.train(resolve("sigmoid-20"))
        assert folder.parent == home.runs
        (trainer,) = [pid for pid in _children() if is_alive(pid, None)]
    assert not is_alive(trainer, None)


def test_a_trainer_that_a_lab_left_behind_ends_too() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as orphan:
        with Home() as home:
            folder = new_folder(home.runs, "left")
            meta = RunMeta.of_this_process(id=folder.name, name="left")
            write_meta(
                folder,
                type(meta)(**{**_fields(meta), "pid": orphan.pid, "pid_started": start_ticks(orphan.pid)}),
            )
        end = time.monotonic() + 20
        while orphan.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        assert orphan.poll() is not None


def _fields(meta: RunMeta) -> dict[str, object]:
    return {name: getattr(meta, name) for name in meta.__struct_fields__}


def _children() -> list[int]:
    from tests.benchmarks.processes import descendants

    return descendants(os.getpid())
