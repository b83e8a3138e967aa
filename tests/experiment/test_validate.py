"""Test the rules between fields: each refusal names the field, its value and what is allowed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from gradtui.experiment import Experiment, ExperimentError, from_dict, net_shape
from gradtui.experiment.net_plan import depth_of
from tests.support.experiments import experiments


def groups(*blocks: str | dict[str, Any]) -> list[dict[str, Any]]:
    return [{"block": block} if isinstance(block, str) else block for block in blocks]


ROWS = {"sequence": "rows"}
ADDING, TEXT, COPY, SPIRALS = ({"source": source} for source in ("adding", "text", "copy", "spirals"))
NPZ = {"source": "npz", "path": "x.npz"}


@pytest.mark.parametrize(
    ("data", "net"),
    [
        ({}, groups("conv", "dense")),
        ({}, groups("conv", "conv", "dense", "dense")),
        ({"source": "cifar10", "path": "x"}, groups("conv")),
        (ROWS, groups("rnn", "lstm", "attention", "gru", "dense")),
        (ROWS, groups("dense")),
        ({"sequence": "pixels"}, groups("gru")),
        (ADDING, groups("dense")),
        (ADDING, groups("attention", "dense", "dense")),
        (TEXT, groups("rnn", "dense", "lstm")),
        (COPY, groups("dense", "attention")),
        (NPZ, groups("conv", "dense")),
        (NPZ, groups("rnn", "dense")),
    ],
)
def test_fitting_blocks_are_accepted(data: dict[str, Any], net: list[dict[str, Any]]) -> None:
    from_dict({"data": data, "net": net})


REFUSED: list[tuple[dict[str, Any], str]] = [
    (
        {"net": groups("dense", "conv")},
        'net.1.block: "conv" is not allowed; expected dense after dense: conv reads an image',
    ),
    (
        {"net": groups("conv", "dense", "conv")},
        'net.2.block: "conv" is not allowed; expected dense after dense',
    ),
    (
        {"net": groups("conv", "gru")},
        'net.1.block: "gru" is not allowed; expected dense or conv after conv: gru reads a sequence',
    ),
    (
        {"net": groups("rnn")},
        'data.sequence: "none" is not allowed; expected rows or pixels: rnn reads a sequence',
    ),
    (
        {"net": groups("attention")},
        'data.sequence: "none" is not allowed; expected rows or pixels: attention reads',
    ),
    (
        {"net": groups("conv"), "data": ROWS},
        'data.sequence: "rows" is not allowed; expected none: conv reads the image',
    ),
    (
        {"net": groups("rnn", "conv"), "data": ROWS},
        'net.1.block: "conv" is not allowed; expected dense, rnn, lstm, gru or attention after rnn: conv',
    ),
    (
        {"net": groups("rnn", "dense", "rnn"), "data": ROWS},
        'net.2.block: "rnn" is not allowed; expected dense after dense',
    ),
    (
        {"net": groups("conv"), "data": SPIRALS},
        'net.0.block: "conv" is not allowed; expected dense on spirals',
    ),
    (
        {"net": groups("lstm"), "data": SPIRALS},
        'net.0.block: "lstm" is not allowed; expected dense on spirals',
    ),
    (
        {"net": groups("lstm"), "data": {**SPIRALS, **ROWS}},
        'net.0.block: "lstm" is not allowed; expected dense on',
    ),
    (
        {"net": groups("conv"), "data": ADDING},
        'net.0.block: "conv" is not allowed; expected dense, rnn, lstm, gru or',
    ),
    (
        {"net": groups("conv"), "data": TEXT},
        'net.0.block: "conv" is not allowed; expected dense, rnn, lstm, gru or',
    ),
    ({"data": {"source": "idx"}}, 'data.path: "" is not allowed; expected the folder of MNIST'),
    ({"data": {"source": "cifar10"}}, 'data.path: "" is not allowed; expected the folder of CIFAR-10'),
    ({"data": {"source": "npz"}}, 'data.path: "" is not allowed; expected a .npz file with arrays x and y'),
    (
        {"data": {"batch_size": 1}, "net": [{"norm": "batch"}]},
        "data.batch_size: 1 is not allowed; expected 2 or more",
    ),
    (
        {"net": [{"block": "lstm", "norm": "batch"}], "data": ROWS},
        'net.0.norm: "batch" is not allowed; expected none, layer, group or rms with lstm: the statistics of a batch',
    ),
    (
        {"net": [{"block": "attention", "norm": "batch"}], "data": ROWS},
        'net.0.norm: "batch" is not allowed; expected',
    ),
    (
        {"net": [{"block": "attention", "heads": 5}], "data": ROWS},
        "net.0.heads: 5 is not allowed; expected a divisor of the width 64, such as 2, 4 or 8",
    ),
    (
        {"net": [{"block": "attention", "heads": 2, "width": 1}], "data": ROWS},
        "net.0.heads: 2 is not allowed; expected a divisor of the width 1, such as 1",
    ),
    (
        {"net": [{"block": "attention", "layers": 2}], "data": ROWS},
        "net.0.layers: 2 is not allowed; expected 1 with",
    ),
    (
        {"net": [{"block": "attention", "shortcut": "highway"}], "data": ROWS},
        'net.0.shortcut: "highway" is not allowed',
    ),
    (
        {"net": [{"block": "gru", "shortcut": "rezero"}], "data": ROWS},
        'net.0.shortcut: "rezero" is not allowed; expected none or identity',
    ),
    (
        {"net": [{"block": "gru", "shortcut": "highway"}], "data": ROWS},
        'net.0.shortcut: "highway" is not allowed',
    ),
    ({"net": [{"block": "conv", "kernel": 4}]}, "net.0.kernel: 4 is not allowed; expected an odd number"),
    (
        {"net": [{"init": "fixup"}]},
        'net.0.shortcut: "none" is not allowed; expected identity with init fixup',
    ),
    ({"net": [{"init": "fixup", "shortcut": "rezero"}]}, 'net.0.shortcut: "rezero" is not allowed'),
    (
        {"net": [{"init": "fixup", "shortcut": "identity", "norm": "rms"}]},
        'net.0.norm: "rms" is not allowed; expected none',
    ),
    (
        {"net": [{"init": "fixup", "block": "rnn", "shortcut": "identity"}], "data": ROWS},
        'net.0.init: "fixup" is not allowed',
    ),
    (
        {"net": [{"repeat": 10_000, "layers": 16}]},
        "net.0.repeat: 10000 is not allowed; expected at most 100000 weight",
    ),
]


def pretrain(kind: str, **more: Any) -> dict[str, Any]:
    return {"pretrain": {"kind": kind, **more}}


UNIT = {"scaling": "unit"}
REFUSED += [
    (
        {"cures": pretrain("autoencoder"), "net": groups("dense", "dense"), "data": COPY},
        'cures.pretrain.kind: "autoencoder" is not allowed; expected none or checkpoint on copy',
    ),
    (
        {"cures": pretrain("autoencoder"), "net": groups("conv", "dense")},
        'net.0.block: "conv" is not allowed; expected dense with',
    ),
    (
        {"cures": pretrain("autoencoder"), "net": [{}, {"shortcut": "rezero"}]},
        'net.1.shortcut: "rezero" is not allowed; expected none',
    ),
    (
        {"cures": pretrain("autoencoder"), "net": [{"order": "pre"}]},
        'net.0.order: "pre" is not allowed; expected post with',
    ),
    (
        {"cures": pretrain("rbm"), "net": [{"activation": "relu"}], "data": UNIT},
        'net.0.activation: "relu" is not allowed; expected sigmoid',
    ),
    (
        {"cures": pretrain("rbm"), "net": [{"norm": "layer"}], "data": UNIT},
        'net.0.norm: "layer" is not allowed; expected none',
    ),
    ({"cures": pretrain("rbm")}, 'data.scaling: "standard" is not allowed; expected unit'),
    (
        {"cures": pretrain("rbm"), "data": {**SPIRALS, **UNIT}},
        'data.source: "spirals" is not allowed; expected digits',
    ),
    (
        {"cures": pretrain("checkpoint")},
        'cures.pretrain.path: "" is not allowed; expected a .safetensors file or a run',
    ),
    (
        {"cures": pretrain("checkpoint", path="x", freeze=2)},
        "cures.pretrain.freeze: 2 is not allowed; expected fewer than the net's 2 layers",
    ),
    (
        {"cures": pretrain("none", freeze=1)},
        "cures.pretrain.freeze: 1 is not allowed; expected 0 without pretraining",
    ),
]


@pytest.mark.parametrize(("raw", "line"), REFUSED, ids=range(len(REFUSED)))
def test_a_rule_that_is_broken_names_the_field(raw: dict[str, Any], line: str) -> None:
    with pytest.raises(ExperimentError) as caught:
        from_dict(raw)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)
    # What the message blames is what the person wrote, or a default that they did not change.
    assert caught.value.field.split(".")[0] in ("data", "net", "cures")


@pytest.mark.parametrize(
    "raw",
    [
        {"cures": pretrain("autoencoder"), "net": [{"activation": "relu", "norm": "batch"}]},
        {"cures": pretrain("autoencoder"), "data": ADDING},
        {"cures": pretrain("rbm"), "data": UNIT},
        {"cures": pretrain("checkpoint", path="x", freeze=1), "net": groups("conv")},
        {"net": [{"init": "fixup", "shortcut": "identity", "layers": 2}]},
        {"net": [{"block": "attention", "init": "fixup", "shortcut": "identity"}], "data": ROWS},
        {"net": [{"block": "lstm", "shortcut": "identity", "norm": "layer"}], "data": ROWS},
        # Fields of other kinds are ignored, so that switching back and forth loses nothing.
        {"net": [{"heads": 7, "kernel": 2, "stride": 9, "forget_bias": 3.0}]},
    ],
)
def test_what_the_rules_let_through(raw: dict[str, Any]) -> None:
    from_dict(raw)


@given(experiments())
@settings(max_examples=50, deadline=None)
def test_what_the_rules_let_through_has_a_shape_of_that_depth(exp: Experiment) -> None:
    assert net_shape(exp).depth == depth_of(exp)
