"""Test problems against their cures: the claims that need two presets."""

from __future__ import annotations

import numpy as np
import pytest

from tests.recipes.training import Trained, Trainings

pytestmark = pytest.mark.long

SEEDS = (0, 1)
MORE_SEEDS = (0, 1, 2, 3)

CLEARLY = {
    "vanish-sigmoid-10": (
        "cure-shallow",
        "cure-batchnorm",
        "cure-shortcut",
        "cure-tanh-xavier",
        "cure-relu-he",
    ),
    "vanish-sigmoid-xavier": ("cure-leaky", "cure-leaky-02", "cure-prelu", "cure-elu"),
    "sigmoid-20": ("relu-20", "batchnorm-20"),
    "explode-relu-gain": (
        "cure-explode-lr",
        "cure-explode-shallow",
        "cure-explode-clip",
        "cure-explode-gain",
    ),
    "explode-batch": ("cure-explode-batch",),
    "explode-pixels": ("cure-pixels-clip",),
    "dead-bias": ("cure-dead-prelu", "cure-dead-elu"),
    "plain-57": ("plain-5", "residual-57"),
    "plain-batchnorm-57": ("plain-batchnorm-5", "residual-batchnorm-57"),
    "plain-1001": ("residual-1001",),
    "convnet-56": ("convnet-20", "resnet-56"),
    "convnet-110": ("convnet-20", "resnet-110"),
    "pretrain-xavier": ("pretrain-autoencoder", "pretrain-rbm"),
    "attention-post": ("attention-pre",),
    "underflow-fp16": ("cure-underflow-scale", "cure-underflow-bf16"),
}
"""Cures that make the difference between learning and not, with every seed."""

ON_AVERAGE = {
    "explode-tanh-slow": ("cure-l2", "cure-l1"),
    "dead-adam": ("cure-dead-leaky",),
    "dead-one-layer": ("cure-dead-one-leaky", "cure-dead-one-elu"),
}
"""Cures of nets that learn by half, some seeds more than others."""


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("failing", "cured"), [(failing, cured) for failing in CLEARLY for cured in CLEARLY[failing]]
)
def test_a_cure_trains_far_better_than_its_cause(
    trainings: Trainings, failing: str, cured: str, seed: int
) -> None:
    assert trainings(cured, seed).accuracy > trainings(failing, seed).accuracy + 0.25


@pytest.mark.parametrize(
    ("failing", "cured"), [(failing, cured) for failing in ON_AVERAGE for cured in ON_AVERAGE[failing]]
)
def test_a_cure_trains_better_on_average(trainings: Trainings, failing: str, cured: str) -> None:
    assert trainings.mean_accuracy(cured, MORE_SEEDS) > trainings.mean_accuracy(failing, MORE_SEEDS) + 0.02


@pytest.mark.parametrize("seed", SEEDS)
def test_depth_degrades_a_plain_net_whose_gradients_are_healthy(trainings: Trainings, seed: int) -> None:
    signals = np.log10(trainings("plain-57", seed).signals[:-1])
    assert np.ptp(signals) < 1, "no layer's gradient is a tenth of another's"
    shallow, deep = (trainings(f"plain-{depth}", seed) for depth in (5, 57))
    assert abs(deep.d0 - shallow.d0) < 1
    assert deep.accuracy < shallow.accuracy - 0.25
    assert trainings("residual-57", seed).accuracy > shallow.accuracy - 0.02


@pytest.mark.parametrize("seed", SEEDS)
def test_the_gated_nets_bridge_the_time_lag_and_the_plain_one_does_not(
    trainings: Trainings, seed: int
) -> None:
    plain, lstm, gru = (trainings(f"adding-{cell}", seed) for cell in ("rnn", "lstm", "gru"))
    assert lstm.error * 10 < plain.error
    assert gru.error * 10 < plain.error
    # Why: what the loss says of the first number arrives there, once the gates have opened.
    assert late_lags(lstm) > late_lags(plain) + 0.5


def late_lags(trained: Trained) -> float:
    """The usual value of `lags` in the last quarter of the steps; how many of them are sampled depends on the time."""
    steps = trained.run.layers("hidden_grad")[0]
    return float(np.median(trained.lags[steps > 0.75 * steps[-1]]))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("preset", ["cure-prelu", "cure-dead-prelu"])
def test_learned_slopes_leave_their_start_in_every_layer(
    trainings: Trainings, preset: str, seed: int
) -> None:
    _, slopes = trainings(preset, seed).run.layers("slope")
    assert (np.ptp(slopes[:, :-1], axis=0) > 0.02).all()
    assert (np.abs(slopes[-1, :-1] - 0.25) > 0.005).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_gradient_of_the_first_blocks_vanishes_with_the_norm_after_and_not_with_the_norm_before(
    trainings: Trainings, seed: int
) -> None:
    """At the first step both are even: the first updates make the gradient vanish with the norm after."""

    def over_time(preset: str) -> float:
        run = trainings(preset, seed).run
        blocks = [i for i, name in enumerate(run.layer_names) if name.endswith(".mlp2")]
        _, rms = run.layers("output_grad_rms")
        return float(np.median(np.log10(rms[:, blocks[0]] / rms[:, blocks[-1]])))

    assert over_time("attention-post") < -2
    assert abs(over_time("attention-pre")) < 1


@pytest.mark.parametrize("seed", SEEDS)
def test_half_precision_loses_the_first_four_layers_until_the_loss_is_scaled(
    trainings: Trainings, seed: int
) -> None:
    half = trainings("underflow-fp16", seed).signals
    assert (half[:4] == 0).all()
    assert half[-1] > 0
    scaled = trainings("underflow-fp16-1024", seed).signals
    assert scaled[0] == 0
    assert (scaled[3:] > 0).all()
    whole, rounded = (trainings(f"cure-underflow-{cure}", seed).signals for cure in ("scale", "bf16"))
    assert (whole > 0).all()
    assert rounded == pytest.approx(whole, rel=0.1)
