"""Test predictions against the table of RECIPES.md, published limits, and wide nets of torch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradtui.data import load
from gradtui.diagnosis.theory import Prediction, predict
from gradtui.diagnosis.theory.chain import Signal, gains, lag_gains
from gradtui.diagnosis.theory.normalisation import after_norm
from gradtui.diagnosis.theory.prediction import input_mean_square
from gradtui.experiment import Data, Experiment, Group, from_dict, resolve, set_fields, to_dict
from gradtui.experiment.layers import Activate, LayerPlan, Weights
from gradtui.experiment.net_plan import net_plan

WIDE = 512


def net(*groups: Group, batch: int = 128, **data: Any) -> Experiment:
    return Experiment(data=Data(batch_size=batch, **data), net=groups)


def group(activation: str, init: str = "normal", gain: float = 1.0, repeat: int = 20, **more: Any) -> Group:
    fields = {"activation": activation, "init": init, "gain": gain, "repeat": repeat, "width": WIDE, **more}
    return from_dict({"net": [fields]}).net[0]


def slope(prediction: Prediction) -> float:
    """Decades a layer, least squares, + falling towards the input, as RECIPES.md's table has it."""
    profile = prediction.log10_profile
    return float(np.polyfit(np.arange(len(profile)), profile, 1)[0])


@pytest.mark.parametrize("source", ["spirals", "circle", "xor", "gauss"])
def test_points_have_the_mean_square_that_theory_starts_from(source: str) -> None:
    data = Data(source=source, samples=50_000)
    measured = float(load(data, 0).train_x.double().square().mean())
    assert input_mean_square(Experiment(data=data, net=(group("relu"),))) == pytest.approx(measured, rel=0.01)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (group("tanh", gain=1.0), +0.0302),
        (group("tanh", "torch"), +0.2411),
        (group("tanh", gain=1.5, bias_std=math.sqrt(0.05)), -0.0161),
        (group("tanh", gain=2.0), -0.0655),
        (group("tanh", gain=3.0), -0.1340),
        (group("sigmoid", "torch"), +0.8497),
        (group("sigmoid", gain=4.0), +0.2013),
        (group("relu", "torch"), +0.3892),
        (group("relu", "he"), 0.0),
        (group("relu", gain=2.12), -0.1760),
        (group("leaky_relu", gain=math.sqrt(2), slope=0.01), 0.0),
        (group("elu", "torch"), +0.2432),
        (group("elu", "lecun"), +0.0412),
        (group("elu", gain=math.sqrt(2)), -0.0318),
    ],
)
def test_decades_a_layer_are_those_of_the_table(made: Group, expected: float) -> None:
    assert slope(predict(net(made))) == pytest.approx(expected, abs=3e-4)


def test_erf_follows_its_closed_form() -> None:
    sigma2, steps = 4.0, 20
    weights = Weights(inputs=WIDE, outputs=WIDE, reads=(WIDE,), gives=(WIDE,), init="normal", factor=2.0)
    layer = LayerPlan("", "dense", (weights, Activate("erf", 0.0)))
    made = gains([layer] * steps, Signal(0.0, 1.0, 1.0), batch=64)
    square = 1.0
    for gain in made:
        q = sigma2 * square
        assert 10**gain == pytest.approx(sigma2 * 4 / math.pi / math.sqrt(1 + 4 * q), rel=1e-6)
        square = 2 / math.pi * math.asin(2 * q / (1 + 2 * q))
    profile = 0.5 * np.append(np.cumsum(made[:-1][::-1])[::-1], 0.0)
    assert np.polyfit(np.arange(steps), profile, 1)[0] == pytest.approx(-0.0916, abs=1e-4)


def test_the_whole_recursion_counts_not_only_the_fixed_point() -> None:
    prediction = predict(net(group("tanh", gain=1.0)))
    assert prediction.log10_profile[0] == pytest.approx(-0.71, abs=0.005)
    assert prediction.chi[0] < 0.6
    assert prediction.chi[-1] > 0.9


@pytest.mark.parametrize(
    ("preset", "expected", "within"),
    # D0 of RECIPES.md's tables; nets of 64 units stray by some 0.2 decades.
    [
        ("sigmoid-20", -11.8, 0.3),
        ("vanish-sigmoid-10", -7.75, 0.2),
        ("vanish-sigmoid-xavier", -5.7, 0.1),
        ("vanish-tanh-20", -4.75, 0.15),
        ("vanish-relu-20", -7.45, 0.15),
        ("cure-shallow", -0.9, 0.1),
        ("cure-batchnorm", -0.4, 0.15),
        ("cure-tanh-xavier", -0.6, 0.1),
        ("cure-elu", -0.6, 0.1),
        ("relu-20", +0.1, 0.3),
        ("explode-relu-gain", +1.6, 0.15),
        ("explode-tanh-stuck", +2.6, 0.15),
        ("plain-batchnorm-21", +1.6, 0.2),
        ("plain-batchnorm-57", +4.5, 0.15),
        ("residual-57", +0.2, 0.05),
    ],
)
def test_presets_begin_as_measured(preset: str, expected: float, within: float) -> None:
    prediction = predict(resolve(preset))
    assert prediction.applies
    assert prediction.why == ""
    assert prediction.log10_profile[0] == pytest.approx(expected, abs=within)
    assert prediction.log10_profile[-1] == 0.0


@pytest.mark.parametrize("batch", [5, 8, 16, 64, 1000])
def test_a_linear_batch_normed_net_is_exactly_yangs(batch: int) -> None:
    prediction = predict(net(group("identity", "he", norm="batch"), batch=batch))
    assert prediction.chi[5] == pytest.approx((batch - 2) / (batch - 3), rel=1e-9)


@pytest.mark.parametrize(
    ("activation", "batch", "measured", "within"),
    [
        ("relu", 16, 1.572, 0.02),
        ("relu", 32, 1.534, 0.03),
        ("relu", 64, 1.480, 0.02),
        ("relu", 128, 1.466, 0.02),
        ("relu", 256, 1.458, 0.02),
        ("tanh", 128, 1.195, 0.005),
    ],
)
def test_batch_norm_gains_what_was_measured(
    activation: str, batch: int, measured: float, within: float
) -> None:
    prediction = predict(net(group(activation, "he", norm="batch"), batch=batch))
    assert prediction.chi[5] == pytest.approx(measured, abs=within)


def test_batch_norms_limit_of_large_batches() -> None:
    behind = after_norm("batch", 10**9, "relu", 0.0)
    assert behind.slope_square / behind.spread == pytest.approx(math.pi / (math.pi - 1), rel=1e-6)


def test_he_with_layer_norm_neither_gains_nor_loses() -> None:
    assert predict(net(group("relu", "he", norm="layer"))).chi[5] == pytest.approx(1.0, abs=0.005)


@pytest.mark.parametrize("blocks", [10, 100, 500])
def test_residual_growth_is_that_of_compound_interest(blocks: int) -> None:
    # He, ReLU, branch 1/√B: each block adds 1/B of the gradient's mean square: (1 + 1/B)^B over all of them.
    stem = group("identity", "he", repeat=1)
    body = group("relu", "he", repeat=blocks, layers=2, order="pre", shortcut="identity", branch_gain="depth")
    prediction = predict(net(stem, body))
    assert prediction.log10_profile[0] == pytest.approx(0.5 * blocks * math.log10(1 + 1 / blocks), abs=0.02)
    assert len(prediction.chi) == 2 * blocks + 1


def test_a_branch_that_starts_at_zero_leaves_the_path_alone() -> None:
    stem = group("identity", "he", repeat=1)
    rezero = group("relu", "he", layers=2, order="pre", shortcut="rezero")
    fixup = group("relu", "fixup", layers=2, order="pre", shortcut="identity")
    for body in (rezero, fixup):
        prediction = predict(net(stem, body))
        assert prediction.chi[1:] == pytest.approx([1.0] * 40)
        assert prediction.log10_profile[1:] == pytest.approx([0.0] * 40, abs=1e-12)
        assert prediction.depth_scale == math.inf


def test_recurrent_decay_is_that_of_the_table() -> None:
    decades = [-0.5 * gain for gain in lag_gains("identity", 0.0, 0.81, 5)]
    assert decades == pytest.approx([0.0458] * 5, abs=1e-4)
    decades = [-0.5 * gain for gain in lag_gains("identity", 0.0, 1.21, 5)]
    assert decades == pytest.approx([-0.0414] * 5, abs=1e-4)
    settled = lag_gains("tanh", 0.0, 4.0, 200, start=1.0)
    assert -0.5 * settled[0] == pytest.approx(-0.0672, abs=1e-4)


def test_an_experiments_recurrent_layer_is_told_by_lag() -> None:
    data = {"source": "adding", "length": 30}
    rnn = {"block": "rnn", "width": 64, "activation": "identity", "recurrent_init": "orthogonal"}
    made = predict(from_dict({"data": data, "net": [{**rnn, "recurrent_gain": 0.9}]}))
    assert made.log10_lags == pytest.approx([lag * math.log10(0.9) for lag in range(30)])
    assert made.log10_profile == (0.0,)
    assert made.depth_scale == pytest.approx(-1 / math.log(0.81))
    identity = predict(from_dict({"data": data, "net": [{**rnn, "recurrent_init": "identity"}]}))
    assert identity.log10_lags == pytest.approx([0.0] * 30)


@pytest.mark.parametrize(
    ("exp", "word"),
    [
        (resolve("convnet-20"), "conv"),
        (resolve("attention-pre"), "attention"),
        (resolve("adding-lstm"), "lstm"),
        (resolve("adding-gru"), "gru"),
        (resolve("explode-pixels"), "identity matrix"),
        (set_fields(resolve("adding-rnn"), {"data.source": "copy"}), "every step"),
        (resolve("pretrain-rbm"), "pretrained"),
        (net(group("relu", shortcut="highway")), "highway"),
        (net(group("relu", width=4)), "wide"),
        (net(group("relu", norm="batch"), batch=3), "3 numbers"),
        (net(group("relu"), source="npz", path="/nowhere/there.npz"), "/nowhere/there.npz"),
        (
            net(group("relu", "he", gain=1.0, repeat=9000, shortcut="identity", layers=2, order="pre")),
            "overflows",
        ),
        (net(group("relu", "he", gain=0.0), group("relu", "he")), "a gain or a branch is 0"),
    ],
)
def test_where_theory_does_not_apply_it_says_so(exp: Experiment, word: str) -> None:
    prediction = predict(exp)
    assert not prediction.applies
    assert word in prediction.why
    assert "\n" not in prediction.why
    assert prediction.to_json()["log10_profile"] == []


def test_json_has_the_fields_of_the_design() -> None:
    raw = predict(resolve("sigmoid-20")).to_json()
    assert raw["applies"] is True
    assert raw["why"] == ""
    assert len(raw["chi"]) == len(raw["log10_profile"]) == 20
    assert raw["layers"][0] == "dense1"
    assert raw["depth_scale"] == pytest.approx(-1 / math.log(raw["chi"][-1]))


def test_weights_mean_what_the_nets_draw() -> None:
    from gradtui.experiment import data_shape
    from gradtui.nets import build

    for init in ("torch", "xavier", "he", "lecun", "orthogonal", "normal"):
        first = group("leaky_relu", init, gain=1.3, slope=0.3, repeat=1, width=200)
        second = group(
            "leaky_relu", init, gain=1.3, slope=0.3, repeat=2, width=300, layers=2, shortcut="identity",
            branch_gain="depth",
        )  # fmt: skip
        exp = net(first, second)
        plans = [layer for group in net_plan(exp).groups for layer in group.again.layers]
        made = build(exp, data_shape(exp.data), generator_seed=3)
        # The last layer of a branch keeps its factor beside its weights.
        matrices = {
            layer.name: layer.module.weight * getattr(layer.module, "scale", 1.0) for layer in made.layers
        }
        for name, layer in zip(("dense1", "dense3.1", "dense3.2"), plans, strict=True):
            fan_in = matrices[name].shape[1]
            measured = float(matrices[name].detach().double().square().mean()) * fan_in
            assert measured == pytest.approx(layer.weights.sigma2, rel=0.05), (init, name)


GROUP = st.fixed_dictionaries(
    {
        "width": st.sampled_from([8, 16, 33]),
        "repeat": st.integers(1, 6),
        "layers": st.integers(1, 3),
        "activation": st.sampled_from(
            ["identity", "sigmoid", "tanh", "relu", "leaky_relu", "prelu", "elu", "selu", "gelu", "silu"]
        ),
        "slope": st.floats(0, 1),
        "norm": st.sampled_from(["none", "batch", "layer", "group", "rms"]),
        "order": st.sampled_from(["post", "pre"]),
        "shortcut": st.sampled_from(["none", "identity", "rezero", "highway"]),
        "branch_gain": st.one_of(st.just("depth"), st.floats(0, 3)),
        "init": st.sampled_from(["torch", "xavier", "he", "lecun", "orthogonal", "normal"]),
        "gain": st.floats(0, 100),
        "bias_mean": st.floats(-10, 10),
        "bias_std": st.floats(0, 10),
    }
)


@settings(max_examples=60, deadline=None)
@given(groups=st.lists(GROUP, min_size=1, max_size=3), batch=st.integers(2, 64))
def test_any_dense_net_is_predicted_or_declined(groups: list[dict[str, Any]], batch: int) -> None:
    prediction = predict(from_dict({"data": {"batch_size": batch}, "net": groups}))
    if not prediction.applies:
        assert prediction.why
        return
    hidden = sum(made["repeat"] * made["layers"] for made in groups)
    assert len(prediction.chi) == len(prediction.log10_profile) == len(prediction.layers) == hidden
    assert prediction.log10_profile[-1] == 0.0
    assert not any(math.isnan(value) for value in (*prediction.chi, *prediction.log10_profile))


def test_the_experiment_is_left_as_it_was() -> None:
    exp = resolve("residual-21")
    before = to_dict(exp)
    predict(exp)
    assert to_dict(exp) == before
    assert predict(exp) == predict(set_fields(exp, {"optimizer.lr": 0.5}))
