"""Test nets that are too deep to be trained to their end here."""

from __future__ import annotations

import numpy as np
import pytest

from tests.recipes.training import Trainings

pytestmark = pytest.mark.long


def test_a_convolutional_net_of_1202_layers_trains_a_step_and_shows_every_layer(trainings: Trainings) -> None:
    trained = trainings("resnet-1202", 0, run__steps=1, run__eval_every=0)
    assert trained.status == "finished", trained.log[-3:]
    run = trained.run
    # Besides the 1,202: the two shortcuts that change the shape.
    assert len(run.layer_names) == 1204
    for measure in ("grad_norm", "output_grad_rms", "update_ratio", "weight_norm"):
        steps, values = run.layers(measure)
        assert list(steps) == [1]
        assert values.shape == (1, 1204)
        assert np.isfinite(values).all()
        assert (values > 0).all()
    assert abs(trained.d0) < 0.5
