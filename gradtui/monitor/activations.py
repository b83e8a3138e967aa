"""What flows through somebody's model at some of its steps: activations, and the gradients that come back.

Hooks are there only while a step is looked at, and of torch's global kind: a model that is saved or copied in
between takes none of them along.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from gradtui.experiment.activations import ACTIVATIONS
from gradtui.monitor.guard import Guard, guarded
from gradtui.monitor.layers import Layer
from gradtui.monitor.stopwatch import Stopwatch
from gradtui.probe.layer_stats import LayerStats, function_of

# An identity does nothing: what is behind it is the layer's activation.
FUNCTIONS: dict[type[nn.Module], str] = {
    getattr(nn, module): activation.name
    for activation in ACTIVATIONS.values()
    for module in activation.modules
    if activation.kept_for_backward != "nothing"
}
"""Modules known as activation functions. One that the script calls as a plain function is not seen: then what
is told of a layer's activation is told of its output."""


class Activations:
    """Looks at the first forward pass of a step, and at the backward pass behind it.

    A layer's output is that of the last of its modules; its activation is that of the first activation module
    that is called behind any of them, before another layer's. With several backward passes a step, the gradient
    is that of the first.
    """

    def __init__(self, guard: Guard, stopwatch: Stopwatch) -> None:
        self.guard = guard
        self._stopwatch = stopwatch
        self._layers: list[weakref.ref[nn.Module]] = []
        self._inner: dict[int, int] = {}
        self._last: dict[int, int] = {}
        self._handle: Any = None
        self._stats = LayerStats(0)
        self._seen: set[int] = set()
        self._active: set[int] = set()
        self._current: tuple[int, Tensor | None] | None = None

    def configure(self, layers: Sequence[Layer]) -> None:
        """Say which layers there are."""
        self._inner = {id(m()): index for index, layer in enumerate(layers) for m in layer.modules}
        self._last = {id(layer.modules[-1]()): index for index, layer in enumerate(layers)}
        self._layers = [layer.modules[-1] for layer in layers]

    def arm(self) -> None:
        """Look at the next step."""
        self._stats = LayerStats(len(self._layers))
        self._seen, self._active, self._current = set(), set(), None
        if self._handle is None:
            self._handle = register_module_forward_hook(self._called)

    def disarm(self) -> None:
        """Look no more, and forget what was seen."""
        if self._handle is not None:
            self._handle.remove()
            self._handle = None
        self._stats, self._current = LayerStats(len(self._layers)), None

    def collect(self, scale: float) -> dict[str, NDArray[np.float64]]:
        """By metric (layers,); what the step did not use is NaN. `scale`: of the loss, by a scaler. Waits."""
        self._settle()
        stats = self._stats
        stats.compute()
        stats.unscale(scale)
        self.disarm()
        return stats.results

    def _called(self, module: nn.Module, inputs: Any, output: Any) -> None:
        # Where a model is compiled after all, nothing of this is left in what is compiled.
        if not torch.compiler.is_compiling() and torch.is_grad_enabled():
            self._look(module, inputs, output)

    @guarded()
    def _look(self, module: nn.Module, inputs: Any, output: Any) -> None:
        index = self._inner.get(id(module))
        if index is None and (self._current is None or type(module) not in FUNCTIONS):
            return
        with self._stopwatch.on("looks"):
            tensor = output[0] if isinstance(output, tuple) and output else output
            if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
                return
            if index is None:
                self._activation(module, inputs, tensor)
            else:
                self._settle()
                # Of a layer that is called again the first call is what counts.
                if index not in self._seen:
                    self._output(index, tensor, last=id(module) in self._last)

    def _output(self, index: int, output: Tensor, *, last: bool) -> None:
        self._current = (index, output if last else None)
        if not last:
            return
        self._seen.add(index)
        if output.requires_grad:
            stats = self._stats
            output.register_hook(lambda gradient: self._gradient(stats, index, gradient))  # type: ignore[no-untyped-call]
        self._stats.add_output(index, output)

    def _activation(self, module: nn.Module, inputs: Any, output: Tensor) -> None:
        assert self._current is not None
        index, _ = self._current
        self._current = None
        if index in self._active:
            return
        self._active.add(index)
        function = function_of(FUNCTIONS[type(module)], module)
        # What it has overwritten says nothing of its slope.
        before = None if getattr(module, "inplace", False) else inputs[0]
        self._stats.add_activation(index, function, module, before, output)

    def _settle(self) -> None:
        """No activation module has followed the last layer: its output stands for one."""
        current, self._current = self._current, None
        if current is not None and current[1] is not None and current[0] not in self._active:
            self._active.add(current[0])
            self._stats.add_activation(current[0], "identity", None, None, current[1])

    @guarded()
    def _gradient(self, stats: LayerStats, index: int, gradient: Tensor) -> None:
        # Of a step that is over nothing more is told.
        if stats is self._stats:
            with self._stopwatch.on("looks"):
                stats.add_output_gradient(index, gradient)
