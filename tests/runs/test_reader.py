"""Test the reader of a run folder."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import numpy as np
import pytest

import gradtui
from gradtui.experiment import Experiment, dumps, to_dict
from gradtui.runs.errors import RunError
from gradtui.runs.meta import LayerMeta, RunMeta, TableMeta, write_meta
from gradtui.runs.reader import open_run
from gradtui.runs.writer import RunWriter
from tests.support.run_folders import columns_of, describe, write_rows


def test_numbers_are_read_as_arrays(tmp_path: Path) -> None:
    describe(tmp_path)
    scalars = np.array([[2.3, 0.1, 0.01], [np.nan, 0.2, 0.01]], np.float32)
    gradients = np.array([[1e-30, 1, 1e25], [np.inf, np.nan, 0]], np.float32)
    write_rows(tmp_path, {"scalars": scalars, "grad_norm": gradients})
    run = gradtui.open_run(tmp_path)
    steps, loss = run.scalars("loss")
    assert steps.tolist() == [1, 2]
    np.testing.assert_array_equal(loss, scalars[:, 0])
    steps, times = run.scalars("time")
    assert times.tolist() == [1e9 + 0.01, 1e9 + 0.02]
    steps, matrix = run.layers("grad_norm")
    assert steps.tolist() == [1, 2]
    np.testing.assert_array_equal(matrix, gradients)
    assert run.layer_names == ["dense1", "dense2", "dense3"]
    assert run.scalar_names == ["loss", "accuracy", "lr"]
    assert run.metrics == ["grad_norm"]
    assert (run.name, run.steps, run.status.step) == ("a test", 2, 2)


def test_reader_sees_new_rows_of_a_run(tmp_path: Path) -> None:
    meta = describe(tmp_path)
    run = open_run(str(tmp_path))
    assert run.scalars("loss")[0].size == 0
    writer = RunWriter(tmp_path, columns_of(meta))
    for step in (1, 2, 3):
        writer.append("scalars", step, [step, 0, 0])
        writer.event("phase", step, phase="training")
        writer.flush()
        assert run.scalars("loss")[1].tolist() == list(range(1, step + 1))
        assert len(run.events()) == run.steps == step
    writer.close()


def test_a_run_is_open_before_the_trainer_begins(tmp_path: Path) -> None:
    (tmp_path / "experiment.toml").write_text(dumps(Experiment(name="soon")))
    run = open_run(tmp_path)
    assert (run.meta, run.name, run.status.state, run.steps) == (None, "soon", "starting", 0)
    assert run.layer_names == run.events() == run.findings == run.log_tail() == run.metrics == []
    assert run.layers("grad_norm")[1].shape == (0, 0)
    assert run.scalars("loss")[1].shape == run.scalars("time")[1].shape == (0,)
    # First it says only who it is …
    write_meta(tmp_path, RunMeta.of_this_process(id="x", name="now"))
    assert (run.name, run.layers("grad_norm")[1].shape) == ("now", (0, 0))
    # … and, when the net is built, what of.
    describe(tmp_path)
    write_rows(tmp_path, {"grad_norm": np.ones((2, 3), np.float32)})
    assert run.layers("grad_norm")[1].shape == (2, 3)


def test_the_experiment_is_the_one_that_was_trained(tmp_path: Path) -> None:
    (tmp_path / "experiment.toml").write_text(dumps(Experiment(name="wish")))
    run = open_run(tmp_path)
    assert run.experiment == Experiment(name="wish")
    describe(tmp_path, experiment=to_dict(Experiment(name="trained")))
    assert run.experiment == Experiment(name="trained")
    describe(tmp_path, experiment={"of": "another version"})
    assert run.experiment is None
    (tmp_path / "experiment.toml").unlink()
    describe(tmp_path, experiment=None)
    assert run.experiment is None


def test_what_is_not_recorded_is_named_in_one_line(tmp_path: Path) -> None:
    describe(tmp_path)
    run = open_run(tmp_path)
    with pytest.raises(RunError, match="no scalar 'los'; recorded: loss, accuracy, lr"):
        run.scalars("los")
    with pytest.raises(RunError, match="no metric 'dead_fraction'; recorded: scalars, grad_norm"):
        run.layers("dead_fraction")


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (None, "no such folder"),
        ({}, "not a run"),
        ({"run.json": b"{"}, "run.json"),
        ({"run.json": b""}, "run.json"),
        ({"notes.txt": b""}, "not a run"),
    ],
)
def test_a_folder_that_is_no_run_is_named_in_one_line(
    tmp_path: Path, files: dict[str, bytes] | None, says: str
) -> None:
    folder = tmp_path / "x"
    if files is not None:
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
    with pytest.raises(RunError) as caught:
        open_run(folder)
    text = str(caught.value)
    assert str(folder) in text
    assert says in text
    assert "\n" not in text


def test_last_good_meta_is_kept_when_run_json_becomes_corrupt(tmp_path: Path) -> None:
    meta = describe(tmp_path)
    run = open_run(tmp_path)
    (tmp_path / "run.json").write_text("{")
    assert run.meta == meta
    write_meta(tmp_path, msgspec.structs.replace(meta, name="again"))
    assert run.name == "again"
    (tmp_path / "run.json").unlink()
    assert run.name == "again"


def test_time_lags_are_columns_like_layers(tmp_path: Path) -> None:
    write_meta(
        tmp_path,
        RunMeta.of_this_process(
            id="x",
            name="x",
            layers=(LayerMeta("rnn1"),),
            tables={"hidden_grad": TableMeta(("0", "1", "2", "3"), "lags")},
        ),
    )
    write_rows(tmp_path, {"hidden_grad": np.ones((2, 4), np.float32)})
    run = open_run(tmp_path)
    assert run.layers("hidden_grad")[1].shape == (2, 4)
    assert run.metrics == ["hidden_grad"]


def test_findings_and_the_log_are_read(tmp_path: Path) -> None:
    describe(tmp_path)
    writer = RunWriter(tmp_path, {})
    writer.event(
        "finding", 12, code="vanishing", severity="critical", layers=["dense1"], evidence="…", cures=[]
    )
    writer.close()
    (tmp_path / "trainer.log").write_bytes(b"one\ntwo\xff\nthree\n")
    run = open_run(tmp_path)
    assert [(finding["code"], finding["step"]) for finding in run.findings] == [("vanishing", 12)]
    assert run.log_tail(2) == ["two\ufffd", "three"]
    assert run.log_tail(0) == []
    (tmp_path / "trainer.log").write_bytes(b"x" * 100_000 + b"\nlast")
    assert run.log_tail(1) == ["last"]


def test_a_relative_path_stays_right_when_the_process_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    describe(tmp_path / "run")
    write_rows(tmp_path / "run", {"grad_norm": np.ones((2, 3), np.float32)})
    monkeypatch.chdir(tmp_path)
    run = open_run("run")
    os.chdir("/")
    assert run.steps == 2
