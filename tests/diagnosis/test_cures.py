"""Cures that are offered: they apply, they change something, and theory expects them to help."""

from __future__ import annotations

import pytest

from gradtui.diagnosis import CureOffer, cures, predict
from gradtui.experiment import Experiment, resolve, set_fields
from gradtui.experiment.presets import names

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
    "slow": lambda exp: cures.for_not_learning(exp, 1e-7),
    "hasty": lambda exp: cures.for_not_learning(exp, 0.5),
    "at a loss": lambda exp: cures.for_not_learning(exp, 1e-3),
}


def keys(offers: tuple[CureOffer, ...]) -> list[str]:
    return [offer.key or offer.name for offer in offers]


@pytest.mark.parametrize("sickness", OFFERS)
def test_every_offer_for_every_preset_can_be_applied_and_changes_it(sickness: str) -> None:
    for name in names():
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
    # What SCIENCE.md cures the recipe with.
    [
        ("vanishing", "sigmoid-20", ["relu", "batch-norm", "shortcuts"]),
        ("vanishing over time", "adding-rnn", ["lstm", "gru"]),
        ("exploding", "explode-relu-gain", ["gain-one", "clip-norm", "smaller-lr"]),
        ("exploding", "explode-batch", ["mean-loss", "gain-one", "clip-norm"]),
        ("exploding", "plain-batchnorm-57", ["shortcuts", "clip-norm"]),
        ("exploding", "explode-pixels", ["clip-norm", "smaller-lr"]),
        ("dead", "dead-bias", ["biases at 0", "leaky-relu-0.02", "elu"]),
        ("dying", "dead-adam", ["smaller-lr", "leaky-relu-0.02", "elu"]),
        ("underflow", "underflow-fp16", ["scale-loss", "bf16", "fp32"]),
        ("degradation", "plain-57", ["shortcuts"]),
        ("slow", "relu-20", ["larger learning rate"]),
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
    assert "batch-norm" in keys(cures.for_exploding(resolve("explode-relu-gain")))


def test_a_looser_threshold_is_near_the_usual_norm() -> None:
    exp = set_fields(resolve("cure-explode-clip"), {"cures.clip_norm": 1e-4})
    assert cures.for_overclipped(exp, 6.53)[0].set == {"cures.clip_norm": 7.0}
    assert keys(cures.for_overclipped(exp, 6.53)) == ["clip at 7", "no clipping"]


def test_a_penalty_that_starves_the_gradient_is_removed_first() -> None:
    exp: Experiment = set_fields(resolve("relu-20"), {"cures.l2": 1.0})
    assert cures.for_late_vanishing(exp)[0].set == {"cures.l2": 0.0}
    assert keys(cures.for_late_vanishing(resolve("relu-20")))[0] == "smaller-lr"
