"""Test one pretrained layer against finite differences, plain loops and enumerated probabilities."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from gradtui.training.pretraining import RBM_DECAY, RBM_MOMENTUM, Autoencoder, BoltzmannMachine, HiddenLayer


def layer_of(visible: int, hidden: int, *after: nn.Module, seed: int = 0) -> HiddenLayer:
    weights = nn.Linear(visible, hidden)
    draw = np.random.default_rng(seed)
    with torch.no_grad():
        weights.weight.copy_(torch.from_numpy(draw.normal(0, 0.5, (hidden, visible))))
        weights.bias.copy_(torch.from_numpy(draw.normal(0, 0.5, hidden)))
    modules = [weights, *after]
    return HiddenLayer("dense1", weights, list(after), [p for m in modules for p in m.parameters()])


def numbers(layer: HiddenLayer) -> list[np.ndarray]:
    tensors = (layer.weights.weight, layer.weights.bias)
    return [tensor.detach().double().numpy().copy() for tensor in tensors]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def plain(x: np.ndarray) -> np.ndarray:
    return x


def slope_of(function: Callable[[np.ndarray], float], at: np.ndarray) -> np.ndarray:
    """Central differences."""
    slopes = np.zeros_like(at)
    for index in np.ndindex(at.shape):
        near = [at.copy(), at.copy()]
        near[0][index] += 1e-5
        near[1][index] -= 1e-5
        slopes[index] = (function(near[0]) - function(near[1])) / 2e-5
    return slopes


@pytest.mark.parametrize(("low", "decode"), [(0.0, sigmoid), (-1.0, plain)])
def test_an_autoencoder_s_first_step_follows_the_slope_of_the_squared_error(
    low: float, decode: Callable[[np.ndarray], np.ndarray]
) -> None:
    """Inputs in [0, 1] are read through a sigmoid, others are not. Adam's first step is the rate, by the sign."""
    x = np.random.default_rng(1).uniform(low, 1, (7, 5))
    layer = layer_of(5, 3, nn.Tanh())
    weight, bias = numbers(layer)

    def error(w: np.ndarray, b: np.ndarray) -> float:
        restored = decode(np.tanh(x @ w.T + b) @ w)
        return float(np.square(restored - x).mean())

    inputs = torch.from_numpy(x).float()
    machine = Autoencoder(layer, inputs, 0.02, torch.Generator())
    assert float(machine.step(inputs)) == pytest.approx(error(weight, bias), rel=1e-5)
    moved = [after - before for after, before in zip(numbers(layer), (weight, bias), strict=True)]
    slopes = [slope_of(lambda w: error(w, bias), weight), slope_of(lambda b: error(weight, b), bias)]
    for move, slope in zip(moved, slopes, strict=True):
        assert (np.abs(slope) > 1e-5).all()
        np.testing.assert_allclose(move, -0.02 * np.sign(slope), rtol=2e-2)


def test_an_autoencoder_s_gradients_stay_the_views_that_they_were() -> None:
    layer = layer_of(4, 3, nn.PReLU())
    views = [torch.zeros_like(p) for p in layer.parameters]
    for p, view in zip(layer.parameters, views, strict=True):
        p.grad = view
    x = torch.rand(6, 4)
    before = float(layer.parameters[-1].detach())
    machine = Autoencoder(layer, x, 0.0, torch.Generator())
    for _ in range(3):
        machine.step(x)
    assert all(p.grad is view for p, view in zip(layer.parameters, views, strict=True))
    assert float(layer.parameters[-1].detach()) != before, "a learned slope learns too"


@pytest.mark.long
def test_an_autoencoder_learns_to_reconstruct_what_lies_in_as_many_directions_as_it_has_units() -> None:
    """Two linear units can hold all that varies in two directions, three cannot hold more (PCA's bound)."""
    draw = np.random.default_rng(2)
    x = torch.from_numpy(draw.normal(size=(200, 2)) @ draw.normal(size=(2, 6))).float()
    layer = layer_of(6, 2, nn.Identity())
    machine = Autoencoder(layer, x, 0.01, torch.Generator())
    errors = [float(machine.step(x)) for _ in range(3000)]
    assert errors[-1] < 1e-4 * errors[0]
    wide = torch.from_numpy(draw.normal(size=(200, 6))).float()
    singular = torch.linalg.svdvals(wide - wide.mean(0))
    bound = float(singular[2:].square().sum()) / wide.numel()
    machine = Autoencoder(layer, wide, 0.01, torch.Generator())
    errors = [float(machine.step(wide)) for _ in range(3000)]
    assert bound * 0.999 < errors[-1] < bound * 1.05


def test_two_steps_of_contrastive_divergence_are_those_of_a_plain_loop() -> None:
    layer = layer_of(5, 3, nn.Sigmoid())
    weight, bias = numbers(layer)
    visible = np.zeros(5)
    velocity = [np.zeros_like(weight), np.zeros_like(bias), np.zeros_like(visible)]
    x = np.random.default_rng(3).uniform(0, 1, (8, 5))
    states_from, own = torch.Generator().manual_seed(4), torch.Generator().manual_seed(4)
    inputs = torch.from_numpy(x).float()
    machine = BoltzmannMachine(layer, inputs, 0.3, own)
    for _ in range(2):
        driven = sigmoid(x @ weight.T + bias)
        states = torch.bernoulli(torch.from_numpy(driven).float(), generator=states_from).double().numpy()
        gains = [np.zeros_like(v) for v in velocity]
        error = 0.0
        for example in range(8):
            restored = sigmoid(states[example] @ weight + visible)
            again = sigmoid(weight @ restored + bias)
            gains[0] += (np.outer(states[example], x[example]) - np.outer(again, restored)) / 8
            gains[1] += (states[example] - again) / 8
            gains[2] += (x[example] - restored) / 8
            error += np.square(restored - x[example]).mean() / 8
        gains[0] -= RBM_DECAY * weight
        velocity = [RBM_MOMENTUM * v + 0.3 * gain for v, gain in zip(velocity, gains, strict=True)]
        weight, bias, visible = weight + velocity[0], bias + velocity[1], visible + velocity[2]
        assert float(machine.step(inputs)) == pytest.approx(error, rel=1e-5)
    for mine, theirs in zip(numbers(layer), (weight, bias), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-6)


def test_a_boltzmann_machine_makes_its_data_likelier() -> None:
    """By the exact likelihood of four patterns, all 2⁶ visible states enumerated."""
    patterns = np.array([[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1], [1, 0, 1, 0, 1, 0], [0, 1, 0, 1, 0, 1]])
    layer = layer_of(6, 8, nn.Sigmoid())
    x = torch.from_numpy(patterns).float()
    machine = BoltzmannMachine(layer, x, 0.1, torch.Generator().manual_seed(0))

    def log_likelihood() -> float:
        weight, bias = numbers(layer)
        visible = machine._visible.double().numpy()

        def free(v: np.ndarray) -> np.ndarray:
            return v @ visible + np.logaddexp(0, v @ weight.T + bias).sum(1)

        everything = free(np.array(list(itertools.product((0, 1), repeat=6))))
        return float(free(patterns).mean() - np.logaddexp.reduce(everything))

    before = log_likelihood()
    for _ in range(2000):
        machine.step(x)
    assert before < -4
    assert log_likelihood() > -2.2, "ln(1/4) = -1.39 is the best there is"
