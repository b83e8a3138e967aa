"""Hook into a net to measure outputs, activations and gradients at one step.

Hooks are added for a sampled step and removed after it, so all other steps run at full speed. Adding a hook takes
longer than most measurements, so there is one hook for all modules, which `torch.nn` calls after each of them, and one
for each tensor. Full backward hooks, even empty ones, make a step take half as long again.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from gradtui.probe.gradient_flow import GradientFlow, Take
from gradtui.probe.layer_stats import LayerStats, function_of, needs_inputs
from gradtui.probe.norms import wide_norms


class HookedLayer(Protocol):
    """A HookedLayer is a layer of weights with the modules to hook and the name of its activation function."""

    @property
    def name(self) -> str:
        """Return the layer's name."""

    @property
    def module(self) -> nn.Module:
        """Return the module that has the layer's weights."""

    @property
    def activation(self) -> nn.Module | None:
        """Return the module of the layer's activation, or None where it has none."""

    @property
    def function(self) -> str:
        """Return the name of the activation function."""

    @property
    def path(self) -> Sequence[nn.Module]:
        """Return the modules that the gradient goes through from the layer's end to its beginning."""


class HasHiddenStates(Protocol):
    """A HasHiddenStates is a net that can keep the hidden states of its recurrent layers."""

    def record_hidden(self, on: bool) -> None:
        """Start or stop keeping the hidden states of forward passes."""

    @property
    def hidden_states(self) -> dict[str, list[Tensor]]:
        """Return the hidden states that were kept, by layer."""


class Signals(NamedTuple):
    """A Signals holds the metrics of one step."""

    layers: dict[str, np.ndarray]
    """The values (layers,) by metric; NaN for a layer that the step did not use.

    Where a layer has no activation, the metrics of activations are measured at its output. The output of a recurrent
    layer is all its hidden states, and their gradient is the total one, through all later steps.
    """
    lags: dict[str, np.ndarray]
    """The values (lags,) by metric: `hidden_grad` of the last recurrent layer, from the last step (lag 0) back to the
    first. Empty in nets without recurrent layers."""


Called = Callable[[tuple[Any, ...], Any], None]
"""A function of the inputs and the output of a module that was called."""


class SignalProbe:
    """A SignalProbe measures single steps of a net: call `arm` before forward and `collect` after backward.

    Between `arm` and `after_forward`, no other net may run in this process.
    """

    def __init__(
        self,
        layers: Sequence[HookedLayer],
        net: HasHiddenStates | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.layers = layers
        self.seconds = 0.0
        """The time spent on measuring since the last `arm`, by `clock`, except in hooks that are not timed."""
        self._net = net
        self._clock = self._hook_clock = clock
        self._handle: Any = None
        self._called: dict[nn.Module, list[Called]] = {}
        """The functions to call after each call of a module, by module."""
        for index, layer in enumerate(layers):
            self._called.setdefault(layer.module, []).append(self._take_output(index))
            observed = layer.activation or layer.module
            self._called.setdefault(observed, []).append(self._take_activation(index))
            for module in layer.path:
                self._called.setdefault(module, []).append(self._take_flow(index))
        self._clear()

    def _clear(self) -> None:
        self._stats = LayerStats(len(self.layers))
        self._flow = GradientFlow(len(self.layers), self._listen)
        self._takes: dict[int, tuple[weakref.ref[Tensor], list[Take]]] = {}
        """The functions to call with the gradient of a tensor, by the tensor's id."""

    def arm(self, *, timed: bool = True) -> None:
        """Add the hooks for the next forward and backward pass.

        timed: whether to add up the time of all hooks, which takes as long as some measurements.
        """
        begin = self._clock()
        self._hook_clock = self._clock if timed else _no_time
        self._clear()
        if self._net is not None:
            self._net.record_hidden(True)
        self._handle = register_module_forward_hook(self._after_module)
        self.seconds = self._clock() - begin

    def after_forward(self) -> None:
        """Remove the forward hook, and let torch keep the gradients of hidden states. Call it before backward."""
        begin = self._clock()
        self._handle.remove()
        for states in self._hidden().values():
            for state in states:
                state.retain_grad()
        self.seconds += self._clock() - begin

    def collect(self, scale: float = 1.0) -> Signals:
        """Return the metrics of the step, after backward. Waits for the device.

        `scale` is the factor of the mean loss.
        """
        begin = self._clock()
        self._stats.compute()
        hidden = self._hidden_gradients()
        self._stats.unscale(scale)
        values = {**self._stats.results, **self._flow.gains()}
        signals = Signals(values, {} if hidden is None else {"hidden_grad": hidden / scale})
        if self._net is not None:
            self._net.record_hidden(False)
        self._clear()
        self.seconds += self._clock() - begin
        return signals

    def _hidden(self) -> dict[str, list[Tensor]]:
        return {} if self._net is None else self._net.hidden_states

    def _after_module(self, module: nn.Module, inputs: Any, output: Any) -> None:
        if (called := self._called.get(module)) is None:
            return
        begin = self._hook_clock()
        for take in called:
            take(inputs, output)
        self.seconds += self._hook_clock() - begin

    def _take_output(self, index: int) -> Called:
        def take(inputs: Any, output: Any) -> None:
            if output.requires_grad:
                self._listen(output, lambda gradient: self._stats.add_output_gradient(index, gradient))
            self._stats.add_output(index, output)

        return take

    def _take_flow(self, index: int) -> Called:
        return lambda inputs, output: self._flow.called(index, inputs[0], output)

    def _take_activation(self, index: int) -> Called:
        layer = self.layers[index]
        function = _function(layer)
        # A recurrent layer is its own activation; its gates make the derivative more complex than an activation's.
        activation = None if layer.activation is layer.module else layer.activation

        def take(inputs: Any, output: Any) -> None:
            self._stats.add_activation(index, function, activation, inputs[0], output)

        return take

    def _listen(self, tensor: Tensor, take: Take) -> Callable[[], None]:
        """Call `take` with the gradient of a tensor. All functions of a tensor share one hook."""
        known = self._takes.get(id(tensor))
        if known is None or known[0]() is not tensor:
            known = self._takes[id(tensor)] = (weakref.ref(tensor), [])
            tensor.register_hook(self._gradient_hook(known[1]))  # type: ignore[no-untyped-call]
        takes = known[1]
        takes.append(take)
        return lambda: takes.remove(take)

    def _gradient_hook(self, takes: list[Take]) -> Take:
        def hook(gradient: Tensor) -> None:
            begin = self._hook_clock()
            for take in takes:
                take(gradient)
            self.seconds += self._hook_clock() - begin

        return hook

    def _hidden_gradients(self) -> np.ndarray | None:
        """Set the `output_grad_rms` of recurrent layers from the gradients of their hidden states.

        Returns the RMS (lags,) of the last recurrent layer by time lag, or None without such a layer.
        """
        names = [layer.name for layer in self.layers]
        by_lag = None
        for name, states in self._hidden().items():
            if not states:
                continue
            zero = torch.zeros_like(states[0])
            gradients = [zero if state.grad is None else state.grad for state in states]
            squares = np.square(wide_norms(gradients)) / max(1, zero.numel())
            self._stats.results["output_grad_rms"][names.index(name)] = np.sqrt(squares.mean())
            by_lag = np.sqrt(squares[::-1])
        return by_lag


def _no_time() -> float:
    return 0.0


def _function(layer: HookedLayer) -> str:
    """Return the activation function of a layer, or identity where the derivative is not known."""
    if layer.activation is None:
        return "identity"
    if layer.activation is layer.module and needs_inputs(layer.function):
        # A recurrent layer keeps the pre-activations in its cells, so their derivative is not known.
        return "identity"
    return function_of(layer.function, layer.activation)
