"""Test the names that common programs give to what they log."""

from __future__ import annotations

import pytest

from gradtui.importing.names import evaluation_of, forward_order, gradient_of, layer_of, measured, scalar_of


@pytest.mark.parametrize(
    ("tag", "parameter"),
    [
        ("grad_norm/dense1", "dense1"),
        ("gradients/layers.0.attn.weight", "layers.0.attn.weight"),
        ("grad_2.0_norm/0.weight", "0.weight"),
        ("train/grad_norm/fc1", "fc1"),
        ("grad_norm_encoder.conv1", "encoder.conv1"),
        ("conv1.weight.grad", "conv1.weight"),
        ("conv1.weight/grad", "conv1.weight"),
        ("fc1/grad_norm", "fc1"),
        ("grads/dense/kernel:0", "dense/kernel:0"),
        ("grad_norm/model.layers.3.mlp.norm", "model.layers.3.mlp.norm"),
    ],
)
def test_gradient_tags_name_their_parameter(tag: str, parameter: str) -> None:
    assert gradient_of(tag) == parameter


@pytest.mark.parametrize(
    "tag",
    [
        "train/grad_norm",
        "grad_norm",
        "grad_2.0_norm_total",
        "grad_norm_total",
        "grad_norm/total",
        "grad_norm_clipped",
        "grad_norm_step",
        "grad_inf_norm/0.weight",
        "grad_1.0_norm/0.weight",
        "loss",
        "lr-SGD",
        "weights/fc1",
        "gradient_log10/dense1",
        "degradation/x",
    ],
)
def test_total_norms_are_not_taken_for_layers(tag: str) -> None:
    assert gradient_of(tag) is None


def test_measures_of_gradtui_keep_their_names() -> None:
    assert measured("update_ratio/dense3") == ("update_ratio", "dense3")
    assert measured("gradients/dense3") == ("grad_norm", "dense3")
    assert measured("hidden_grad/3") is None


@pytest.mark.parametrize(
    ("parameter", "layer"),
    [
        ("h.0.attn.weight", "h.0.attn"),
        ("h.0.attn.bias", "h.0.attn"),
        ("rnn.weight_ih_l0", "rnn"),
        ("rnn.bias_hh_l1_reverse", "rnn"),
        ("attn.in_proj_weight", "attn"),
        ("dense/kernel:0", "dense"),
        ("fc1", "fc1"),
        ("weight", "weight"),
        ("weightless.cell", "weightless.cell"),
    ],
)
def test_parameters_of_a_layer_are_one_layer(parameter: str, layer: str) -> None:
    assert layer_of(parameter) == layer


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("loss", "loss"),
        ("train/loss", "loss"),
        ("train_loss_step", "loss"),
        ("Loss/train", "loss"),
        ("train_acc", "accuracy"),
        ("Accuracy/train", "accuracy"),
        ("lr-Adam/pg1", "lr"),
        ("train/learning_rate", "lr"),
        ("train/grad_norm", "grad_norm"),
        ("grad_2.0_norm_total", "grad_norm"),
        ("grad_norm/total", "grad_norm"),
        ("val/loss", None),
        ("color", None),
        ("grad_norm_clipped", None),
    ],
)
def test_scalars_that_every_run_has(tag: str, name: str | None) -> None:
    assert scalar_of(tag) == name


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("val/loss", "test_loss"),
        ("val_loss", "test_loss"),
        ("Loss/test", "test_loss"),
        ("eval/accuracy", "test_accuracy"),
        ("valid_acc", "test_accuracy"),
        ("evaluation/train_loss", "train_loss"),
        ("evaluation/test_loss", "test_loss"),
        ("loss", None),
    ],
)
def test_evaluation_tags_are_recognised(tag: str, name: str | None) -> None:
    assert evaluation_of(tag) == name


def test_names_without_order_are_put_as_a_net_most_likely_runs() -> None:
    order = ["wte", "h.0.attn", "h.0.mlp", "h.2.attn", "h.10.attn", "ln_f", "lm_head"]
    assert forward_order(sorted(order)) == order
    assert forward_order(["6", "10", "0", "2"]) == ["0", "2", "6", "10"]
