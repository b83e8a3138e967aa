"""A hidden layer as a restricted Boltzmann machine, by contrastive divergence (Hinton 2002)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from gradtui.training.pretraining.hidden import HiddenLayer

LR = 0.1
MOMENTUM = 0.5
DECAY = 2e-4
"""Of the weights, not of the biases. All three as in Hinton (2012), "A practical guide to training RBMs"."""


class BoltzmannMachine:
    """Learns the statistics of its inputs by one step of Gibbs sampling (CD-1).

    Inputs and outputs are probabilities of binary units. The data drive sampled hidden states, which both
    make the reconstruction and count as the data's statistics; the reconstruction and what it drives stay
    probabilities (sampled too, they would drown small differences between inputs in noise). The biases of the
    inputs are forgotten afterwards; weights and biases of the hidden units are the layer's own.
    """

    def __init__(self, layer: HiddenLayer, inputs: Tensor, lr: float, generator: torch.Generator) -> None:
        """`inputs` (examples, features) in [0, 1]; `lr` 0 is LR; hidden states come from `generator`."""
        self._lr = lr or LR
        self._generator = generator
        self._weight = layer.weights.weight.detach()
        self._hidden = layer.weights.bias.detach()
        self._visible = inputs.new_zeros(inputs.shape[1])
        self._moving = (self._weight, self._hidden, self._visible)
        self._velocity = [torch.zeros_like(p) for p in self._moving]

    def step(self, x: Tensor) -> Tensor:
        """One step on a batch (batch, features). Returns the reconstruction's mean squared error ()."""
        states = torch.bernoulli(self._up(x), generator=self._generator)
        restored = functional.linear(states, self._weight.t(), self._visible).sigmoid()
        driven = self._up(restored)
        gain = (states.t() @ x - driven.t() @ restored).div_(len(x)).sub_(self._weight, alpha=DECAY)
        gains = (gain, (states - driven).mean(0), (x - restored).mean(0))
        for moving, velocity, change in zip(self._moving, self._velocity, gains, strict=True):
            moving.add_(velocity.mul_(MOMENTUM).add_(change, alpha=self._lr))
        return functional.mse_loss(restored, x)

    def _up(self, visible: Tensor) -> Tensor:
        return functional.linear(visible, self._weight, self._hidden).sigmoid()
