"""Test runs that are resumed in this process: from where, with what changes and events."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from gradtui.experiment import Experiment, set_fields, to_dict
from gradtui.runs.control import ControlReader, send
from gradtui.runs.folder import record_size, table_path
from gradtui.runs.meta import read_meta
from gradtui.runs.reader import Run, open_run
from gradtui.runs.status import read_status
from gradtui.runs.writer import RunWriter
from gradtui.training import controls
from gradtui.training.checkpoints.files import checkpoint_path, list_checkpoints
from gradtui.training.checkpoints.restoring import later_changes
from gradtui.training.checkpoints.tensors import CheckpointError
from gradtui.training.controls import Ending, StopRequest
from gradtui.training.run import train
from tests.support.trainings import small, trained
from tests.training.checkpoints.conftest import written_at_once

pytestmark = pytest.mark.usefixtures("at_once")

EXP = small(
    run__steps=40,
    run__checkpoint_every=10,
    run__eval_every=8,
    net__0__norm="batch",
    optimizer__momentum=0.9,
    optimizer__schedule="cosine",
)


def resumed(folder: Path, exp: Experiment = EXP) -> tuple[Run, Ending]:
    """Take a run up as the trainer's process does, but for the event of the end."""
    meta = replace(read_meta(folder), steps=exp.run.steps, experiment=to_dict(exp))
    ending = train(folder, exp, meta, StopRequest(), commands=ControlReader(folder, skip_old=True))
    return open_run(folder), ending


def cut_back(folder: Path, step: int) -> None:
    """As if the process had been killed before it wrote a checkpoint of a later step."""
    for at, path in list_checkpoints(folder):
        if at > step:
            path.unlink()


def assert_same_history(run: Run, other: Run) -> None:
    for name in ("loss", "accuracy", "lr", "grad_norm", "grad_norm_clipped"):
        for ours, theirs in zip(run.scalars(name), other.scalars(name), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(run.layers("grad_norm"), other.layers("grad_norm"), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    final = [
        path.read_bytes() for _, path in (list_checkpoints(run.folder)[0], list_checkpoints(other.folder)[0])
    ]
    assert final[0] == final[1], "weights, norms' buffers, the optimizer's state, all of it"


def story(run: Run, *kinds: str) -> list[dict[str, Any]]:
    return [{**event} for event in run.events() if event["event"] in kinds]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that was never interrupted; its checkpoints are those of steps 20, 30 and 40."""
    with written_at_once():
        return trained(tmp_path_factory.mktemp("runs") / "whole", EXP)[0]


@pytest.fixture
def copy(whole: Run, tmp_path: Path) -> Path:
    """The same run, to be spoiled."""
    return Path(shutil.copytree(whole.folder, tmp_path / "copy"))


def test_run_resumed_from_a_checkpoint_ends_bit_identical(whole: Run, copy: Path) -> None:
    cut_back(copy, 20)
    run, ending = resumed(copy)
    assert ending == ("finished", "")
    assert_same_history(run, whole)
    told = story(run, "rewound", "resumed_from")
    assert [(event["event"], event["step"]) for event in told] == [("rewound", 20), ("resumed_from", 20)]
    assert told[1]["path"] == "checkpoints/step-000000020.safetensors"
    losses = [event["test_loss"] for event in story(whole, "evaluation")]
    log = [(event["step"], event["test_loss"]) for event in story(run, "evaluation")]
    assert [loss for step, loss in log if step > 20][-3:] == losses[-3:]


def test_run_without_checkpoint_begins_anew(tmp_path: Path) -> None:
    exp = set_fields(EXP, {"cures.pretrain.kind": "autoencoder", "cures.pretrain.epochs": 2})
    first, _ = trained(tmp_path / "run", exp)
    other = Path(shutil.copytree(first.folder, tmp_path / "copy"))
    cut_back(other, -1)
    run, _ = resumed(other, exp)
    assert_same_history(run, first)
    assert story(run, "resumed_from")[0]["path"] == ""
    assert len(story(run, "pretrain")) == 2 * len(story(first, "pretrain"))


def test_resumed_run_does_not_pretrain_again(tmp_path: Path) -> None:
    exp = set_fields(EXP, {"cures.pretrain.kind": "autoencoder", "cures.pretrain.epochs": 2})
    exp = set_fields(exp, {"run.steps": 9})
    first, _ = trained(tmp_path / "run", exp)
    other = Path(shutil.copytree(first.folder, tmp_path / "copy"))
    cut_back(other, 0)
    run, _ = resumed(other, exp)
    assert_same_history(run, first)
    assert story(run, "resumed_from")[0]["step"] == 0
    assert len(story(run, "pretrain")) == len(story(first, "pretrain"))


@pytest.mark.parametrize(
    "spoil", [lambda path: path.write_bytes(b"torn"), lambda path: path.write_bytes(b"")]
)
def test_unreadable_newest_checkpoint_is_skipped(
    whole: Run, copy: Path, spoil: Callable[[Path], Any]
) -> None:
    spoil(checkpoint_path(copy, 40))
    run, _ = resumed(copy)
    assert_same_history(run, whole)
    (event,) = story(run, "checkpoint_unreadable")
    assert str(checkpoint_path(copy, 40)) in event["reason"]
    assert story(run, "resumed_from")[0]["step"] == 30


def test_resuming_fails_where_no_checkpoint_can_be_read(copy: Path) -> None:
    for _, path in list_checkpoints(copy):
        path.write_bytes(b"torn")
    with pytest.raises(
        CheckpointError, match=r"step-000000040\.safetensors: is not a complete safetensors file"
    ):
        resumed(copy)
    assert open_run(copy).steps == 40, "what was recorded is left as it is"


def test_checkpoint_with_all_rows_is_preferred_to_a_newer_one(whole: Run, copy: Path) -> None:
    """After a power cut a table may end before the newest checkpoint; here with a torn row, too."""
    table = table_path(copy, "grad_norm")
    table.write_bytes(table.read_bytes()[: 33 * record_size(len(whole.layer_names)) + 5])
    run, _ = resumed(copy)
    assert story(run, "resumed_from")[0]["step"] == 30
    assert_same_history(run, whole)


def test_a_finished_run_can_be_extended(whole: Run, copy: Path) -> None:
    longer = set_fields(EXP, {"run.steps": 60, "optimizer.schedule": "cosine"})
    run, ending = resumed(copy, longer)
    assert ending == ("finished", "")
    assert run.steps == 60
    assert run.meta is not None
    assert (run.meta.steps, run.meta.started) == (60, whole.meta and whole.meta.started)
    np.testing.assert_array_equal(run.scalars("loss")[1][:40], whole.scalars("loss")[1])


@pytest.mark.parametrize(
    ("change", "named"),
    [({"seed": 3}, "seed"), ({"optimizer.kind": "adam"}, "optimizer.kind"), ({"net.0.width": 8}, "net")],
)
def test_resuming_another_experiment_is_refused(copy: Path, change: dict[str, Any], named: str) -> None:
    with pytest.raises(CheckpointError, match=rf"was trained with another {named}"):
        resumed(copy, set_fields(EXP, change))


class Viewer:
    """Commands sent when a certain step is done, and a process that is killed at another."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(controls, "POLL_SECONDS", 0.0)
        self.script: dict[int, tuple[str, dict[str, Any]]] = {}
        real = controls.Controls.poll

        def look(this: controls.Controls) -> None:
            command = self.script.pop(this._session.step, None)
            if command:
                send(this._writer.folder, command[0], **command[1])  # type: ignore[arg-type]
            real(this)

        monkeypatch.setattr(controls.Controls, "poll", look)


def test_changes_in_mid_run_are_kept_and_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    viewer = Viewer(monkeypatch)
    changes = {
        5: ("set", {"set": {"optimizer.lr": 0.03, "optimizer.momentum": 0.5}}),
        25: ("set", {"set": {"cures.clip_norm": 0.01, "optimizer.lr": 0.2}}),
    }
    viewer.script = dict(changes)
    first, _ = trained(tmp_path / "run", EXP)
    other = Path(shutil.copytree(first.folder, tmp_path / "copy"))
    cut_back(other, 20)
    assert list_checkpoints(other)[0][0] == 20
    run, _ = resumed(other)
    assert_same_history(run, first)
    sets = [(event["step"], event.get("repeated", False)) for event in story(run, "control")]
    assert sets == [(5, False), (25, False), (25, True)]


def test_new_change_replaces_changes_to_be_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    viewer = Viewer(monkeypatch)
    viewer.script = {25: ("set", {"set": {"optimizer.lr": 0.2}})}
    first, _ = trained(tmp_path / "run", EXP)
    cut_back(first.folder, 20)
    viewer.script = {22: ("set", {"set": {"cures.clip_norm": 1.0}})}
    run, _ = resumed(first.folder)
    assert [(event["step"], event["set"]) for event in story(run, "control")] == [
        (25, {"optimizer.lr": 0.2}),
        (22, {"cures.clip_norm": 1.0}),
    ]
    assert later_changes(run.events(), 20) == [(22, {"cures.clip_norm": 1.0})]
    assert later_changes(run.events(), 23) == []


def test_repeated_changes_are_repeated_when_resumed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = Viewer(monkeypatch)
    viewer.script = {25: ("set", {"set": {"optimizer.lr": 0.2}}), 28: ("set", {"set": {"cures.l2": 0.1}})}
    first, _ = trained(tmp_path / "run", EXP)
    other = Path(shutil.copytree(first.folder, tmp_path / "copy"))
    for _ in range(2):
        cut_back(other, 20)
        run, _ = resumed(other)
        assert_same_history(run, first)


def test_run_killed_while_paused_resumes_unpaused(copy: Path) -> None:
    cut_back(copy, 20)
    writer = RunWriter(copy, {})
    writer.event("paused", 25)
    writer.close()
    assert read_status(copy).state == "paused"
    _, ending = resumed(copy)
    assert ending == ("finished", "")
    assert read_status(copy).state == "running", "only the end is missing, which the process would say"
