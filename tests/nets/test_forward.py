"""Test the outputs of nets against torch's functions and torch's own recurrent and transformer layers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradtui.experiment.data_shapes import DataShape
from gradtui.experiment.spec import Data, Experiment, Group
from gradtui.nets import Net, build

FLAT = DataShape((6,), 4, "classify")
IMAGE = DataShape((2, 7, 5), 4, "classify")
SEQUENCE = DataShape((9, 3), 4, "classify")
TOKENS = DataShape((9,), 11, "sequence")


def made(shape: DataShape, *groups: Group, **data: Any) -> tuple[Net, dict[str, list[Tensor]]]:
    """A net in float64, training mode, biases and all random, and its parameters by layer."""
    exp = Experiment(data=Data(**data), net=groups)
    net = build(exp, shape, generator_seed=3).double()
    numbers = torch.Generator().manual_seed(4)
    for p in net.parameters():
        p.data = torch.randn(p.shape, generator=numbers, dtype=torch.float64) * 0.4
    return net, {layer.name: list(layer.parameters) for layer in net.layers}


def inputs(shape: DataShape, batch: int = 5) -> Tensor:
    return torch.randn(batch, *shape.input, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def same(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("activation", "function"),
    [
        ("identity", lambda h: h),
        ("sigmoid", torch.sigmoid),
        ("tanh", torch.tanh),
        ("relu", torch.relu),
        ("leaky_relu", lambda h: torch.where(h > 0, h, 0.2 * h)),
        ("elu", lambda h: torch.where(h > 0, h, torch.expm1(h))),
        ("selu", lambda h: 1.0507009873554805 * torch.where(h > 0, h, 1.6732632423543772 * torch.expm1(h))),
        ("gelu", lambda h: h * 0.5 * (1 + torch.erf(h / 2**0.5))),
        ("silu", lambda h: h * torch.sigmoid(h)),
    ],
)
def test_plain_dense_net_equals_torchs_functions(activation: str, function: Any) -> None:
    net, p = made(FLAT, Group(width=8, repeat=2, activation=activation, slope=0.2))
    x = inputs(FLAT)
    h = function(F.linear(function(F.linear(x, *p["dense1"])), *p["dense2"]))
    same(net(x), F.linear(h, *p["output"]))


def test_prelu_has_one_slope_for_the_layer() -> None:
    net, p = made(FLAT, Group(width=8, activation="prelu"))
    weight, bias, slope = p["dense1"]
    x = inputs(FLAT)
    h = F.linear(x, weight, bias)
    same(net(x), F.linear(torch.where(h > 0, h, slope * h), *p["output"]))


def norm_by_hand(kind: str, x: Tensor, scale: Tensor, *shift: Tensor) -> Tensor:
    """Of (batch, 12 features), in the words of the papers."""
    if kind == "rms":
        return x / torch.sqrt(x.square().mean(1, keepdim=True) + 1e-5) * scale
    # Eight groups do not divide 12, so there are six.
    parts = x.view(len(x), 6, -1) if kind == "group" else x.unsqueeze(1)
    axis = 0 if kind == "batch" else 2
    mean, variance = parts.mean(axis, keepdim=True), parts.var(axis, unbiased=False, keepdim=True)
    return ((parts - mean) / torch.sqrt(variance + 1e-5)).view_as(x) * scale + shift[0]


@pytest.mark.parametrize("kind", ["batch", "layer", "group", "rms"])
@pytest.mark.parametrize("order", ["post", "pre"])
def test_normalisation_of_dense_layers_equals_torchs(kind: str, order: str) -> None:
    shape = DataShape((12,), 4, "classify")
    net, p = made(shape, Group(width=12, norm=kind, order=order, activation="tanh"))
    weight, bias, scale, *shift = p["dense1"]
    x = inputs(shape)

    if order == "post":
        h = torch.tanh(norm_by_hand(kind, F.linear(x, weight, bias), scale, *shift))
    else:
        h = F.linear(torch.tanh(norm_by_hand(kind, x, scale, *shift)), weight, bias)
        h = torch.tanh(norm_by_hand(kind, h, *p["output"][2:]))
    same(net(x), F.linear(h, *p["output"][:2]))


@pytest.mark.parametrize("kind", ["batch", "layer", "group", "rms"])
def test_normalisation_of_images_equals_torchs(kind: str) -> None:
    net, p = made(IMAGE, Group(block="conv", width=8, norm=kind, activation="relu"))
    weight, bias, scale, *shift = p["conv1"]
    x = inputs(IMAGE)
    h = F.conv2d(x, weight, bias, padding=1)
    if kind == "batch":
        h = F.batch_norm(h, None, None, scale, shift[0], training=True, eps=1e-5)
    elif kind == "rms":
        h = h / torch.sqrt(h.square().mean((1, 2, 3), keepdim=True) + 1e-5) * scale.view(1, -1, 1, 1)
    else:
        h = F.group_norm(h, 8 if kind == "group" else 1, scale, shift[0], 1e-5)
    same(net(x), F.linear(torch.relu(h).mean((2, 3)), *p["output"]))


def test_residual_block_of_order_post_adds_before_its_last_activation() -> None:
    net, p = made(FLAT, Group(width=8, layers=2, repeat=2, shortcut="identity", activation="tanh"))
    x = inputs(FLAT)
    for n, around in ((1, F.linear(x, *p["dense1.shortcut"])), (2, None)):
        inner = torch.tanh(F.linear(x, *p[f"dense{n}.1"]))
        x = torch.tanh((x if around is None else around) + F.linear(inner, *p[f"dense{n}.2"]))
    same(net(inputs(FLAT)), F.linear(x, *p["output"]))


def test_residual_blocks_of_order_pre_are_closed_by_norm_and_activation() -> None:
    """He et al. 2016, "Identity mappings": the sum is bare between blocks, and closed before the output."""
    net, p = made(
        FLAT,
        Group(width=12, activation="identity"),
        Group(
            width=12, layers=2, repeat=2, shortcut="identity", order="pre", activation="relu", norm="layer"
        ),
    )

    def opened(x: Tensor, layer: str) -> Tensor:
        return torch.relu(norm_by_hand("layer", x, *p[layer][2:]))

    x = F.linear(inputs(FLAT), *p["dense1"])
    for n in (2, 3):
        inner = F.linear(opened(x, f"dense{n}.1"), *p[f"dense{n}.1"][:2])
        x = x + F.linear(opened(inner, f"dense{n}.2"), *p[f"dense{n}.2"][:2])
    same(net(inputs(FLAT)), F.linear(opened(x, "output"), *p["output"][:2]))
    assert isinstance(net.layers[-1].activation, nn.ReLU)


def test_an_image_is_closed_before_its_average_and_a_next_group_reads_the_bare_sum() -> None:
    pre = Group(block="conv", width=4, activation="relu", order="pre")
    net, p = made(IMAGE, pre)
    x = inputs(IMAGE)
    h = F.conv2d(torch.relu(x), *p["conv1"], padding=1)
    same(net(x), F.linear(torch.relu(h).mean((2, 3)), *p["output"]))
    net, p = made(IMAGE, pre, Group(width=3, activation="tanh"))
    h = F.conv2d(torch.relu(x), *p["conv1"], padding=1).mean((2, 3))
    same(net(x), F.linear(torch.tanh(F.linear(h, *p["dense2"])), *p["output"]))


@pytest.mark.parametrize("order", ["post", "pre"])
def test_rezero_scales_a_branch_that_ends_in_its_activation(order: str) -> None:
    net, p = made(FLAT, Group(width=6, shortcut="rezero", activation="tanh", order=order))
    weight, bias, alpha = p["dense1"]
    x = inputs(FLAT)
    branch = (
        torch.tanh(F.linear(x, weight, bias)) if order == "post" else F.linear(torch.tanh(x), weight, bias)
    )
    total = x + alpha * branch
    same(net(x), F.linear(total if order == "post" else torch.tanh(total), *p["output"]))


def test_highway_mixes_branch_and_input() -> None:
    net, p = made(FLAT, Group(width=6, shortcut="highway", activation="tanh"))
    x = inputs(FLAT)
    gate = torch.sigmoid(F.linear(x, *p["dense1.gate"]))
    mixed = gate * torch.tanh(F.linear(x, *p["dense1"])) + (1 - gate) * x
    same(net(x), F.linear(mixed, *p["output"]))


@pytest.mark.parametrize(("branch_gain", "scale"), [(0.3, 0.3), ("depth", 0.5)])
@pytest.mark.parametrize("block", ["dense", "conv"])
def test_branch_gain_multiplies_the_last_layer_of_each_branch(
    branch_gain: Any, scale: float, block: Any
) -> None:
    """Two blocks here and two more of rezero: depth is 1/√4."""
    fields: dict[str, Any] = {"width": 4, "layers": 2, "block": block, "activation": "tanh", "repeat": 2}
    shape = DataShape((4, 3, 3) if block == "conv" else (4,), 4, "classify")
    net, p = made(
        shape,
        Group(shortcut="identity", branch_gain=branch_gain, **fields),
        Group(shortcut="rezero", **{**fields, "layers": 1}),
    )

    def weights(x: Tensor, name: str) -> Tensor:
        weight, bias = p[name][:2]
        return F.conv2d(x, weight, bias, padding=1) if block == "conv" else F.linear(x, weight, bias)

    x = inputs(shape)
    for number in (1, 2):
        x = torch.tanh(
            x + scale * weights(torch.tanh(weights(x, f"{block}{number}.1")), f"{block}{number}.2")
        )
    for number in (3, 4):
        x = x + p[f"{block}{number}"][2] * torch.tanh(weights(x, f"{block}{number}"))
    same(net(inputs(shape)), F.linear(x.mean((2, 3)) if block == "conv" else x, *p["output"]))


def test_the_branch_gain_is_part_of_what_the_layer_gives() -> None:
    """The theory's pre-activation: what the next module reads, biases as they were asked for."""
    group = Group(width=6, shortcut="identity", order="pre", branch_gain=0.3, bias_mean=2.0)
    net = build(Experiment(net=(group,)), FLAT, generator_seed=0)
    x = inputs(FLAT).float()
    layer = net.layers[0]
    expected = 0.3 * torch.sigmoid(x) @ layer.parameters[0].T + 2.0
    torch.testing.assert_close(layer.module(torch.sigmoid(x)), expected)


def test_branch_gain_of_recurrent_and_attention_blocks() -> None:
    fields: dict[str, Any] = {"width": 4, "shortcut": "identity"}
    shape = DataShape((9, 4), 4, "classify")
    x = inputs(shape)
    net, p = made(shape, Group(block="rnn", activation="tanh", branch_gain=0.3, **fields))
    oracle = nn.RNN(4, 4, batch_first=True).double()
    for name, value in zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), p["rnn1"], strict=True):
        getattr(oracle, f"{name}_l0").data = value.data
    same(net(x), F.linear((x + 0.3 * oracle(x)[0])[:, -1], *p["output"]))

    net, p = made(shape, Group(block="attention", heads=1, activation="tanh", branch_gain=0.3, **fields))
    x = x + sinusoids(9, 4)
    for out, inner in (("out", "qkv"), ("mlp2", "mlp1")):
        h = F.linear(x, *p[f"attention1.{inner}"])
        if inner == "qkv":
            query, key, value = h.chunk(3, 2)
            h = torch.softmax(query @ key.transpose(1, 2) / 2, 2) @ value
        else:
            h = torch.tanh(h)
        x = x + 0.3 * F.linear(h, *p[f"attention1.{out}"])
    torch.testing.assert_close(net(inputs(shape)), F.linear(x[:, -1], *p["output"]), rtol=1e-5, atol=1e-5)


def test_basic_residual_block_of_two_convolutions() -> None:
    net, p = made(
        IMAGE, Group(block="conv", width=4, layers=2, stride=2, shortcut="identity", activation="relu")
    )
    x = inputs(IMAGE)
    inner = torch.relu(F.conv2d(x, *p["conv1.1"], stride=2, padding=1))
    around = F.conv2d(x, *p["conv1.shortcut"], stride=2)
    h = torch.relu(around + F.conv2d(inner, *p["conv1.2"], padding=1))
    same(net(x), F.linear(h.mean((2, 3)), *p["output"]))


def test_a_dense_group_reads_an_image_flat_and_channels_means_after_conv() -> None:
    net, p = made(IMAGE, Group(width=3, activation="identity"))
    x = inputs(IMAGE)
    same(net(x), F.linear(F.linear(x.flatten(1), *p["dense1"]), *p["output"]))
    net, p = made(IMAGE, Group(block="conv", width=4, kernel=1, activation="identity"), Group(width=3))
    h = torch.sigmoid(F.linear(F.conv2d(x, *p["conv1"]).mean((2, 3)), *p["dense2"]))
    same(net(x), F.linear(h, *p["output"]))


@pytest.mark.parametrize(
    ("block", "activation", "fused"),
    [
        ("rnn", "tanh", nn.RNN),
        ("rnn", "relu", nn.RNN),
        ("lstm", "sigmoid", nn.LSTM),
        ("gru", "sigmoid", nn.GRU),
    ],
)
def test_recurrent_layers_are_torchs(block: str, activation: str, fused: Any) -> None:
    net, p = made(SEQUENCE, Group(block=block, width=6, repeat=2, activation=activation))
    extra = {"nonlinearity": activation} if block == "rnn" else {}
    oracle = fused(3, 6, num_layers=2, batch_first=True, **extra).double()
    for number in (1, 2):
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        for name, value in zip(names, p[f"{block}{number}"], strict=True):
            getattr(oracle, f"{name}_l{number - 1}").data = value.data
    x = inputs(SEQUENCE)
    same(net(x), F.linear(oracle(x)[0][:, -1], *p["output"]))


def test_recurrence_of_any_activation() -> None:
    net, p = made(SEQUENCE, Group(block="rnn", width=6, activation="elu"))
    weight, recurrent, bias, other = p["rnn1"]
    x, h = inputs(SEQUENCE), torch.zeros(5, 6, dtype=torch.float64)
    for step in range(9):
        h = F.elu(x[:, step] @ weight.T + bias + h @ recurrent.T + other)
    same(net(x), F.linear(h, *p["output"]))


def test_a_recurrent_shortcut_adds_the_input_at_every_step() -> None:
    net, p = made(SEQUENCE, Group(block="gru", width=6, shortcut="identity", norm="layer", order="pre"))
    oracle = nn.GRU(3, 6, batch_first=True).double()
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    for name, value in zip(names, p["gru1"][:4], strict=True):
        getattr(oracle, f"{name}_l0").data = value.data
    x = inputs(SEQUENCE)
    hidden = oracle(F.layer_norm(x, (3,), *p["gru1"][4:]))[0] + F.linear(x, *p["gru1.shortcut"])
    closed = F.layer_norm(hidden[:, -1], (6,), *p["output"][2:])
    same(net(x), F.linear(closed, *p["output"][:2]))


@pytest.mark.parametrize("reading", ["rows", "pixels"])
def test_rnn_reads_images_by_row_or_pixel(reading: str) -> None:
    net, p = made(IMAGE, Group(block="rnn", width=6, activation="tanh"), sequence=reading)
    x = inputs(IMAGE)
    steps = (
        [torch.cat([x[:, 0, row], x[:, 1, row]], 1) for row in range(7)]
        if reading == "rows"
        else [x[:, :, row, column] for row in range(7) for column in range(5)]
    )
    h = torch.zeros(5, 6, dtype=torch.float64)
    weight, recurrent, bias, other = p["rnn1"]
    for step in steps:
        h = torch.tanh(step @ weight.T + bias + h @ recurrent.T + other)
    same(net(x), F.linear(h, *p["output"]))


def encoder_of(p: dict[str, list[Tensor]], number: int, order: str, width: int) -> nn.Module:
    """torch's encoder layer with the same numbers."""
    layer = nn.TransformerEncoderLayer(
        width, 2, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=order == "pre"
    ).double()
    qkv, out, mlp1, mlp2 = (p[f"attention{number}.{name}"] for name in ("qkv", "out", "mlp1", "mlp2"))
    norms = (out, mlp2) if order == "post" else (qkv, mlp1)
    attention = layer.self_attn
    pairs = [
        (attention.in_proj_weight, qkv[0]),
        (attention.in_proj_bias, qkv[1]),
        (attention.out_proj.weight, out[0]),
        (attention.out_proj.bias, out[1]),
        (layer.linear1.weight, mlp1[0]),
        (layer.linear1.bias, mlp1[1]),
        (layer.linear2.weight, mlp2[0]),
        (layer.linear2.bias, mlp2[1]),
        (layer.norm1.weight, norms[0][2]),
        (layer.norm1.bias, norms[0][3]),
        (layer.norm2.weight, norms[1][2]),
        (layer.norm2.bias, norms[1][3]),
    ]
    for mine, theirs in pairs:
        mine.data = theirs.data
    return layer


def sinusoids(steps: int, width: int) -> Tensor:
    """Attention is all you need, section 3.5, number by number."""
    table = torch.zeros(steps, width, dtype=torch.float64)
    for step in range(steps):
        for i in range(width):
            angle = step / 10_000 ** ((i - i % 2) / width)
            table[step, i] = (
                torch.tensor(angle, dtype=torch.float64).sin()
                if i % 2 == 0
                else torch.cos(torch.tensor(angle, dtype=torch.float64))
            )
    return table


@pytest.mark.parametrize("order", ["post", "pre"])
def test_transformer_blocks_are_torchs_encoder_layers(order: str) -> None:
    group = Group(
        block="attention",
        width=6,
        heads=2,
        repeat=2,
        norm="layer",
        order=order,
        shortcut="identity",
        activation="gelu",
    )
    net, p = made(SEQUENCE, group)
    x = inputs(SEQUENCE)
    h = F.linear(x, *p["attention1.input"]) + sinusoids(9, 6)
    for number in (1, 2):
        h = encoder_of(p, number, order, 6)(h)
    last = h[:, -1]
    if order == "pre":
        last = F.layer_norm(last, (6,), *p["output"][2:])
    # The table of positions is float32, as the net is; the rest is float64.
    torch.testing.assert_close(net(x), F.linear(last, *p["output"][:2]), rtol=1e-5, atol=1e-5)


def test_tokens_are_read_causally_and_told_at_every_step() -> None:
    group = Group(block="attention", width=6, heads=2, norm="layer", shortcut="identity", activation="gelu")
    net, p = made(TOKENS, group, source="copy", length=2)
    tokens = torch.randint(0, 11, (5, 9), generator=torch.Generator().manual_seed(6))
    h = p["embedding"][0][tokens] + sinusoids(9, 6)
    mask = nn.Transformer.generate_square_subsequent_mask(9, dtype=torch.float64)
    expected = F.linear(encoder_of(p, 1, "post", 6)(h, src_mask=mask), *p["output"])
    torch.testing.assert_close(net(tokens), expected, rtol=1e-5, atol=1e-5)
    changed = tokens.clone()
    changed[:, 6] = (changed[:, 6] + 1) % 11
    difference = (net(changed) - net(tokens)).abs().amax((0, 2))
    assert torch.all(difference[:6] == 0)
    assert torch.all(difference[6:] > 0)


def test_attention_without_a_shortcut_and_with_rezero() -> None:
    plain = Group(block="attention", width=3, heads=1, activation="relu")
    net, _ = made(SEQUENCE, plain)
    rezero, p = made(
        SEQUENCE, Group(block="attention", width=3, heads=1, activation="relu", shortcut="rezero")
    )
    p["attention1.mlp2"][-1].data.zero_()
    x = inputs(SEQUENCE)
    bare = (x + sinusoids(9, 3))[:, -1]
    torch.testing.assert_close(rezero(x), F.linear(bare, *p["output"]), rtol=1e-5, atol=1e-5)
    assert not torch.allclose(net(x), F.linear(bare, *p["output"]), atol=1e-2)


def test_dense_and_recurrent_layers_read_tokens_step_by_step() -> None:
    net, p = made(TOKENS, Group(width=6, norm="batch", activation="tanh"), source="copy", length=2)
    tokens = torch.randint(0, 11, (5, 9), generator=torch.Generator().manual_seed(6))
    weight, bias, scale, shift = p["dense1"]
    h = F.linear(p["embedding"][0][tokens], weight, bias).view(45, 6)
    h = torch.tanh(norm_by_hand("batch", h, scale, shift)).view(5, 9, 6)
    same(net(tokens), F.linear(h, *p["output"]))
