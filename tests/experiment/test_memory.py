"""Test the memory of a training against torch's own count of the tensors that it saves for the backward pass."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from gradtui.experiment import Experiment, Optimizer, data_shape, from_dict, net_shape, resolve, set_fields
from gradtui.experiment.data_shapes import TOKEN_SOURCES
from gradtui.experiment.memory import activations, examples, memory_of, states
from tests.support.experiments import experiments

torch = pytest.importorskip("torch")

BATCH = 16
FLOAT = 4


def saved_bytes(exp: Experiment, batch: int, number: Any = None) -> int:
    """Bytes of the distinct storages that torch keeps from the forward pass of a step, the net's own aside."""
    from gradtui.data import loss_and_accuracy
    from gradtui.nets import build

    shape = data_shape(exp.data)
    net = build(exp, shape, generator_seed=0)
    if exp.data.source in TOKEN_SOURCES:
        x = torch.randint(0, shape.outputs, (batch, *shape.input))
    else:
        x = torch.randn(batch, *shape.input)
    if shape.task == "regress":
        y = torch.randn(batch, shape.outputs)
    else:
        y = torch.randint(0, shape.outputs, (batch,) if shape.task == "classify" else (batch, *shape.input))
    own = {t.untyped_storage().data_ptr() for t in (*net.parameters(), *net.buffers())}
    # The tensors themselves are held, lest another takes the place of one that went.
    kept: dict[int, Any] = {}

    def pack(tensor: Any) -> Any:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    half = torch.autocast("cpu", number) if number else contextlib.nullcontext()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        with half:
            outputs = net(x)
        loss_and_accuracy(shape.task)(outputs.float(), y)
    return sum(t.untyped_storage().nbytes() for place, t in kept.items() if place not in own)


def ours(exp: Experiment, batch: int) -> int:
    return FLOAT * activations(exp, data_shape(exp.data), batch)


@pytest.mark.parametrize(
    "name",
    [
        "sigmoid-20",
        "batchnorm-20",
        "cure-leaky",
        "cure-prelu",
        "convnet-20",
        "resnet-20",
        "residual-57",
        "residual-batchnorm-21",
        "adding-rnn",
        "adding-lstm",
        "adding-gru",
        "explode-pixels",
        "attention-pre",
        "attention-post",
    ],
)
def test_activations_are_those_that_torch_saves(name: str) -> None:
    exp = resolve(name)
    assert ours(exp, exp.data.batch_size) == pytest.approx(saved_bytes(exp, exp.data.batch_size), rel=0.05)


@pytest.mark.parametrize("source", ["digits", "copy"])
@pytest.mark.parametrize("norm", ["none", "layer", "group", "rms"])
@pytest.mark.parametrize("heads", [1, 2, 16])
@pytest.mark.parametrize("shortcut", ["none", "identity", "rezero"])
def test_attention_keeps_no_maps(source: str, norm: str, heads: int, shortcut: str) -> None:
    group = {
        "block": "attention",
        "width": 16,
        "heads": heads,
        "norm": norm,
        "shortcut": shortcut,
        "repeat": 3,
    }
    for order in ("pre", "post"):
        exp = from_dict(
            {
                "data": {"source": source, "sequence": "rows"},
                "net": [{**group, "order": order, "activation": "gelu"}],
            }
        )
        assert ours(exp, BATCH) == pytest.approx(saved_bytes(exp, BATCH), rel=0.05)


@pytest.mark.parametrize("activation", ["leaky_relu", "prelu", "relu", "gelu"])
@pytest.mark.parametrize("norm", ["none", "layer", "rms"])
def test_data_need_no_slope(activation: str, norm: str) -> None:
    exp = from_dict({"net": [{"width": 64, "order": "pre", "activation": activation, "norm": norm}]})
    assert ours(exp, BATCH) == pytest.approx(saved_bytes(exp, BATCH), rel=0.02)


@given(experiments())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_memory_estimate_of_any_net_is_within_a_tenth_of_torchs(exp: Experiment) -> None:
    assert ours(exp, BATCH) == pytest.approx(saved_bytes(exp, BATCH), rel=0.1)


@pytest.mark.parametrize("name", ["sigmoid-20", "batchnorm-20", "resnet-20", "adding-lstm", "attention-pre"])
def test_half_precision_keeps_half_of_it_and_the_weights_once_more(name: str) -> None:
    exp = set_fields(resolve(name), {"run.precision": "bf16"})
    expected = saved_bytes(exp, exp.data.batch_size, torch.bfloat16)
    assert memory_of(exp).activations == pytest.approx(expected, rel=0.25)


def test_a_thousand_blocks_are_counted_by_two() -> None:
    exp = set_fields(resolve("residual-batchnorm-57"), {"net.1.repeat": 500})
    each = ours(exp, BATCH) - ours(set_fields(exp, {"net.1.repeat": 499}), BATCH)
    assert ours(exp, BATCH) - ours(set_fields(exp, {"net.1.repeat": 2}), BATCH) == 498 * each


@pytest.mark.parametrize(
    ("kind", "momentum"),
    [("sgd", 0.0), ("sgd", 0.9), ("rmsprop", 0.0), ("rmsprop", 0.5), ("adam", 0), ("adamw", 0)],
)
def test_the_optimizers_numbers_are_torchs(kind: Any, momentum: float) -> None:
    from gradtui.training import optimizers

    spec = Optimizer(kind=kind, momentum=momentum)
    made = optimizers.build(spec, torch.zeros(1000), torch.ones(1000))
    made.step()
    kept = [
        t for state in made.state.values() for t in state.values() if torch.is_tensor(t) and t.numel() > 1
    ]
    assert states(spec) * 1000 == sum(t.numel() for t in kept)


@pytest.mark.parametrize(
    "data",
    [
        {"source": "digits", "batch_size": 60_000},
        {"source": "digits", "batch_size": 64},
        {"source": "spirals", "batch_size": 60_000, "samples": 17},
        {"source": "adding", "batch_size": 60_000, "samples": 1999, "length": 2},
        {"source": "copy", "batch_size": 60_000, "samples": 12},
    ],
)
def test_a_batch_is_never_larger_than_the_data(data: dict[str, Any]) -> None:
    from gradtui.data import batches, load

    exp = from_dict({"data": data})
    assert examples(exp) == batches(load(exp.data, 0), exp.data.batch_size, 0).size


def test_the_parts_add_up() -> None:
    memory = memory_of(resolve("sigmoid-20"))
    parameters = net_shape(resolve("sigmoid-20")).parameters
    assert memory.weights == memory.gradients == 4 * parameters
    assert memory.optimizer == 8 * parameters
    assert memory.total == 16 * parameters + memory.activations
