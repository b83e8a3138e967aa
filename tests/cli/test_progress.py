"""Test that the progress of a training names the phase, the share that is done, and a few figures."""

from __future__ import annotations

from pathlib import Path

from gradtui.commands.run import training_progress
from gradtui.runs.follower import Follower
from gradtui.runs.meta import RunMeta, TableMeta, write_meta
from gradtui.runs.reader import open_run
from gradtui.runs.writer import RunWriter


def test_progress_of_pretraining_says_layer_epoch_and_error(tmp_path: Path) -> None:
    tables = {"scalars": TableMeta(("loss",), "scalars")}
    write_meta(tmp_path, RunMeta.of_this_process(id="x", name="x", tables=tables, steps=100))
    writer = RunWriter(tmp_path, {"scalars": ("loss",)})
    follower = Follower(open_run(tmp_path))

    def line() -> tuple[tuple[int, int], str]:
        writer.flush()
        snapshot = follower.poll()
        assert snapshot is not None
        progress = training_progress(snapshot)
        assert progress.total is not None
        return (int(progress.done), int(progress.total)), progress.figures

    at = {"phase": "pretraining", "layers": 5, "epochs": 8}
    writer.event("phase", 0, layer=1, epoch=1, **at)
    assert line() == ((0, 40), "layer 1/5  epoch 1/8")
    writer.event("pretrain", 0, layer=1, epoch=1, reconstruction_error=0.0512345)
    writer.event("phase", 0, layer=3, epoch=2, **at)
    assert line() == ((17, 40), "layer 3/5  epoch 2/8  error 0.05123")
    writer.event("phase", 0, phase="training")
    writer.append("scalars", 7, [0.5])
    writer.flush()
    snapshot = follower.poll()
    assert snapshot is not None
    assert training_progress(snapshot).figures == "step 7/100  loss 0.5"
    writer.close()
