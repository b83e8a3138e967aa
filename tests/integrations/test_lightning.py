"""The callback in Lightning records the numbers of plain autograd."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

pytest.importorskip("lightning")

from lightning.pytorch import Trainer

import gradtui
from gradtui.integrations.lightning import GradtuiCallback
from gradtui.monitor.guard import WatchWarning
from tests.integrations.material import BATCH, LR, examples, plain
from tests.support.lightning_model import Classifier


def trainer(folder: Path, callback: GradtuiCallback, **options: object) -> Trainer:
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    return Trainer(
        accelerator="cpu", max_epochs=1, default_root_dir=folder, callbacks=[callback],
        enable_model_summary=False, **quiet, **options,
    )  # fmt: skip


def loader() -> DataLoader:
    return DataLoader(TensorDataset(*examples()), batch_size=BATCH)


@pytest.mark.parametrize("clip", [None, 0.3])
@pytest.mark.parametrize("accumulate", [1, 3])
def test_the_numbers_are_those_of_plain_autograd(
    tmp_path: Path, accumulate: int, clip: float | None, recwarn: pytest.WarningsRecorder
) -> None:
    model = Classifier()
    truth = plain(model.net, accumulate, clip)
    callback = GradtuiCallback(runs=tmp_path / "runs", budget=None)
    options = {"accumulate_grad_batches": accumulate, "gradient_clip_val": clip}
    trainer(tmp_path, callback, **options).fit(model, loader())
    assert not [w for w in recwarn if issubclass(w.category, WatchWarning)]
    assert callback.probe.run is not None
    run = gradtui.open_run(callback.probe.run)
    assert run.layer_names == ["net.0", "net.2", "net.4"]
    np.testing.assert_allclose(run.layers("grad_norm")[1], truth.layers, rtol=1e-4)
    np.testing.assert_allclose(run.scalars("grad_norm")[1], truth.total, rtol=1e-4)
    # Lightning divides by the norm plus a millionth.
    np.testing.assert_allclose(run.scalars("grad_norm_clipped")[1], truth.clipped, rtol=1e-4)
    steps, losses = run.scalars("loss")
    np.testing.assert_array_equal(steps, np.arange(1, len(truth.loss) + 1))
    np.testing.assert_allclose(losses, truth.loss, rtol=1e-4)
    np.testing.assert_allclose(run.scalars("lr")[1], LR, rtol=1e-6)
    assert run.status.state == "finished"
    assert run.meta is not None
    assert run.meta.name == "Classifier"
    torch.testing.assert_close(nn.utils.parameters_to_vector(model.parameters()).detach(), truth.weights)


def test_a_fit_that_fails_makes_a_failed_run(tmp_path: Path) -> None:
    callback = GradtuiCallback(runs=tmp_path / "runs", budget=None)
    with pytest.raises(RuntimeError, match="no more data"):
        trainer(tmp_path, callback).fit(Classifier(fails_at=5), loader())
    assert callback.probe.run is not None
    run = gradtui.open_run(callback.probe.run)
    assert run.status.state == "failed"
    assert "no more data" in run.status.reason
    assert len(run.layers("grad_norm")[0]) == 5


def test_each_fit_is_a_run(tmp_path: Path) -> None:
    callback = GradtuiCallback(runs=tmp_path / "runs")
    for _ in range(2):
        trainer(tmp_path, callback).fit(Classifier(), loader())
    assert len(list((tmp_path / "runs").iterdir())) == 2
