"""Test that a killed study keeps what was trained and trains nothing twice, with real processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from gradtui.runs.process import is_alive
from gradtui.runs.reader import Run, open_run
from gradtui.study.study_folder import StudyIndex
from tests.support.command_line import start, strictly
from tests.support.waiting import until

pytestmark = pytest.mark.long

SEEDS = 5
STUDY = f"""
name = "killed"
seeds = {list(range(SEEDS))}

[base]
net = [{{ width = 16, repeat = 12, activation = "sigmoid" }}]
run = {{ steps = 1000, device = "cpu", eval_every = 0, checkpoint_every = 100 }}
"""


@pytest.fixture
def study(home: Path, tmp_path: Path) -> Iterator[Callable[[], Popen[str]]]:
    """Starts the command; nothing of it outlives the test, even one that fails."""
    file = tmp_path / "killed.toml"
    file.write_text(STUDY)
    begun: list[Popen[str]] = []

    def begin() -> Popen[str]:
        begun.append(start(home, "study", str(file), "--jobs", "2", "--json"))
        return begun[-1]

    yield begin
    for process in begun:
        process.kill()
        process.wait()
    for pid in trainers(home):
        os.kill(pid, signal.SIGKILL)


def runs(home: Path) -> list[Run]:
    return [open_run(file.parent) for file in sorted((home / "runs").glob("*/experiment.toml"))]


def trainers(home: Path) -> set[int]:
    metas = [run.meta for run in runs(home)]
    return {meta.pid for meta in metas if meta is not None and is_alive(meta.pid, meta.pid_started)}


def in_the_middle(home: Path) -> bool:
    """Return whether one run has finished, and two others train and have a checkpoint."""
    there = runs(home)
    live = [run for run in there if run.status.live and list((run.folder / "checkpoints").glob("step-*"))]
    return len(live) == 2 and any(run.status.state == "finished" for run in there)


def ends(run: Run) -> list[dict[str, Any]]:
    return [event for event in run.events() if event["event"] == "end"]


def check(home: Path, again: Popen[str]) -> dict[str, Any]:
    output, complaint = again.communicate(timeout=120)
    assert (again.returncode, complaint) == (0, "")
    report: dict[str, Any] = strictly(output)
    assert report["status"] == "finished"
    assert len(report["runs"]) == SEEDS
    assert {run["status"] for run in report["runs"]} == {"finished"}
    assert {run["run"] for run in report["runs"]} == {str(run.folder) for run in runs(home)}, (
        "no run beside them"
    )
    assert {run["steps"] for run in report["runs"]} == {1000}
    return report


def test_trainers_that_survive_are_followed_and_no_run_is_trained_twice(
    home: Path, study: Callable[[], Popen[str]]
) -> None:
    first = study()
    until(lambda: in_the_middle(home))
    first.kill()
    first.wait()
    survivors = {run.folder for run in runs(home) if run.status.live}
    assert survivors, "its trainers go on"
    report = check(home, study())
    for run in runs(home):
        assert len(ends(run)) == 1
        assert not [event for event in run.events() if event["event"] == "resumed_from"]
        steps, _ = run.scalars("loss")
        assert steps.tolist() == list(range(1, 1001))
    assert survivors <= {Path(run["run"]) for run in report["runs"]}
    until(lambda: not trainers(home))


def test_after_a_power_cut_runs_resume_from_their_newest_checkpoints(
    home: Path, study: Callable[[], Popen[str]]
) -> None:
    first = study()
    until(lambda: in_the_middle(home))
    first.kill()
    cut = {run.folder for run in runs(home) if run.status.live}
    for pid in trainers(home):
        os.kill(pid, signal.SIGKILL)
    first.wait()
    finished = {run.folder: ends(run) for run in runs(home) if ends(run)}
    check(home, study())
    for run in runs(home):
        resumed = [event["step"] for event in run.events() if event["event"] == "resumed_from"]
        if run.folder in finished:
            assert ends(run) == finished[run.folder], "not touched again"
        elif run.folder in cut:
            assert len(resumed) == 1
            assert resumed[0] >= 100
        steps, losses = run.scalars("loss")
        assert steps.tolist() == list(range(1, 1001))
        assert len(losses) == 1000


def test_ctrl_c_stops_all_runs_and_the_same_command_resumes_them(
    home: Path, study: Callable[[], Popen[str]]
) -> None:
    first = study()
    until(lambda: in_the_middle(home))
    first.send_signal(signal.SIGINT)
    output, complaint = first.communicate(timeout=60)
    assert (first.returncode, complaint) == (130, "")
    stopped = strictly(output)
    assert stopped["status"] == "stopped"
    until(lambda: not trainers(home))
    folder = Path(stopped["study"])
    before = StudyIndex(folder).read()
    check(home, study())
    after = StudyIndex(folder).read()
    assert {key: after[key] for key in before} == dict(before)


def test_a_second_command_follows_the_study_of_the_first(home: Path, study: Callable[[], Popen[str]]) -> None:
    first = study()
    until(lambda: any(run.status.live for run in runs(home)))
    second = study()
    check(home, second)
    check(home, first)
