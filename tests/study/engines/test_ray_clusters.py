"""Test studies on real Ray clusters of two nodes on this machine, with lost nodes and unshared folders."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gradtui.runs.control import send
from gradtui.runs.process import is_alive
from gradtui.runs.reader import Run, open_run
from gradtui.study.engines import engine_of
from gradtui.study.spec import loads
from gradtui.study.state import StudyState
from gradtui.study.study import Study, open_study
from tests.support.command_line import start, strictly
from tests.support.waiting import until

ray = pytest.importorskip("ray")

pytestmark = pytest.mark.long

STEPS = 4000
SEEDS = 4
STUDY = f"""
name = "spread"
seeds = {list(range(SEEDS))}

[base]
net = [{{ width = 16, repeat = 12, activation = "sigmoid" }}]
run = {{ steps = {STEPS}, device = "cpu", eval_every = 0, checkpoint_every = 100 }}
"""
NODE = {"num_cpus": 1, "object_store_memory": 80_000_000}


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Start two nodes of one core each; the first is the head, which stays."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
    made.add_node(**NODE)
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> list[list[float]]:
    """Return the loss of every step of each run, as the local engine trains them."""
    study = open_study(loads(STUDY), runs=tmp_path_factory.mktemp("alone") / "runs", jobs=2)
    return [losses(open_run(row.folder)) for row in settle(study).rows if row.folder is not None]


def settle(study: Study, each: Callable[[StudyState], None] = lambda state: None) -> StudyState:
    """Poll the study until it is done."""
    deadline = time.monotonic() + 150
    try:
        while not (state := study.poll()).done:
            assert time.monotonic() < deadline
            each(state)
            time.sleep(0.05)
        return state
    finally:
        study.close()


def losses(run: Run) -> list[float]:
    steps, values = run.scalars("loss")
    assert steps.tolist() == list(range(1, STEPS + 1))
    return [float(value) for value in values]


def runs(home: Path) -> list[Run]:
    """Return the runs in the order in which they were started."""
    folders = [file.parent for file in (home / "runs").glob("*/experiment.toml")]
    return [
        open_run(folder) for folder in sorted(folders, key=lambda folder: folder.name.rpartition("seed")[2])
    ]


def resumed(run: Run) -> list[int]:
    return [event["step"] for event in run.events() if event["event"] == "resumed_from"]


def midway(run: Run) -> bool:
    """Return whether a run trains and has a checkpoint to resume from."""
    return run.status.live and len(list((run.folder / "checkpoints").glob("step-*"))) > 1


def lose_a_node(cluster: Any) -> None:
    """Remove the second node as a power failure would."""
    [worker] = cluster.worker_nodes
    cluster.remove_node(worker, allow_graceful=False)


def test_lost_node_costs_a_retry_and_changes_no_number(
    home: Path, tmp_path: Path, cluster: Any, alone: list[list[float]]
) -> None:
    file = tmp_path / "spread.toml"
    file.write_text(STUDY)
    command = start(home, "study", str(file), "--engine", "ray", "--address", cluster.address, "--json")
    try:
        until(lambda: sum(midway(run) for run in runs(home)) == 2)
        lose_a_node(cluster)
        output, complaint = command.communicate(timeout=150)
    finally:
        command.kill()
    assert (command.returncode, complaint) == (0, "")
    report = strictly(output)
    assert report["status"] == "finished"
    assert [run["status"] for run in report["runs"]] == ["finished"] * SEEDS
    assert sorted(run["reason"] for run in report["runs"]) == [""] * 3 + ["retried: its machine was lost"]
    [retried] = [Path(run["run"]) for run in report["runs"] if run["reason"]]
    assert len(runs(home)) == SEEDS, "in its own folder"
    for run in runs(home):
        assert len([event for event in run.events() if event["event"] == "end"]) == 1
        assert bool(resumed(run)) == (run.folder == retried)
        assert all(step >= 100 for step in resumed(run))
    assert [losses(run) for run in runs(home)] == alone


def test_unshared_runs_are_copied_back_as_they_are_written(
    home: Path, monkeypatch: pytest.MonkeyPatch, cluster: Any, alone: list[list[float]]
) -> None:
    monkeypatch.setattr("gradtui.study.engines.ray_engine.token_of", lambda root: "of another folder")
    copies = {*Path(tempfile.gettempdir()).glob("gradtui-*/*-spread-seed-*")}
    died: list[StudyState] = []
    seen: set[str] = set()

    def look(state: StudyState) -> None:
        seen.update(row.key for row in state.rows if row.live and row.step)
        if not died and sum(midway(run) for run in runs(home)) == 2:
            lose_a_node(cluster)
            died.append(state)

    study = open_study(loads(STUDY), engine=engine_of("ray", address=cluster.address))
    state = settle(study, look)
    assert died
    assert state.status == "finished"
    assert len(seen) == SEEDS, "each was seen while it trained"
    [retried] = [row for row in state.rows if row.reason]
    assert retried.reason == "retried: its machine was lost"
    for row, run in zip(state.rows, runs(home), strict=True):
        assert row.folder == run.folder
        assert [step >= 100 for step in resumed(run)] == ([True] if row is retried else [])
        assert list((run.folder / "checkpoints").glob(f"step-*{STEPS}.safetensors"))
    assert [losses(run) for run in runs(home)] == alone
    left = {*Path(tempfile.gettempdir()).glob("gradtui-*/*-spread-seed-*")} - copies
    assert {copy.name for copy in left} <= {retried.folder.name if retried.folder else ""}, (
        "but on the node that died"
    )


def test_stop_reaches_unshared_runs_and_they_are_resumed_elsewhere(
    home: Path, monkeypatch: pytest.MonkeyPatch, alone: list[list[float]]
) -> None:
    """The cluster is made of this machine and ends with the study."""
    monkeypatch.setattr("gradtui.study.engines.ray_engine.token_of", lambda root: "of another folder")
    first = open_study(loads(STUDY), jobs=2, engine=engine_of("ray", listen=True))

    paused: set[Path] = set()

    def look(state: StudyState) -> None:
        begun = runs(home)
        for run in begun:
            if run.folder not in paused:
                # Before its copy leaves, so that the run cannot end before anything else is asked for.
                paused.add(run.folder)
                send(run.folder, "pause")
            elif run.status.state == "paused" and run.steps < 3:
                send(run.folder, "step")
        if len(begun) == 2 and all(run.steps >= 3 for run in begun):
            first.stop()

    state = settle(first, look)
    assert not ray.is_initialized()
    assert state.status == "stopped"
    assert {row.state for row in state.rows} == {"stopped"}
    stopped = [run.steps for run in runs(home)]
    assert len(stopped) == 2
    assert all(3 <= steps < STEPS for steps in stopped)
    state = settle(open_study(loads(STUDY), jobs=2, engine=engine_of("ray", listen=True)))
    assert state.status == "finished"
    assert [resumed(run) for run in runs(home)] == [[stopped[0]], [stopped[1]], [], []]
    assert [losses(run) for run in runs(home)] == alone


def test_kill_9_ends_all_trainers_and_the_same_command_repeats_nothing(
    home: Path, tmp_path: Path, alone: list[list[float]]
) -> None:
    file = tmp_path / "spread.toml"
    file.write_text(STUDY)
    command = ["study", str(file), "--engine", "ray", "--ray-listen", "--jobs", "2", "--json"]
    first = start(home, *command)
    until(
        lambda: (
            sum(midway(run) for run in runs(home)) == 2
            and any(run.status.state == "finished" for run in runs(home))
        )
    )
    first.kill()
    first.wait()
    finished = {run.folder: run.events() for run in runs(home) if run.status.state == "finished"}
    # At once: trainers that are about to end with their cluster are waited for.
    second = start(home, *command)
    output, complaint = second.communicate(timeout=150)
    assert (second.returncode, complaint) == (0, "")
    assert strictly(output)["status"] == "finished"
    assert len(runs(home)) == SEEDS
    for run in runs(home):
        if run.folder in finished:
            assert run.events() == finished[run.folder], "not touched again"
        # One that was about to finish may have come to it before its cluster was gone.
        assert len(resumed(run)) <= 1
        assert [event["status"] for event in run.events() if event["event"] == "end"].count("finished") == 1
        assert run.meta is not None
        assert not is_alive(run.meta.pid, run.meta.pid_started)
    assert any(resumed(run) for run in runs(home))
    assert [losses(run) for run in runs(home)] == alone


def test_sigterm_stops_the_runs_and_does_not_end_in_ray(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "spread.toml"
    file.write_text(STUDY)
    command = start(home, "study", str(file), "--engine", "ray", "--ray-listen", "--jobs", "2", "--json")
    until(lambda: sum(midway(run) for run in runs(home)) == 2)
    os.kill(command.pid, signal.SIGTERM)
    output, complaint = command.communicate(timeout=90)
    assert (command.returncode, complaint) == (128 + signal.SIGTERM, "")
    assert strictly(output)["status"] == "stopped"
    assert not any(run.status.live for run in runs(home))
