"""Tensors that a step showed, looked at together where that is quicker, and soon where they would fill memory."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from gradtui.probe.norms import wide_norms
from gradtui.probe.units import statistics

HELD = 32 << 20
"""Bytes of tensors that are kept back to be looked at together; more are looked at sooner."""

UNITS = ("activation_mean", "activation_std", "dead_fraction", "saturated_fraction")
MEASURES = ("output_grad_rms", *UNITS, "nonfinite")


@dataclass
class _Group:
    """Layers of one shape and activation, to be looked at together."""

    module: nn.Module | None
    layers: list[int] = field(default_factory=list)
    inputs: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)


class Sightings:
    """Takes tensors of `layers` layers and makes MEASURES of them. Looking waits for the device."""

    def __init__(self, layers: int) -> None:
        self.results = {name: np.full(layers, np.nan) for name in MEASURES}
        self._outputs: list[tuple[int, Tensor]] = []
        self._gradients: list[tuple[int, Tensor]] = []
        self._groups: dict[tuple[str, torch.Size, torch.dtype], _Group] = {}
        self._held = 0

    def output(self, layer: int, output: Tensor) -> None:
        """A layer's output."""
        self._outputs.append((layer, output.detach()))
        self._hold(output)

    def gradient(self, layer: int, gradient: Tensor) -> None:
        """The gradient with respect to a layer's output."""
        self._gradients.append((layer, gradient))
        self._hold(gradient)

    def activation(
        self, layer: int, function: str, module: nn.Module | None, inputs: Tensor | None, output: Tensor
    ) -> None:
        """What a layer's activation function made of its output; `inputs` matter only to gelu and silu."""
        group = self._groups.setdefault((function, output.shape, output.dtype), _Group(module))
        group.layers.append(layer)
        group.outputs.append(output.detach())
        if function in ("gelu", "silu") and inputs is not None:
            group.inputs.append(inputs.detach())
            self._hold(inputs)
        self._hold(output)

    def look(self) -> None:
        """Look at all that is held."""
        self._look_at_outputs()
        self._look_at_gradients()
        for key in list(self._groups):
            self._look_at_group(key)
        self._held = 0

    def _hold(self, tensor: Tensor) -> None:
        self._held += tensor.numel() * tensor.element_size()
        if self._held > HELD:
            self.look()

    def _look_at_outputs(self) -> None:
        if not self._outputs:
            return
        indices = [index for index, _ in self._outputs]
        counts = np.zeros(len(indices))
        for at in np.flatnonzero(~np.isfinite(wide_norms([output for _, output in self._outputs]))):
            counts[at] = int((~self._outputs[at][1].isfinite()).sum())
        self.results["nonfinite"][indices] = counts
        self._outputs.clear()

    def _look_at_gradients(self) -> None:
        if not self._gradients:
            return
        indices = [index for index, _ in self._gradients]
        sizes = np.array([gradient.numel() for _, gradient in self._gradients])
        norms = wide_norms([gradient for _, gradient in self._gradients])
        self.results["output_grad_rms"][indices] = norms / np.sqrt(sizes)
        self._gradients.clear()

    def _look_at_group(self, key: tuple[str, torch.Size, torch.dtype]) -> None:
        group = self._groups.pop(key)
        with torch.no_grad():
            units = statistics(key[0], group.module, group.inputs, group.outputs)
        for name, values in zip(UNITS, units, strict=True):
            self.results[name][group.layers] = values
