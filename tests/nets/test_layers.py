"""Test layers of random valid experiments: names, kinds, counts and output shapes are those of `net_shape`."""

from __future__ import annotations

import torch
from hypothesis import HealthCheck, given, settings

from gradtui.experiment import Experiment, net_shape
from gradtui.experiment.data_shapes import TOKEN_SOURCES, DataShape, data_shape
from gradtui.nets import Net, build
from tests.support.experiments import experiments

BATCH = 3


def examples(exp: Experiment, shape: DataShape) -> torch.Tensor:
    numbers = torch.Generator().manual_seed(0)
    if exp.data.source in TOKEN_SOURCES:
        return torch.randint(0, shape.outputs, (BATCH, *shape.input), generator=numbers)
    return torch.randn(BATCH, *shape.input, generator=numbers)


def outputs_of_layers(net: Net, x: torch.Tensor) -> list[tuple[int, ...]]:
    seen: dict[str, tuple[int, ...]] = {}
    for layer in net.layers:

        def note(module: object, given: object, output: torch.Tensor, name: str = layer.name) -> None:
            seen[name] = tuple(output.shape[1:])

        layer.module.register_forward_hook(note)
    net(x)
    return [seen[layer.name] for layer in net.layers]


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(experiments())
def test_layers_are_those_of_the_experiments_shape(exp: Experiment) -> None:
    shape = data_shape(exp.data)
    expected = net_shape(exp)
    net = build(exp, shape, generator_seed=exp.seed)
    assert [(layer.name, layer.kind, layer.count) for layer in net.layers] == [
        (layer.name, layer.kind, layer.parameters) for layer in expected.layers
    ]
    assert sum(p.numel() for p in net.parameters()) == expected.parameters
    owned = [p for layer in net.layers for p in layer.parameters]
    assert {id(p) for p in owned} == {id(p) for p in net.parameters()}
    assert len(owned) == len({id(p) for p in owned})
    assert outputs_of_layers(net, examples(exp, shape)) == [layer.output for layer in expected.layers]


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(experiments())
def test_every_parameter_is_reached_by_the_loss(exp: Experiment) -> None:
    shape = data_shape(exp.data)
    net = build(exp, shape, generator_seed=exp.seed)
    net(examples(exp, shape)).square().sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    # Every layer has a place to look at: its module is called, and its activation where it has one.
    modules = {id(module) for module in net.modules()}
    for layer in net.layers:
        assert id(layer.module) in modules
        assert layer.activation is None or id(layer.activation) in modules
