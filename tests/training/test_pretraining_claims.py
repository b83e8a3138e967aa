"""Test the claims about layer-wise pretraining by their presets, over two seeds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gradtui.experiment import resolve, set_fields
from tests.support.trainings import trained

CLAIMS = {
    # Training accuracy, and decades a layer that the gradient loses towards the input at the first step.
    "pretrain-none": ((0.0, 0.12), (0.80, 0.90)),
    "pretrain-autoencoder": ((0.985, 1.0), (0.05, 0.13)),
    "pretrain-rbm": ((0.96, 1.0), (0.14, 0.22)),
    "pretrain-adam": ((0.98, 1.0), (0.80, 0.90)),
}


@pytest.mark.long
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("preset", CLAIMS)
def test_the_preset_shows_what_it_claims(tmp_path: Path, preset: str, seed: int) -> None:
    run, ending = trained(tmp_path / "run", set_fields(resolve(preset), {"seed": seed}))
    assert ending == ("finished", "")
    (accuracy,) = [event["train_accuracy"] for event in run.events() if event["event"] == "evaluation"][-1:]
    steps, signals = run.layers("output_grad_rms")
    assert steps[0] == 1
    hidden = np.log10(signals[0, :-1])
    slope = np.polyfit(range(len(hidden)), hidden, 1)[0]
    (least, most), (flattest, steepest) = CLAIMS[preset]
    assert least <= accuracy <= most
    assert flattest <= slope <= steepest
