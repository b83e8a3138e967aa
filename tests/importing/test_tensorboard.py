"""Test event files that the writers of torch and TensorBoard wrote."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from gradtui import open_run
from gradtui.diagnosis import diagnose, evidence_of
from gradtui.importing.load import load
from gradtui.importing.log import ImportFailed
from gradtui.runs.export.export import export
from gradtui.runs.reader import Run
from tests.support.exported_run import made_run

pytest.importorskip("tensorboard")


def imported(path: Path, root: Path) -> Run:
    (one,) = load(path, root)
    assert one.folder is not None
    return open_run(one.folder)


def training(steps: int = 12):  # type: ignore[no-untyped-def]
    """A net of three layers after each backward pass: (step, net, loss)."""
    torch.manual_seed(0)
    sizes = (8, 16, 16, 2)
    net = torch.nn.Sequential(*(torch.nn.Linear(a, b) for a, b in pairwise(sizes)))
    optimizer = torch.optim.SGD(net.parameters(), 0.05)
    for step in range(steps):
        optimizer.zero_grad()
        loss = net(torch.randn(32, 8)).square().mean()
        torch.autograd.backward(loss)
        yield step, net, loss.item()
        optimizer.step()


def layer_norms(net: torch.nn.Sequential) -> list[float]:
    return [
        float(torch.cat([p.grad.double().flatten() for p in layer.parameters()]).norm())  # type: ignore[union-attr]
        for layer in net
    ]


def writer_for(folder: Path):  # type: ignore[no-untyped-def]
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder))


def test_norms_logged_by_parameter_as_lightning_names_them(tmp_path: Path) -> None:
    writer, expected = writer_for(tmp_path / "old"), []
    for step, net, loss in training():
        writer.add_scalar("train_loss_step", loss, step)
        for name, p in net.named_parameters():
            assert p.grad is not None
            writer.add_scalar(f"grad_2.0_norm/{name}", p.grad.norm(), step)
        writer.add_scalar(
            "grad_2.0_norm_total", torch.nn.utils.get_total_norm([p.grad for p in net.parameters()]), step
        )
        expected.append([loss, *layer_norms(net)])
    writer.close()
    run = imported(tmp_path / "old", tmp_path / "runs")
    assert (run.name, run.layer_names, run.status.state) == ("old", ["0", "1", "2"], "finished")
    # The script counted its steps from 0.
    steps, norms = run.layers("grad_norm")
    assert steps.tolist() == list(range(1, 13))
    np.testing.assert_allclose(norms, np.array(expected)[:, 1:], rtol=1e-5)
    np.testing.assert_allclose(run.scalars("loss")[1], np.array(expected)[:, 0], rtol=1e-6)
    np.testing.assert_allclose(
        run.scalars("grad_norm")[1], np.linalg.norm(np.array(expected)[:, 1:], axis=1), rtol=1e-5
    )
    assert run.meta is not None
    assert (run.meta.kind, run.meta.data["source"], run.meta.data["steps_added"]) == (
        "script",
        "TensorBoard",
        1,
    )
    assert diagnose(evidence_of(run)) == []


def test_histograms_of_gradients_tell_the_norms_exactly(tmp_path: Path) -> None:
    writer, expected = writer_for(tmp_path / "old"), []
    for step, net, loss in training():
        writer.add_scalar("loss", loss, step + 1)
        for name, p in net.named_parameters():
            writer.add_histogram(f"{name}.grad", p.grad, step + 1)
            writer.add_histogram(name, p, step + 1)
        expected.append(layer_norms(net))
    writer.close()
    run = imported(tmp_path / "old", tmp_path / "runs")
    np.testing.assert_allclose(run.layers("grad_norm")[1], expected, rtol=1e-5)
    assert run.meta is not None
    assert [layer.parameters for layer in run.meta.layers] == [8 * 16 + 16, 16 * 16 + 16, 16 * 2 + 2]
    assert run.meta.data["gradients"] == "from sums of squares of histograms"
    assert run.meta.data["left_out"] == ["histograms of other things (72)"]


def test_histograms_of_tensors_tell_them_roughly_and_it_says_so(tmp_path: Path) -> None:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.plugins.histogram.summary_v2 import histogram_pb
    from tensorboard.plugins.scalar.summary_v2 import scalar_pb
    from tensorboard.summary.writer.record_writer import RecordWriter

    expected = []
    with (tmp_path / "events.out.tfevents.1.host").open("wb") as file:
        records = RecordWriter(file)
        for step, net, loss in training():
            for name, p in net.named_parameters():
                assert p.grad is not None
                summary = histogram_pb(f"gradients/{name}", p.grad.numpy())
                records.write(Event(step=step, wall_time=1e9 + step, summary=summary).SerializeToString())
            event = Event(step=step, wall_time=1e9 + step, summary=scalar_pb("loss", loss))
            records.write(event.SerializeToString())
            expected.append(layer_norms(net))
    run = imported(tmp_path, tmp_path / "runs")
    np.testing.assert_allclose(run.layers("grad_norm")[1], expected, rtol=0.05)
    assert run.scalars("time")[1].tolist() == [1e9 + step for step in range(12)]
    assert run.meta is not None
    assert run.meta.data["gradients"] == "estimated from bins of histograms"


def test_a_run_of_gradtui_is_imported_unchanged(tmp_path: Path) -> None:
    run = made_run(tmp_path / "made")
    export(run, "tensorboard", tmp_path / "out")
    again = imported(tmp_path / "out", tmp_path / "runs")
    assert again.layer_names == run.layer_names
    assert again.metrics == run.metrics
    for measure in run.metrics:
        for one, other in zip(run.layers(measure), again.layers(measure), strict=True):
            np.testing.assert_array_equal(one, other)
    for name in ("time", "loss", "accuracy", "lr"):
        np.testing.assert_array_equal(run.scalars(name)[1], again.scalars(name)[1])
    figures = [
        [e["step"], e["train_loss"], e["test_accuracy"]] for e in again.events() if e["event"] == "evaluation"
    ]
    assert figures == [[30, 0.5, 0.75], [60, 0.5, 0.75]]


def test_sub_folders_are_runs_of_their_own_and_a_torn_file_is_read_as_far_as_it_is_whole(
    tmp_path: Path,
) -> None:
    export(made_run(tmp_path / "made"), "tensorboard", tmp_path / "old" / "a")
    whole = next((tmp_path / "old" / "a").iterdir()).read_bytes()
    (tmp_path / "old" / "b" / "c").mkdir(parents=True)
    (tmp_path / "old" / "b" / "c" / "events.out.tfevents.2").write_bytes(whole[: len(whole) // 3])
    first, second = load(tmp_path / "old", tmp_path / "runs", "mine")
    assert first.folder is not None
    assert second.folder is not None
    runs = [open_run(first.folder), open_run(second.folder)]
    assert [run.name for run in runs] == ["mine/a", "mine/b/c"]
    assert runs[0].steps == 60
    assert 5 < runs[1].steps < 60
    assert any(entry.startswith("bytes after the last complete record (") for entry in second.tables.left)


def test_a_log_without_gradients_makes_no_run(tmp_path: Path) -> None:
    writer = writer_for(tmp_path / "old")
    writer.add_scalar("loss", 1.0, 0)
    writer.close()
    (one,) = load(tmp_path / "old", tmp_path / "runs")
    assert one.folder is None
    assert not (tmp_path / "runs").exists()


def test_a_folder_of_runs_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    export(made_run(tmp_path / "made"), "tensorboard", tmp_path / "old")
    (tmp_path / "file").touch()
    with pytest.raises(ImportFailed, match=r"file: (File exists|Not a directory)"):
        list(load(tmp_path / "old", tmp_path / "file"))
