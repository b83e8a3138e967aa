"""What flows through a net at one step: outputs, activations, and the gradients that come back.

Hooks are put on for the step that is sampled and taken off again, so all others run at full speed. They are
forward hooks and tensor hooks; a full backward hook, even an empty one, makes a step half as slow again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from gradtui.probe.norms import wide_norms
from gradtui.probe.sightings import MEASURES as MEASURES
from gradtui.probe.sightings import Sightings
from gradtui.probe.units import DEAD


class Watched(Protocol):
    """A weight layer: what is hooked, and which nonlinearity it is."""

    @property
    def name(self) -> str: ...
    @property
    def module(self) -> nn.Module: ...
    @property
    def activation(self) -> nn.Module | None: ...
    @property
    def function(self) -> str: ...


class Remembering(Protocol):
    """A net that can keep the hidden states of its recurrent layers."""

    def record_hidden(self, on: bool) -> None: ...
    @property
    def hidden_states(self) -> dict[str, list[Tensor]]: ...


@dataclass(frozen=True)
class Signals:
    """What one step showed."""

    layers: dict[str, np.ndarray]
    """Of each of MEASURES (layers,): RMS of the gradient of the loss with respect to the layer's output (its
    pre-activation; of a recurrent layer its hidden states, through all later steps); mean and standard
    deviation of its activation (where it has none: of its output); dead units and saturated outputs, NaN
    where that does not apply (see units.py); numbers in its output that are not finite. A layer that the step
    did not use is NaN throughout."""
    hidden_grad: np.ndarray | None
    """Of the last recurrent layer (lags,): RMS of the gradient with respect to its hidden state, from the last
    step (lag 0) back to the first. None without one."""


class SignalProbe:
    """Looks at single steps of a net: `arm` before forward, `collect` after backward."""

    def __init__(
        self,
        layers: Sequence[Watched],
        remembering: Remembering | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.layers = layers
        self.seconds = 0.0
        """Spent since the last `arm`, by `clock`."""
        self._remembering = remembering
        self._clock = clock
        self._handles: list[Any] = []
        self._clear()

    def _clear(self) -> None:
        self._sightings = Sightings(len(self.layers))

    def arm(self) -> None:
        """Look at the next forward and backward pass."""
        begin = self._clock()
        self._clear()
        if self._remembering is not None:
            self._remembering.record_hidden(True)
        for index, layer in enumerate(self.layers):
            self._handles.append(layer.module.register_forward_hook(self._output_hook(index)))
            observed = layer.activation or layer.module
            self._handles.append(observed.register_forward_hook(self._activation_hook(index)))
        self.seconds = self._clock() - begin

    def after_forward(self) -> None:
        """Between forward and backward: take the forward hooks off, and keep the hidden states' gradients."""
        begin = self._clock()
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        for states in self._hidden().values():
            for state in states:
                state.retain_grad()
        self.seconds += self._clock() - begin

    def collect(self, scale: float = 1.0) -> Signals:
        """After backward: what the step showed. `scale` is what the mean loss was multiplied by. Waits."""
        begin = self._clock()
        self._sightings.look()
        hidden = self._look_at_hidden()
        results = self._sightings.results
        results["output_grad_rms"] /= scale
        signals = Signals(results, None if hidden is None else hidden / scale)
        if self._remembering is not None:
            self._remembering.record_hidden(False)
        self._clear()
        self.seconds += self._clock() - begin
        return signals

    def _hidden(self) -> dict[str, list[Tensor]]:
        return {} if self._remembering is None else self._remembering.hidden_states

    def _output_hook(self, index: int) -> Callable[..., None]:
        def look(module: nn.Module, inputs: Any, output: Any) -> None:
            begin = self._clock()
            if output.requires_grad:
                output.register_hook(self._gradient_hook(index))
            self._sightings.output(index, output)
            self.seconds += self._clock() - begin

        return look

    def _activation_hook(self, index: int) -> Callable[..., None]:
        function, activation = _function(self.layers[index]), self.layers[index].activation

        def look(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            begin = self._clock()
            self._sightings.activation(index, function, activation, inputs[0], output)
            self.seconds += self._clock() - begin

        return look

    def _gradient_hook(self, index: int) -> Callable[[Tensor], None]:
        def look(gradient: Tensor) -> None:
            begin = self._clock()
            self._sightings.gradient(index, gradient)
            self.seconds += self._clock() - begin

        return look

    def _look_at_hidden(self) -> np.ndarray | None:
        """Of all recurrent layers into their `output_grad_rms`, of the last by lag."""
        names = [layer.name for layer in self.layers]
        by_lag = None
        for name, states in self._hidden().items():
            if not states:
                continue
            zero = torch.zeros_like(states[0])
            gradients = [zero if state.grad is None else state.grad for state in states]
            squares = np.square(wide_norms(gradients)) / max(1, zero.numel())
            self._sightings.results["output_grad_rms"][names.index(name)] = np.sqrt(squares.mean())
            by_lag = np.sqrt(squares[::-1])
        return by_lag


def _function(layer: Watched) -> str:
    """Which nonlinearity to reckon with: a leaky slope of next to nothing is a ReLU."""
    if layer.activation is None:
        return "identity"
    if layer.activation is layer.module and layer.function in ("gelu", "silu"):
        # A recurrent layer, whose cells take the pre-activations with them: of their slopes nothing is known.
        return "identity"
    slope = getattr(layer.activation, "negative_slope", 1.0)
    return "relu" if layer.function == "leaky_relu" and slope < DEAD else layer.function
