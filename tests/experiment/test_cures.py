"""Test what each cure changes, that dotted paths can express it, and that no cure makes an experiment invalid."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from gradtui.experiment import Experiment, from_dict, net_shape, resolve, set_fields, to_dict
from gradtui.experiment.cure_edits import fewer_layers
from gradtui.experiment.cures import CURES, Cure, cure
from gradtui.experiment.validate import check
from tests.support.experiments import experiments

FAILING = resolve("sigmoid-20")

SET: dict[str, dict[str, object]] = {
    "relu": {"net.0.activation": "relu", "net.0.init": "he"},
    "leaky-relu": {"net.0.activation": "leaky_relu", "net.0.init": "he"},
    "leaky-relu-0.02": {"net.0.activation": "leaky_relu", "net.0.init": "he", "net.0.slope": 0.02},
    "prelu": {"net.0.activation": "prelu", "net.0.init": "he", "net.0.slope": 0.25},
    "elu": {"net.0.activation": "elu", "net.0.init": "lecun"},
    "tanh-xavier": {"net.0.activation": "tanh"},
    "batch-norm": {"net.0.norm": "batch"},
    "layer-norm": {"net.0.norm": "layer"},
    "shortcuts": {
        "net.0.repeat": 10,
        "net.0.layers": 2,
        "net.0.order": "pre",
        "net.0.shortcut": "identity",
        "net.0.branch_gain": "depth",
    },
    "pre-norm": {},
    "fewer-layers": {"net.0.repeat": 2},
    "smaller-lr": {"optimizer.lr": 0.00005},
    "smaller-batch": {"data.batch_size": 8},
    "mean-loss": {},
    "clip-norm": {"cures.clip_norm": 1.0},
    "clip-value": {"cures.clip_value": 0.5},
    "l2": {"cures.l2": 0.05},
    "l1": {"cures.l1": 0.01},
    "gain-one": {},
    "lstm": {},
    "lstm-memory": {},
    "gru": {},
    "orthogonal": {},
    "pretrain-autoencoder": {"cures.pretrain.kind": "autoencoder", "cures.pretrain.epochs": 8},
    "pretrain-rbm": {"cures.pretrain.kind": "rbm", "cures.pretrain.epochs": 8, "data.scaling": "unit"},
    "scale-loss": {},
    "bf16": {},
}


def test_every_cure_is_listed_once() -> None:
    assert [cure.key for cure in CURES] == list(dict.fromkeys(SET))
    assert len({cure.name for cure in CURES}) == len(CURES)


@pytest.mark.parametrize("key", SET)
def test_what_a_cure_sets_in_the_default(key: str) -> None:
    assert cure(key).set_of(FAILING) == SET[key]


@pytest.mark.parametrize("one", CURES, ids=lambda one: one.key)
def test_a_cure_says_why_and_what_it_costs(one: Cure) -> None:
    for text in (one.why, one.price):
        assert len(text) > 30
        assert "\n" not in text
        assert "Price:" not in text
    assert one.why.endswith(".")


ELSEWHERE: list[tuple[str, str, dict[str, object], dict[str, object]]] = [
    ("gain-one", "explode-relu-gain", {}, {"net.0.gain": 1.0}),
    ("gain-one", "explode-pixels-radius", {}, {"net.0.recurrent_gain": 1.0}),
    ("smaller-lr", "explode-relu-gain", {}, {"optimizer.lr": 0.005}),
    ("smaller-batch", "explode-batch", {}, {"data.batch_size": 16}),
    ("mean-loss", "explode-batch", {}, {"optimizer.loss": "mean"}),
    ("shortcuts", "plain-57", {}, {"net.1.shortcut": "identity", "net.1.branch_gain": "depth"}),
    (
        "shortcuts",
        "resnet-20",
        {"net.0.shortcut": "highway", "net.2.order": "post", "net.3.branch_gain": 1.0},
        {"net.2.order": "pre", "net.3.branch_gain": "depth"},
    ),
    ("shortcuts", "adding-rnn", {}, {}),
    ("shortcuts", "attention-post", {"net.0.shortcut": "none"}, {}),
    (
        "pre-norm",
        "attention-post",
        {"net.0.shortcut": "none", "net.0.norm": "none"},
        {
            "net.0.shortcut": "identity",
            "net.0.branch_gain": "depth",
            "net.0.order": "pre",
            "net.0.norm": "layer",
        },
    ),
    ("gain-one", "explode-relu-gain", {"net.0.gain": 0.5}, {}),
    ("fewer-layers", "plain-57", {}, {"net.1.repeat": 1}),
    ("lstm", "adding-rnn", {}, {"net.0.block": "lstm", "net.0.forget_bias": 3.4}),
    ("lstm-memory", "adding-lstm", {"net.0.forget_bias": 1.0}, {"net.0.forget_bias": 3.4}),
    ("gru", "adding-rnn", {}, {"net.0.block": "gru"}),
    ("relu", "adding-rnn", {}, {}),
    ("batch-norm", "adding-rnn", {}, {}),
    ("layer-norm", "adding-rnn", {}, {"net.0.norm": "layer"}),
    ("orthogonal", "adding-rnn", {}, {"net.0.recurrent_init": "orthogonal"}),
    (
        "orthogonal",
        "explode-pixels-radius",
        {},
        {"net.0.recurrent_init": "orthogonal", "net.0.recurrent_gain": 1.0},
    ),
    ("clip-norm", "sigmoid-20", {"cures.clip_norm": 0.5}, {}),
    ("clip-norm", "sigmoid-20", {"cures.clip_norm": 5.0}, {"cures.clip_norm": 1.0}),
    ("l2", "sigmoid-20", {"cures.l2": 0.3}, {}),
    ("pretrain-rbm", "relu-20", {}, {}),
    ("pretrain-autoencoder", "residual-57", {}, {}),
    ("pretrain-autoencoder", "resnet-20", {}, {}),
    ("scale-loss", "underflow-fp16", {}, {"run.loss_scale": 0.0}),
    ("bf16", "underflow-fp16", {}, {"run.precision": "bf16"}),
    ("smaller-batch", "sigmoid-20", {"data.batch_size": 1}, {}),
]


@pytest.mark.parametrize(("key", "preset", "before", "changes"), ELSEWHERE)
def test_what_a_cure_sets_elsewhere(
    key: str, preset: str, before: dict[str, object], changes: dict[str, Any]
) -> None:
    assert cure(key).set_of(set_fields(resolve(preset), before)) == changes


@given(experiments())
@settings(max_examples=50, deadline=None)
def test_no_cure_breaks_an_experiment(exp: Experiment) -> None:
    before = to_dict(exp)
    for one in CURES:
        cured = one.apply(exp)
        check(cured)
        assert from_dict(to_dict(cured)) == cured
        assert set_fields(exp, one.set_of(exp)) == cured
    assert to_dict(exp) == before


@pytest.mark.parametrize("key", sorted(SET.keys() - {"smaller-lr", "smaller-batch", "fewer-layers"}))
@given(exp=experiments())
@settings(max_examples=10, deadline=None)
def test_taken_twice_a_cure_does_nothing_more(key: str, exp: Experiment) -> None:
    cured = cure(key).apply(exp)
    assert cure(key).apply(cured) == cured


@given(experiments())
@settings(max_examples=50, deadline=None)
def test_fewer_layers_shortens_the_net(exp: Experiment) -> None:
    blocks = sum(group.repeat for group in exp.net)
    left = sum(group.repeat for group in fewer_layers(exp, keep=2).net)
    assert left == blocks if blocks <= 2 else left <= max(2, len(exp.net))


def test_shortcuts_keep_the_depth() -> None:
    for repeat in (2, 9, 20, 21):
        exp = set_fields(FAILING, {"net.0.repeat": repeat})
        assert net_shape(cure("shortcuts").apply(exp)).depth in (repeat + 1, repeat + 2)
