"""Test the cures that are offered: they apply, they change something, and theory expects them to help."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings

from gradtui.diagnosis import CureOffer, cures, predict
from gradtui.diagnosis.cures import rates
from gradtui.diagnosis.cures.measured import Measured
from gradtui.diagnosis.cures.unusual import unusual, weight_size
from gradtui.experiment import Experiment, resolve, set_fields
from gradtui.experiment.presets import names
from tests.diagnosis.failing.drawing import draw
from tests.support.experiments import experiments

OFFERS = {
    "vanishing": cures.for_vanishing,
    "late vanishing": cures.for_late_vanishing,
    "vanishing over time": cures.for_vanishing_over_time,
    "exploding": cures.for_exploding,
    "nonfinite": cures.for_nonfinite,
    "unstable": cures.for_unstable_loss,
    "dead": lambda exp: cures.for_dead_units(exp, at_start=True),
    "dying": lambda exp: cures.for_dead_units(exp, at_start=False),
    "saturated": cures.for_saturated,
    "overclipped": lambda exp: cures.for_overclipped(exp, 6.53),
    "underflow": cures.for_underflow,
    "degradation": cures.for_degradation,
    "steep": lambda exp: cures.for_exploding(exp, Measured(steep=True)),
    "slow": lambda exp: cures.for_not_learning(exp, Measured(update=1e-7, largest_update=1e-6)),
    "hasty": lambda exp: cures.for_not_learning(exp, Measured(update=0.5, largest_update=0.6)),
    "at a loss": lambda exp: cures.for_not_learning(exp, Measured(update=1e-3, largest_update=1e-2)),
}


UNDERFLOW = (
    "undo what is unusual: Xavier initialisation, loss scaling, layer normalisation and residual shortcuts"
)


SLOW = "layer normalisation, residual shortcuts and larger learning rate, 0.01"


def keys(offers: tuple[CureOffer, ...]) -> list[str]:
    return [offer.key or offer.name for offer in offers]


@pytest.mark.parametrize("sickness", OFFERS)
@pytest.mark.parametrize("third", [0, *(pytest.param(third, marks=pytest.mark.long) for third in (1, 2))])
def test_every_offer_for_every_preset_can_be_applied_and_changes_it(sickness: str, third: int) -> None:
    for name in list(names())[third::3]:
        exp = resolve(name)
        made = OFFERS[sickness](exp)
        assert len(made) <= cures.MOST_OFFERS
        assert len({offer.name for offer in made}) == len(made)
        for offer in made:
            assert set_fields(exp, offer.set) != exp, (name, offer.name)
            assert offer.why
            assert offer.price


@pytest.mark.parametrize("sickness", OFFERS)
def test_scripts_get_reasons_without_changes(sickness: str) -> None:
    made = OFFERS[sickness](None)
    assert 0 < len(made) <= cures.MOST_OFFERS_FOR_SCRIPTS
    assert all(offer.set == {} and offer.why for offer in made)


@pytest.mark.parametrize(
    ("sickness", "preset", "best"),
    # What RECIPES.md cures the recipe with.
    [
        (
            "vanishing",
            "sigmoid-20",
            ["layer normalisation and residual shortcuts", "batch-norm", "shortcuts", "relu"],
        ),
        (
            "vanishing",
            "vanish-relu-20",
            ["He initialisation, layer normalisation, residual shortcuts and Adam at 0.001"],
        ),
        (
            "vanishing over time",
            "adding-rnn",
            ["GRU, orthogonal recurrence and layer normalisation", "lstm", "gru"],
        ),
        ("steep", "explode-relu-gain", ["gain-one"]),
        (
            "steep",
            "explode-batch",
            ["undo what is unusual: gain 1, mean loss and learning rate 0.038", "mean-loss"],
        ),
        ("steep", "plain-batchnorm-57", ["shortcuts"]),
        ("exploding", "explode-pixels", ["clip-norm", "smaller-lr"]),
        ("dead", "dead-bias", ["biases at 0", "leaky-relu-0.02", "elu"]),
        ("dying", "dead-adam", ["learning rate 0.003", "smaller-lr", "leaky-relu-0.02", "elu"]),
        ("underflow", "underflow-fp16", [UNDERFLOW, "scale-loss", "bf16", "fp32"]),
        ("degradation", "plain-57", ["shortcuts"]),
        ("slow", "relu-20", [SLOW, "larger learning rate, 0.01"]),
        ("slow", "cure-shallow", ["Xavier initialisation and Adam at 0.003", "Adam at 0.003"]),
        ("hasty", "relu-20", ["smaller-lr"]),
    ],
)
def test_the_best_cure_comes_first(sickness: str, preset: str, best: list[str]) -> None:
    assert keys(OFFERS[sickness](resolve(preset)))[: len(best)] == best


def test_what_theory_expects_to_fail_is_not_offered() -> None:
    deep_sigmoid = resolve("sigmoid-20")
    assert predict(set_fields(deep_sigmoid, {"net.0.norm": "layer"})).log10_profile[0] < -5
    assert "layer-norm" not in keys(cures.for_vanishing(deep_sigmoid))
    deep_relu = set_fields(resolve("explode-relu-gain"), {"net.0.repeat": 60})
    assert "batch-norm" not in keys(cures.for_exploding(deep_relu))
    assert "batch-norm" in keys(cures.for_exploding(resolve("explode-relu-gain"), Measured(steep=True)))


def test_a_looser_threshold_is_near_the_usual_norm() -> None:
    exp = set_fields(resolve("cure-explode-clip"), {"cures.clip_norm": 1e-4})
    assert cures.for_overclipped(exp, 6.53)[0].set == {"cures.clip_norm": 7.0}
    assert keys(cures.for_overclipped(exp, 6.53)) == ["clip at 7", "no clipping"]


def test_a_clip_that_held_a_recurrence_of_large_radius_back_is_not_loosened_alone() -> None:
    given = draw(14016)
    assert (given.net[0].block, given.net[0].recurrent_gain) == ("gru", 1.4)
    first = cures.for_overclipped(given, 0.4, Measured(update=1e-4, largest_update=1e-3))[0]
    cured = set_fields(given, first.set)
    assert (cured.net[0].recurrent_init, cured.net[0].recurrent_gain) == ("orthogonal", 1.0)
    assert cured.cures.clip_norm > given.cures.clip_norm


def test_a_penalty_that_makes_the_gradient_vanish_is_removed_first() -> None:
    exp: Experiment = set_fields(resolve("relu-20"), {"cures.l2": 1.0})
    assert cures.for_late_vanishing(exp)[0].set == {"cures.l2": 0.0}
    assert "shortcuts" in keys(cures.for_late_vanishing(resolve("relu-20")))[:3]


@pytest.mark.parametrize("update", [1e-12, 4e-9, 1e-7, 3e-5, 1e-3, float("nan")])
@pytest.mark.parametrize("lr", [1e-9, 1e-5, 0.01, 0.4])
@pytest.mark.parametrize("kind", ["sgd", "adam", "rmsprop"])
def test_a_larger_rate_follows_from_the_update_and_is_bounded(update: float, lr: float, kind: str) -> None:
    exp = set_fields(resolve("relu-20"), {"optimizer.kind": kind, "optimizer.lr": lr})
    offer = rates.larger(exp, Measured(update=update, largest_update=2 * update))
    if offer is None:
        return
    rate = offer.set["optimizer.lr"]
    assert lr < rate <= (0.5 if kind == "sgd" else 0.01)
    assert rate <= 3001 * lr
    if 3e-7 < update < 3e-4 and rate < (0.5 if kind == "sgd" else 0.01):
        assert rate / lr == pytest.approx(1e-3 / update, rel=0.06)


def test_a_rate_was_not_too_small_where_a_step_was_ever_large() -> None:
    exp = set_fields(resolve("relu-20"), {"optimizer.kind": "sgd", "optimizer.lr": 0.001})
    made = cures.for_not_learning(exp, Measured(update=1e-7, largest_update=1.5))
    assert not [offer for offer in made if offer.name.startswith("larger")]


@pytest.mark.parametrize(
    ("largest", "lr"), [(0.5, 0.002), (5.0, 0.0002), (1e9, 0.000033), (float("inf"), 0.000033)]
)
def test_a_smaller_rate_follows_from_the_largest_update(largest: float, lr: float) -> None:
    exp = set_fields(resolve("relu-20"), {"optimizer.kind": "sgd", "optimizer.lr": 0.1})
    offer = rates.smaller(exp, Measured(largest_update=largest))
    assert offer is not None
    assert offer.set == {"optimizer.lr": lr}
    assert rates.smaller(exp, Measured(largest_update=1e-3)) is None


@pytest.mark.parametrize("before", [0.00001, 0.9])
@pytest.mark.parametrize("sickness", ["slow", "hasty", "exploding", "unstable", "dying", "late vanishing"])
def test_no_cure_turns_back_the_rate_that_the_parent_run_changed(before: float, sickness: str) -> None:
    exp = set_fields(resolve("relu-20"), {"optimizer.kind": "sgd", "optimizer.lr": 0.005})
    parent = set_fields(exp, {"optimizer.lr": before})
    measured = Measured(
        update=1e-7 if sickness == "slow" else 0.5, largest_update=1e-6 if sickness == "slow" else 3.0
    )
    made: dict[str, Callable[[Measured], tuple[CureOffer, ...]]] = {
        "slow": lambda m: cures.for_not_learning(exp, m),
        "hasty": lambda m: cures.for_not_learning(exp, m),
        "exploding": lambda m: cures.for_exploding(exp, m),
        "unstable": lambda m: cures.for_unstable_loss(exp, m),
        "dying": lambda m: cures.for_dead_units(exp, m, at_start=False),
        "late vanishing": lambda m: cures.for_late_vanishing(exp, m),
    }
    for offer in made[sickness](replace(measured, parent=parent)):
        cured = set_fields(exp, offer.set)
        if cured.optimizer.kind == "sgd":
            assert (cured.optimizer.lr - 0.005) * (0.005 - before) >= 0.0, offer.name


def test_what_stands_out_is_undone_at_once_and_each_field_is_named_with_its_reason() -> None:
    exp = set_fields(
        resolve("relu-20"),
        {
            "net.0.bias_mean": -4.0,
            "net.0.gain": 0.4,
            "cures.l2": 0.1,
            "cures.clip_norm": 1e-6,
            "optimizer.loss": "sum",
            "run.precision": "fp16",
            "run.loss_scale": 1.0,
        },
    )
    first = cures.for_vanishing(exp)[0]
    assert first.name.startswith("undo what is unusual")
    cured = set_fields(exp, first.set)
    assert cured.net[0].bias_mean == 0.0
    assert cured.net[0].gain == 1.0
    assert cured.cures.l2 == 0.0
    assert cured.cures.clip_norm == 1.0
    assert cured.optimizer.loss == "mean"
    assert cured.run.loss_scale == 0.0
    for word in ("biases of -4", "L2 of 0.1", "clipping at 1e-6", "summed", "fp16", "0.4 times"):
        assert word in first.why, word


@given(experiments())
@settings(max_examples=40, deadline=None)
def test_no_cure_enlarges_the_weights_of_a_net_that_explodes(exp: Experiment) -> None:
    for steep in (False, True):
        for offer in cures.for_exploding(exp, Measured(steep=steep, largest_update=2.0)):
            cured = set_fields(exp, offer.set)
            for before, after in zip(exp.net, cured.net, strict=True):
                assert weight_size(after) <= weight_size(before) * 1.001, offer.name


def test_a_cure_that_leaves_the_named_layers_as_they_were_is_not_offered() -> None:
    exp = set_fields(resolve("plain-57"), {"net.0.activation": "identity"})
    layers = tuple(f"dense{number}.2" for number in range(2, 29))
    named = cures.for_vanishing(exp, Measured(layers=layers))
    for offer in named:
        assert not offer.set or any(not path.startswith("net.0.") for path in offer.set), offer.name


def test_where_theory_contradicts_the_measured_net_it_has_no_vote() -> None:
    deep_sigmoid = resolve("sigmoid-20")
    assert "layer-norm" not in keys(cures.for_vanishing(deep_sigmoid, Measured(start=-8.0)))
    exploding_by_measurement = cures.offers(
        deep_sigmoid, ["layer-norm"], cures.HEALTHY_DECADES, Measured(start=3.0)
    )
    assert keys(exploding_by_measurement) == ["layer-norm"]


def test_the_forget_gate_opens_for_the_length_of_the_sequence() -> None:
    lstm = next(
        offer for offer in cures.for_vanishing_over_time(resolve("adding-rnn")) if offer.key == "lstm"
    )
    assert lstm.set["net.0.forget_bias"] == pytest.approx(math.log(30), abs=0.01)


def test_orthogonal_recurrence_is_in_the_first_cure_where_the_radius_is_the_fault() -> None:
    exp = set_fields(resolve("adding-rnn"), {"net.0.recurrent_init": "normal", "net.0.recurrent_gain": 0.5})
    first = cures.for_vanishing_over_time(exp)[0]
    assert first.set["net.0.recurrent_init"] == "orthogonal"
    assert first.set["net.0.recurrent_gain"] == 1.0
    assert "net.0.block" not in first.set


def test_a_cure_is_named_after_what_it_changes_in_the_net_at_hand() -> None:
    offer = next(offer for offer in cures.for_vanishing(resolve("vanish-relu-20")) if offer.key == "relu")
    assert offer.name == "He initialisation"
    assert set(offer.set) <= {"net.0.init", "net.0.gain"}
    other = next(offer for offer in cures.for_vanishing(resolve("sigmoid-20")) if offer.key == "relu")
    assert other.name == "ReLU + He initialisation"


def test_a_cure_that_rearranges_blocks_says_how() -> None:
    exp = resolve("sigmoid-20")
    for offer in cures.for_vanishing(exp):
        cured = set_fields(exp, offer.set).net[0]
        if cured.layers != exp.net[0].layers:
            assert f"{cured.repeat} blocks of {cured.layers} layers" in offer.why
            assert "before the weights" in offer.why
            assert "square root of the number of blocks" in offer.why


@pytest.mark.parametrize("gain", [0.0, 5e-324, 1e-9, 1e300])
@pytest.mark.parametrize("block", ["dense", "conv", "rnn", "lstm", "attention"])
@pytest.mark.parametrize("norm", ["none", "layer"])
def test_weights_of_any_size_are_described(gain: float, block: str, norm: str) -> None:
    changes = {"net.0.block": block, "net.0.norm": norm, "net.0.gain": gain, "net.0.repeat": 3}
    if block not in ("dense", "conv"):
        changes["data.sequence"] = "rows"
    exp = set_fields(Experiment(), changes)
    parts = [part for part in unusual(exp, raise_weights=True, lower_weights=True) if "gain" in part.name]
    assert len(parts) == 1
    assert "nan" not in parts[0].why
    assert ("of size 0" in parts[0].why) == (gain == 0.0)
