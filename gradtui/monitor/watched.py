"""Hold the models and optimizers of a watched script, and keep none of them alive."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gradtui.diagnosis.evidence import is_compared
from gradtui.monitor.call_order import CallOrder
from gradtui.monitor.graph import sequential_path
from gradtui.monitor.layers import ParameterRef, WatchedLayer, every_layer, layers_of, unwrapped

SEARCHED_FRAMES = 12
"""The number of stack frames that are searched for a gradient scaler: two of its own, and those of schedulers and
wrappers in between."""

_parameters_of = itemgetter("params")


class ModelChanged(RuntimeError):
    """A ModelChanged error says that the model got new parameters while it was watched."""


class WatchedModels:
    """WatchedModels knows the models of a script by name, and their layers."""

    def __init__(self, models: Mapping[str, nn.Module], pattern: str, *, fold: bool) -> None:
        """See `layers_of` for `pattern` and `fold`. Raises re.error on a wrong pattern."""
        layers_of(models, pattern=pattern)
        self._references = {name: weakref.ref(model) for name, model in models.items()}
        self._pattern, self._fold = pattern, fold
        self._all = every_layer(pattern)
        self.registered = layers_of(models, pattern=self._all, fold=fold)
        """All layers, in the order in which the modules are registered."""
        self.parameters = [reference for layer in self.registered for reference in layer.parameters]
        self._layer_of = {
            id(p): number
            for number, layer in enumerate(self.registered)
            for reference in layer.parameters
            if (p := reference()) is not None
        }
        compared = {number for number, layer in enumerate(self.registered) if is_compared(layer.kind)}
        self._compared = compared
        self.order = CallOrder([unwrapped(model) for model in models.values()], self._layer_of, compared)
        """The order of the layers' uses, from the backward passes of the first step."""

    def alive(self) -> dict[str, nn.Module]:
        """Return the models that the script has not dropped."""
        return {name: model for name, ref in self._references.items() if (model := ref()) is not None}

    def check_unchanged(self) -> None:
        """Raise ModelChanged if a model has parameters that it did not have at first."""
        known = {id(reference()) for reference in self.parameters}
        if any(id(p) not in known for model in self.alive().values() for p in model.parameters()):
            raise ModelChanged("the model has parameters that it did not have when it was first watched")

    def check_not_replaced(self) -> None:
        """Raise ModelChanged where new parameters stand in a model, and others that were watched have left it.

        A head that was added, or a weight that was tied to another one, changes nothing of what is recorded.
        """
        present = {id(p) for model in self.alive().values() for p in model.parameters()}
        if present and any(id(reference()) not in present for reference in self.parameters):
            self.check_unchanged()

    def layers(self) -> tuple[list[WatchedLayer], list[WatchedLayer], bool]:
        """Return the layers to show, the other layers, and whether the order of their uses is known.

        Call this after the first backward pass.
        """
        self.order.stop()
        models, used = self.alive(), self.order.modules()
        shown = layers_of(models, used, self._pattern, fold=self._fold)
        names = {layer.name for layer in shown}
        others = [
            layer for layer in layers_of(models, used, self._all, fold=self._fold) if layer.name not in names
        ]
        return shown, others, bool(used)

    def paths(self) -> list[tuple[str, ...]]:
        """Return the names of the layers on each known path through a model.

        Call this after the first backward pass.
        """
        paths: list[tuple[int, ...]] = []
        for model in map(unwrapped, self.alive().values()):
            graph = self.order.graphs.get(id(model))
            of_model = graph.paths if graph is not None else ()
            paths += of_model or [sequential_path(model, self._layer_of, self._compared)]
        return [tuple(self.registered[number].name for number in path) for path in paths if len(path) > 1]

    def in_half(self) -> bool:
        """Return whether a layer's output was float16 in the first step."""
        return any(graph.half for graph in self.order.graphs.values())

    def post_norm(self) -> bool:
        """Return whether norms follow the shortcuts of a model, instead of standing within their branches."""
        return any(graph.post_norm for graph in self.order.graphs.values())

    def uses(self) -> dict[str, tuple[float, str]]:
        """Return, by layer name, the number of places at which a weight is used, and its form."""
        return {
            self.registered[number].name: (places, graph.forms.get(number, ""))
            for graph in self.order.graphs.values()
            for number, places in graph.places.items()
        }


class WatchedOptimizer:
    """A WatchedOptimizer knows one optimizer of a script, and which of the models' parameters it moves."""

    def __init__(
        self,
        number: int,
        name: str,
        optimizer: Optimizer | None,
        model_parameters: Sequence[ParameterRef],
    ) -> None:
        """Take the optimizer; None if the script's optimizer is not known: then all parameters count as moved."""
        self.number = number
        self.name = name
        self.scaler = ScalerFinder()
        self._reference = None if optimizer is None else weakref.ref(optimizer)
        self._model_parameters = model_parameters
        self._positions_by_id: Mapping[int, int] = {}
        self.find_parameters()

    @property
    def known(self) -> bool:
        """Return whether the script has named its optimizer."""
        return self._reference is not None

    def get(self) -> Optimizer | None:
        """Return the optimizer; None if it is not known or the script has dropped it."""
        return None if self._reference is None else self._reference()

    def held_parameters(self) -> list[Tensor]:
        """Return all tensors that the optimizer holds, of watched models or not; none if it is not known."""
        optimizer = self.get()
        return [] if optimizer is None else _held_by(optimizer)

    @property
    def groups(self) -> int:
        """Return the number of parameter groups, each with its learning rate."""
        optimizer = self.get()
        return 1 if optimizer is None else max(1, len(optimizer.param_groups))

    @property
    def changed(self) -> bool:
        """Return whether the script has given the optimizer other parameters since they were found."""
        optimizer = self.get()
        if optimizer is None:
            return any(reference() is None for reference in self.references)
        return list(map(id, _held_by(optimizer))) != self._ids

    def find_parameters(self) -> None:
        """Find the parameters that the optimizer moves."""
        by_id = {id(p): ref for ref in self._model_parameters if (p := ref()) is not None}
        optimizer = self.get()
        held = list(by_id) if optimizer is None else list(map(id, _held_by(optimizer)))
        self._ids = held
        self._places = [place for place, number in enumerate(held) if number in by_id]
        self._moved = {held[place] for place in self._places}
        self.references = [by_id[held[place]] for place in self._places]
        """The parameters of the models that the optimizer moves, in its own order."""
        self.positions = np.zeros(len(self.references), np.intp)
        """(parameters,): the position of each parameter among all parameters of the models."""
        self.set_positions(self._positions_by_id)

    def moves_any(self, tensors: Sequence[Tensor]) -> bool:
        """Return whether the optimizer moves any of these tensors."""
        return any(id(tensor) in self._moved for tensor in tensors)

    def tensors(self) -> list[Tensor | None]:
        """Return the parameters; None for those that their model has lost, where the optimizer is not known."""
        # This runs twice a step: without a line of Python for each parameter, if the optimizer is known.
        optimizer = self.get()
        if optimizer is None:
            return [reference() for reference in self.references]
        held = _held_by(optimizer)
        if len(self._places) == len(held):
            return held  # type: ignore[return-value]
        return [held[place] if place < len(held) else None for place in self._places]

    def set_positions(self, positions: Mapping[int, int]) -> None:
        """Set the positions from the position of every parameter of the models, by its id."""
        self._positions_by_id = positions
        # The array is changed in place, since steps that were measured before refer to it too.
        self.positions[:] = [positions.get(self._ids[place], 0) for place in self._places]


def _held_by(optimizer: Optimizer) -> list[Tensor]:
    return list(chain.from_iterable(map(_parameters_of, optimizer.param_groups)))


class ScalerFinder:
    """A ScalerFinder finds the gradient scaler (AMP) that calls an optimizer, without the script naming it."""

    def __init__(self) -> None:
        self._scaler: weakref.ref[Any] | None = None

    @property
    def found(self) -> bool:
        """Return whether a scaler has been found that still exists."""
        return self.get() is not None

    def get(self) -> Any:
        """Return the scaler that was found; None where there is none."""
        return None if self._scaler is None else self._scaler()

    def search(self) -> None:
        """Search the call stack for a scaler. Call this within `optimizer.step()`."""
        if self._scaler is not None:
            return
        frame = sys._getframe(1)
        for _ in range(SEARCHED_FRAMES):
            if frame.f_back is None:
                return
            frame = frame.f_back
            if frame.f_code.co_name in ("_maybe_opt_step", "step"):
                caller = frame.f_locals.get("self")
                if isinstance(caller, torch.amp.GradScaler):
                    self._scaler = weakref.ref(caller)
                    return

    def scale(self) -> Tensor | None:
        """Return the factor of the loss, (), on its device; None without a scaler. It holds until `scaler.update()`."""
        scaler = self.get()
        scale = getattr(scaler, "_scale", None) if scaler is not None and scaler.is_enabled() else None
        # The scaler changes it in place.
        return scale.detach().clone() if isinstance(scale, Tensor) else None
