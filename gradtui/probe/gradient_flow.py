"""Measure the backward gain of layers: the factor by which each multiplies the gradient that passes through it.

Backpropagation multiplies these factors from the output to the input. In a net without shortcuts the gradient that
leaves a layer enters the one before it, so their product says how much of the gradient is left.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor

from gradtui.absent import ABSENT
from gradtui.probe.layer_stats import HELD_BYTES, sampler, samplers
from gradtui.probe.norms import wide_norms

Take = Callable[[Tensor], None]
Listen = Callable[[Tensor, Take], Callable[[], None]]
"""A function that calls another with the gradient of a tensor once it is computed, and returns how to cancel that."""


class GradientFlow:
    """A GradientFlow measures the gradients that enter and leave the layers of a net at one step.

    A layer is its weights, activation, norm and view, in the order in which they are called; the last layer of a block
    with a shortcut ends after the addition. So each layer begins where the one before it ends, and the product of the
    gains is the gain of the whole net. The gradient of a block's input is the sum over all paths from there, so in a
    block with an identity shortcut the gain is that of identity and branch together.
    """

    def __init__(self, layers: int, listen: Listen) -> None:
        self.entering, self.leaving = np.full(layers, ABSENT), np.full(layers, ABSENT)
        """The RMS (layers,) of the gradients measured so far; ABSENT where there is none."""
        self._listen = listen
        self._begun: set[int] = set()
        self._ends: dict[int, Callable[[], None]] = {}
        self._held: list[tuple[np.ndarray, int, Tensor]] = []
        self._bytes = 0

    def called(self, layer: int, source: Tensor, output: Tensor) -> None:
        """Register the input and the output of one of a layer's modules, in the order of the calls."""
        if layer not in self._begun:
            self._begun.add(layer)
            self._hook(self.leaving, layer, source)
        elif layer in self._ends:
            self._ends.pop(layer)()
        if (take_back := self._hook(self.entering, layer, output)) is not None:
            self._ends[layer] = take_back

    def gains(self) -> dict[str, np.ndarray]:
        """Return the values (layers,) by metric, after the backward pass."""
        self._measure()
        return {one.name: one.compute(self) for one in samplers("gradient flow")}

    def _hook(self, where: np.ndarray, layer: int, tensor: Tensor) -> Callable[[], None] | None:
        if not tensor.requires_grad:
            return None
        return self._listen(tensor, lambda gradient: self._hold(where, layer, gradient))

    def _hold(self, where: np.ndarray, layer: int, gradient: Tensor) -> None:
        self._held.append((where, layer, gradient))
        self._bytes += gradient.numel() * gradient.element_size()
        if self._bytes > HELD_BYTES:
            self._measure()

    def _measure(self) -> None:
        """Measure each gradient once, because the gradient that leaves a layer mostly also enters the one before."""
        tensors = list({id(gradient): gradient for _, _, gradient in self._held}.values())
        if tensors:
            sizes = np.array([max(1, gradient.numel()) for gradient in tensors])
            rms = dict(zip(map(id, tensors), wide_norms(tensors) / np.sqrt(sizes), strict=True))
            for where, layer, gradient in self._held:
                where[layer] = rms[id(gradient)]
        self._held.clear()
        self._bytes = 0


@sampler("backward_gain")
def backward_gain(flow: GradientFlow) -> np.ndarray:
    """Return the RMS of the gradient that leaves each layer over that of the one that enters it, or ABSENT."""
    gains: np.ndarray = np.full_like(flow.entering, ABSENT)
    known = ~np.isnan(flow.entering) & ~np.isnan(flow.leaving)
    with np.errstate(over="ignore", invalid="ignore"):
        np.divide(flow.leaving, flow.entering, out=gains, where=known & (flow.entering != 0))
    return gains
