"""A hidden layer as an autoencoder (Bengio, Lamblin, Popovici, Larochelle 2006)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from gradtui.training.pretraining.hidden import HiddenLayer

LR = 0.01


class Autoencoder:
    """Learns to reconstruct its inputs x from the layer's outputs h = layer(x), by Adam on the squared error.

    The weights are tied: the reconstruction is Wᵀh + c, with c its only parameter of its own, forgotten
    afterwards. Where the inputs lie in [0, 1] it goes through a sigmoid: without one the upper layers of a
    sigmoid net, whose inputs differ little at first, learn their mean alone, and the net stays at chance.
    """

    def __init__(self, layer: HiddenLayer, inputs: Tensor, lr: float, generator: torch.Generator) -> None:
        """`inputs` (examples, features); `lr` 0 is LR. Nothing is drawn from `generator`."""
        self._layer = layer
        self._shift = nn.Parameter(inputs.new_zeros(inputs.shape[1]))
        self._squash = bool(inputs.min() >= 0) and bool(inputs.max() <= 1)
        self._optimizer = torch.optim.Adam([*layer.parameters, self._shift], lr or LR)

    def step(self, x: Tensor) -> Tensor:
        """One step on a batch (batch, features). Returns the mean squared error () before it, detached."""
        restored = functional.linear(self._layer(x), self._layer.weights.weight.t(), self._shift)
        if self._squash:
            restored = restored.sigmoid()
        error = functional.mse_loss(restored, x)
        # Not set to None: the gradients are views of the session's buffer.
        self._optimizer.zero_grad(set_to_none=False)
        torch.autograd.backward(error)
        self._optimizer.step()
        return error.detach()
