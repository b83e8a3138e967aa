"""Test names, shapes and counts of layers against published counts and torch's own modules."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradtui.experiment import Experiment, ExperimentError, from_dict, net_shape, resolve
from gradtui.experiment.data_shapes import DataShape
from gradtui.experiment.layers import NetShape, Norm
from tests.support.experiments import experiments


def shape_of(data: dict[str, Any], *net: dict[str, Any]) -> NetShape:
    return net_shape(from_dict({"data": data, "net": list(net)}))


def parameters(shape: NetShape) -> dict[str, int]:
    return {layer.name: layer.parameters for layer in shape.layers}


def count(module: Any) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


DIGITS = {"source": "digits"}
ROWS = {"sequence": "rows"}


def test_default_net_has_21_layers_with_torchs_counts() -> None:
    shape = net_shape(resolve("sigmoid-20"))
    assert [layer.name for layer in shape.layers] == [f"dense{n}" for n in range(1, 21)] + ["output"]
    assert shape.depth == 21
    assert shape.parameters == 20 * (64 * 64 + 64) + 64 * 10 + 10
    assert shape.layers[0].output == (64,)
    assert (shape.layers[-1].kind, shape.layers[-1].output) == ("output", (10,))
    assert [(layer.block, layer.group) for layer in shape.layers[18:]] == [(19, 0), (20, 0), (0, -1)]


@pytest.mark.parametrize(("depth", "millions"), [(20, 0.27), (56, 0.85), (110, 1.7), (1202, 19.4)])
def test_residual_nets_have_the_published_size(depth: int, millions: float) -> None:
    """He et al. 2016, "Deep residual learning", table 6 (CIFAR-10; theirs without biases, and with 3 channels)."""
    shape = net_shape(resolve(f"resnet-{depth}"))
    assert shape.depth == depth
    assert shape.parameters / 1e6 == pytest.approx(millions, rel=0.025)


def test_dense_parameter_counts_equal_torchs() -> None:
    nn = pytest.importorskip("torch.nn")
    counts = parameters(
        shape_of(
            DIGITS,
            {"width": 7, "repeat": 2, "layers": 2, "shortcut": "highway"},
            {"width": 5, "norm": "rms", "activation": "prelu"},
        )
    )
    assert counts == {
        "dense1.1": count(nn.Linear(64, 7)),
        "dense1.2": count(nn.Linear(7, 7)),
        "dense1.gate": count(nn.Linear(64, 7)),
        "dense1.shortcut": count(nn.Linear(64, 7, bias=False)),
        "dense2.1": count(nn.Linear(7, 7)),
        "dense2.2": count(nn.Linear(7, 7)),
        "dense2.gate": count(nn.Linear(7, 7)),
        "dense3": count(nn.Linear(7, 5)) + count(nn.RMSNorm(5)) + count(nn.PReLU()),
        "output": count(nn.Linear(5, 10)),
    }


@pytest.mark.parametrize("norm", ["batch", "layer", "group", "rms"])
def test_a_norm_belongs_to_the_layer_that_it_follows_or_feeds(norm: str) -> None:
    nn = pytest.importorskip("torch.nn")
    made = {
        "batch": nn.BatchNorm1d,
        "layer": nn.LayerNorm,
        "group": lambda width: nn.GroupNorm(Norm("group", width, 1).groups, width),
        "rms": nn.RMSNorm,
    }[norm]
    group = {"width": 7, "layers": 2, "norm": norm, "activation": "prelu", "shortcut": "rezero"}
    post = parameters(shape_of(DIGITS, {**group, "order": "post"}))
    pre = parameters(shape_of(DIGITS, {**group, "order": "pre"}))
    first, second = count(nn.Linear(64, 7)) + 1, count(nn.Linear(7, 7)) + 1 + 1
    assert (post["dense1.1"], post["dense1.2"]) == (first + count(made(7)), second + count(made(7)))
    assert (pre["dense1.1"], pre["dense1.2"]) == (first + count(made(64)), second + count(made(7)))


@pytest.mark.parametrize(("block", "slope"), [("dense", 1), ("conv", 1), ("attention", 0)])
def test_a_last_group_of_order_pre_is_closed_before_the_output(block: str, slope: int) -> None:
    data = ROWS if block == "attention" else {}
    group = {"block": block, "width": 8, "norm": "layer", "activation": "prelu"}
    output = 8 * 10 + 10
    assert shape_of(data, {**group, "order": "post"}).layers[-1].parameters == output
    assert shape_of(data, {**group, "order": "pre"}).layers[-1].parameters == output + 2 * 8 + slope


def test_conv_layers_are_torchs_and_strides_round_up() -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn
    shape = shape_of(
        DIGITS,
        {
            "block": "conv",
            "width": 3,
            "kernel": 5,
            "stride": 3,
            "repeat": 2,
            "layers": 2,
            "shortcut": "identity",
        },
        {"block": "conv", "width": 3, "kernel": 1, "stride": 2, "shortcut": "highway", "norm": "batch"},
    )
    assert parameters(shape) == {
        "conv1.1": count(nn.Conv2d(1, 3, 5)),
        "conv1.2": count(nn.Conv2d(3, 3, 5)),
        "conv1.shortcut": count(nn.Conv2d(1, 3, 1, bias=False)),
        "conv2.1": count(nn.Conv2d(3, 3, 5)),
        "conv2.2": count(nn.Conv2d(3, 3, 5)),
        "conv3": count(nn.Conv2d(3, 3, 1)) + count(nn.BatchNorm2d(3)),
        "conv3.gate": count(nn.Conv2d(3, 3, 1)),
        "conv3.shortcut": count(nn.Conv2d(3, 3, 1, bias=False)),
        "output": count(nn.Linear(3, 10)),
    }
    x = nn.Conv2d(1, 3, 5, stride=3, padding=2)(torch.zeros(1, 1, 8, 8))
    assert shape.layers[0].output == tuple(x.shape[1:])
    assert shape.layers[-2].output == tuple(nn.Conv2d(3, 3, 1, stride=2)(x).shape[1:])


@pytest.mark.parametrize(("block", "cell"), [("rnn", "RNNCell"), ("lstm", "LSTMCell"), ("gru", "GRUCell")])
def test_recurrent_layers_are_torchs_cells(block: str, cell: str) -> None:
    nn = pytest.importorskip("torch.nn")
    make = getattr(nn, cell)
    shape = shape_of(
        {"source": "adding", "length": 9},
        {"block": block, "width": 6, "repeat": 2, "layers": 2, "shortcut": "identity", "norm": "layer"},
        {"width": 3},
    )
    assert parameters(shape) == {
        f"{block}1.1": count(make(2, 6)) + 12,
        f"{block}1.2": count(make(6, 6)) + 12,
        f"{block}1.shortcut": count(nn.Linear(2, 6, bias=False)),
        f"{block}2.1": count(make(6, 6)) + 12,
        f"{block}2.2": count(make(6, 6)) + 12,
        "dense3": count(nn.Linear(6, 3)),
        "output": count(nn.Linear(3, 1)),
    }
    assert shape.layers[0].output == (9, 6)
    assert shape.layers[-2].output == (3,)


def test_a_learned_slope_is_the_rnns_alone() -> None:
    def first(block: str, activation: str) -> int:
        group = {"block": block, "width": 6, "activation": activation}
        return shape_of(ROWS, group).layers[0].parameters

    assert first("rnn", "prelu") == first("rnn", "tanh") + 1
    assert first("lstm", "prelu") == first("lstm", "tanh")
    assert first("gru", "prelu") == first("gru", "tanh")


@pytest.mark.parametrize("order", ["pre", "post"])
def test_a_transformer_block_is_torchs_encoder_layer(order: str) -> None:
    nn = pytest.importorskip("torch.nn")
    group = {
        "block": "attention",
        "width": 12,
        "heads": 4,
        "norm": "layer",
        "order": order,
        "shortcut": "identity",
    }
    shape = shape_of(ROWS, {**group, "repeat": 2})
    encoder = nn.TransformerEncoderLayer(12, 4, 48, norm_first=order == "pre")
    first, second = shape.layers[:5], shape.layers[5:-1]
    assert [layer.name for layer in first] == [
        f"attention1.{part}" for part in ("input", "qkv", "out", "mlp1", "mlp2")
    ]
    assert [layer.name for layer in second] == [
        f"attention2.{part}" for part in ("qkv", "out", "mlp1", "mlp2")
    ]
    assert sum(layer.parameters for layer in second) == count(encoder)
    assert first[0].parameters == count(nn.Linear(8, 12))
    assert [layer.output for layer in second] == [(8, 36), (8, 12), (8, 48), (8, 12)]
    assert shape.depth == 9


def test_tokens_start_with_an_embedding_and_end_at_every_step() -> None:
    nn = pytest.importorskip("torch.nn")
    shape = shape_of({"source": "copy", "length": 5}, {"block": "attention", "width": 8}, {"width": 3})
    assert [layer.name for layer in shape.layers][:2] == ["embedding", "attention1.qkv"]
    assert shape.layers[0].parameters == count(nn.Embedding(10, 8))
    assert [layer.output for layer in shape.layers[-2:]] == [(25, 3), (25, 10)]
    assert shape.depth == 1 + 4 + 1 + 1


def test_dense_group_after_each_kind_of_data_has_the_right_inputs() -> None:
    def output_parameters(data: dict[str, Any], *net: dict[str, Any]) -> int:
        return shape_of(data, *net).layers[0].parameters

    assert output_parameters({"source": "adding", "length": 7}, {"width": 1}) == 14 + 1
    assert output_parameters({"sequence": "pixels"}, {"width": 1}) == 64 + 1
    assert shape_of({}, {"block": "conv", "width": 3}, {"width": 2}).layers[1].parameters == 3 * 2 + 2
    assert shape_of(ROWS, {"block": "rnn", "width": 3}, {"width": 2}).layers[1].output == (2,)


def test_images_as_sequences() -> None:
    def first(reading: str) -> tuple[int, tuple[int, ...]]:
        shape = shape_of(
            {"source": "cifar10", "path": "x", "sequence": reading}, {"block": "rnn", "width": 1}
        )
        return shape.layers[0].parameters, shape.layers[0].output

    assert first("rows") == (96 + 1 + 2, (32, 1))
    assert first("pixels") == (3 + 1 + 2, (1024, 1))


def test_a_file_that_does_not_suit_the_net_is_refused_when_it_is_known() -> None:
    exp = from_dict({"data": {"source": "npz", "path": "x.npz"}, "net": [{"block": "conv"}]})
    with pytest.raises(
        ExperimentError, match=r"^net\.0\.block: \"conv\" is not allowed; expected dense on npz"
    ):
        net_shape(exp, DataShape((9,), 2, "classify"))
    assert net_shape(exp, DataShape((1, 9, 9), 2, "classify")).layers[0].output == (64, 9, 9)


@given(st.integers(1, 10_000))
def test_groups_of_a_group_norm_divide_the_width(width: int) -> None:
    groups = Norm("group", width, 1).groups
    assert width % groups == 0
    assert groups == max(number for number in range(1, 9) if width % number == 0)


@given(experiments())
@settings(max_examples=50, deadline=None)
def test_names_and_parameters_of_any_net_add_up(exp: Experiment) -> None:
    shape = net_shape(exp)
    names = [layer.name for layer in shape.layers]
    assert len(set(names)) == len(names)
    assert names[-1] == "output"
    assert shape.parameters == sum(layer.parameters for layer in shape.layers)
    blocks = [layer.block for layer in shape.layers if layer.block]
    assert blocks == sorted(blocks)
    assert set(blocks) == set(range(1, sum(group.repeat for group in exp.net) + 1))
    wide = {group: exp.net[group].width for group in range(len(exp.net))}
    for layer in shape.layers:
        if layer.kind not in ("attention", "embedding", "output"):
            assert wide[layer.group] == (
                layer.output[0] if layer.name.startswith("conv") else layer.output[-1]
            )
