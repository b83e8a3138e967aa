"""The callback in Hugging Face's Trainer records the numbers of plain autograd."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

pytest.importorskip("transformers")
pytest.importorskip("accelerate")


import gradtui
from gradtui.integrations.huggingface import GradtuiCallback
from gradtui.monitor.guard import WatchWarning
from tests.integrations.material import LR, plain
from tests.support.transformers_trainer import Classifier, trainer


@pytest.mark.parametrize("clip", [None, 0.3])
@pytest.mark.parametrize("accumulate", [1, 3])
def test_the_numbers_are_those_of_plain_autograd(
    tmp_path: Path, accumulate: int, clip: float | None, recwarn: pytest.WarningsRecorder
) -> None:
    model = Classifier()
    truth = plain(model.net, accumulate, clip)
    callback = GradtuiCallback(runs=tmp_path / "runs", budget=None)
    options = {"gradient_accumulation_steps": accumulate, "max_grad_norm": clip or 0.0}
    trainer(tmp_path, model, callback, **options).train()
    assert not [w for w in recwarn if issubclass(w.category, WatchWarning)]
    assert callback.probe.run is not None
    run = gradtui.open_run(callback.probe.run)
    assert run.layer_names == ["net.0", "net.2", "net.4"]
    np.testing.assert_allclose(run.layers("grad_norm")[1], truth.layers, rtol=1e-4)
    np.testing.assert_allclose(run.scalars("grad_norm")[1], truth.total, rtol=1e-4)
    np.testing.assert_allclose(run.scalars("grad_norm_clipped")[1], truth.clipped, rtol=1e-4)
    steps, losses = run.scalars("loss")
    np.testing.assert_array_equal(steps, np.arange(1, len(truth.loss) + 1))
    # It rounds them.
    np.testing.assert_allclose(losses, truth.loss, atol=1e-4)
    np.testing.assert_allclose(run.scalars("lr")[1], LR, rtol=1e-6)
    assert run.status.state == "finished"
    torch.testing.assert_close(nn.utils.parameters_to_vector(model.parameters()).detach(), truth.weights)
