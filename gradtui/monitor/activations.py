"""Record activations of the script's model at some of its steps, and the gradients with respect to them.

The hook exists only during a sampled step. It is one of torch's global hooks, so that saving, copying or scripting a
model does not include it. Compiled models are left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from gradtui.experiment.activations import ACTIVATIONS
from gradtui.monitor.compiled import CompileWatch, is_traced
from gradtui.monitor.guard import Guard, guarded, warn
from gradtui.monitor.layers import WatchedLayer
from gradtui.monitor.stopwatch import Stopwatch
from gradtui.probe.layer_stats import LayerStats, forward_metrics, function_of

# The identity is not among them, so that a module called after it can be the layer's activation.
ACTIVATION_FUNCTIONS: dict[type[nn.Module], str] = {
    getattr(nn, module): activation.name
    for activation in ACTIVATIONS.values()
    for module in activation.modules
    if activation.kept_for_backward != "nothing"
}
"""The modules that are known as activation functions.

A function that the script calls without a module is not seen; then a layer's output stands for its activation.
"""


def warn_of_no_activations(reason: str) -> None:
    """Warn that no activations are recorded, and give the reason."""
    warn(f"gradtui records no activations: {reason}", level=4)


class ActivationSampler:
    """An ActivationSampler measures the first forward pass of a step, and the backward pass that follows it.

    A layer's output is that of the last of its modules; its activation is that of the first activation module
    that is called after any of them, and before another layer's. With several backward passes a step, the gradient
    is that of the first.
    """

    def __init__(self, guard: Guard, stopwatch: Stopwatch) -> None:
        self.guard = guard
        self._stopwatch = stopwatch
        self._layer_count = 0
        self._layer_of: dict[int, int] = {}
        self._last_modules: set[int] = set()
        self._handle: Any = None
        self._compiling = CompileWatch(self._leave_alone)
        self._over = False
        self._stats = LayerStats(0)
        self._with_output: set[int] = set()
        self._with_activation: set[int] = set()
        self._current: tuple[int, Tensor | None] | None = None
        """The layer that was called last, and its output where its last module has been called."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Return the names of the metrics that are sampled."""
        return forward_metrics()

    @property
    def armed(self) -> bool:
        """Return whether a step is being measured."""
        return self._handle is not None

    def configure(self, layers: Sequence[WatchedLayer]) -> None:
        """Set the layers to measure."""
        self._layer_count = len(layers)
        self._layer_of = {id(m()): index for index, layer in enumerate(layers) for m in layer.modules}
        self._last_modules = {id(layer.modules[-1]()) for layer in layers if layer.modules}

    def arm(self) -> None:
        """Measure the next step, unless something was compiled, which may include the model."""
        if self._compiling.compiles:
            self._leave_alone()
        if self._over:
            return
        self._stats = LayerStats(self._layer_count)
        self._with_output, self._with_activation, self._current = set(), set(), None
        if self._handle is None:
            self._handle = register_module_forward_hook(self._module_called)

    def disarm(self) -> None:
        """Stop measuring, and drop the measurements of the step."""
        if self._handle is not None:
            self._handle.remove()
            self._handle = None
        self._stats, self._current = LayerStats(self._layer_count), None

    def _leave_alone(self) -> None:
        if not self._over:
            self.end()
            warn_of_no_activations("torch.compile is at work")

    def end(self) -> None:
        """Stop forever, and remove all hooks from torch."""
        self._over = True
        self.disarm()
        self._compiling.end()

    def collect(self, scale: float) -> dict[str, NDArray[np.float64]]:
        """Return the values (layers,) of each metric, NaN where the step did not use a layer, and disarm.

        `scale` is the factor of the loss that a gradient scaler has applied. This waits for the device.
        """
        self._close_layer()
        stats = self._stats
        stats.compute()
        stats.unscale(scale)
        self.disarm()
        return stats.results

    def _module_called(self, module: nn.Module, inputs: Any, output: Any) -> None:
        if not is_traced() and torch.is_grad_enabled():
            self._add(module, inputs, output)

    @guarded()
    def _add(self, module: nn.Module, inputs: Any, output: Any) -> None:
        index = self._layer_of.get(id(module))
        if index is None and (self._current is None or type(module) not in ACTIVATION_FUNCTIONS):
            return
        with self._stopwatch.on("sampling"):
            tensor = output[0] if isinstance(output, tuple) and output else output
            if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
                return
            if index is None:
                self._add_activation(module, inputs, tensor)
            else:
                self._close_layer()
                # The first call counts where a layer is called several times.
                if index not in self._with_output:
                    self._add_output(index, tensor, last=id(module) in self._last_modules)

    def _add_output(self, index: int, output: Tensor, *, last: bool) -> None:
        self._current = (index, output if last else None)
        if not last:
            return
        self._with_output.add(index)
        if output.requires_grad:
            stats = self._stats
            output.register_hook(lambda gradient: self._add_gradient(stats, index, gradient))  # type: ignore[no-untyped-call]
        self._stats.add_output(index, output)

    def _add_activation(self, module: nn.Module, inputs: Any, output: Tensor) -> None:
        assert self._current is not None
        index, _ = self._current
        self._current = None
        if index in self._with_activation:
            return
        self._with_activation.add(index)
        function = function_of(ACTIVATION_FUNCTIONS[type(module)], module)
        # An input that was overwritten says nothing about the slope.
        before = None if getattr(module, "inplace", False) else inputs[0]
        self._stats.add_activation(index, function, module, before, output)

    def _close_layer(self) -> None:
        """Use the output of the last called layer as its activation if no activation module followed it."""
        current, self._current = self._current, None
        if current is not None and current[1] is not None and current[0] not in self._with_activation:
            self._with_activation.add(current[0])
            self._stats.add_activation(current[0], "identity", None, None, current[1])

    @guarded()
    def _add_gradient(self, stats: LayerStats, index: int, gradient: Tensor) -> None:
        # Gradients of an earlier step do not count.
        if stats is self._stats:
            with self._stopwatch.on("sampling"):
                stats.add_output_gradient(index, gradient)
