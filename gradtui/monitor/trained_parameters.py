"""Find out which parameters of a script its optimizers hold, and which ones the gradient reaches."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from gradtui.monitor.layers import WatchedLayer
from gradtui.monitor.step_record import OptimizerStep
from gradtui.monitor.watched import WatchedOptimizer

SEARCHED_STEPS = 20
"""The number of steps that search for gradients of parameters that no optimizer holds; later steps would find none."""


class TrainedParameters:
    """A TrainedParameters records which parameters are trained, in one process that holds them whole."""

    def __init__(
        self,
        layers: Sequence[WatchedLayer],
        models: Mapping[str, nn.Module],
        optimizers: Sequence[WatchedOptimizer],
    ) -> None:
        """Take all layers, in the order that gives parameters their positions."""
        self._layers = [
            (layer.name, name, reference)
            for layer in layers
            for name, reference in zip(layer.parameter_names, layer.parameters, strict=True)
        ]
        self._optimizers = optimizers
        self._models = [weakref.ref(model) for model in models.values()]
        self._model_of = {id(p): label for label, model in models.items() for p in model.parameters()}
        self._reached = np.zeros(len(self._layers), bool)
        self._begun = [None if (p := ref()) is None else _version(p) for _, _, ref in self._layers]
        self._searched = 0
        self.seen = 0
        """The number of steps that were measured."""

    def note(self, steps: Sequence[OptimizerStep]) -> None:
        """Note which parameters had a gradient in a measured round."""
        self.seen += 1
        for step in steps:
            self._reached[step.positions[step.after.present]] = True

    def search(self) -> None:
        """Look for the gradients of parameters that no optimizer holds, at the end of an early step."""
        if self._searched < SEARCHED_STEPS:
            self._searched += 1
            held = self._held()
            for at, (_, _, reference) in enumerate(self._layers):
                parameter = None if self._reached[at] else reference()
                if parameter is not None and id(parameter) not in held and parameter.grad is not None:
                    self._reached[at] = True

    def _held(self) -> set[int]:
        return {id(p) for one in self._optimizers for p in one.held_parameters()}

    def facts(self) -> dict[str, Any] | None:
        """Return the fields of `ScriptFacts` about parameters; none if no optimizer is known.

        Return None if the script has dropped its model or an optimizer, as most do before they end.
        """
        if not all(optimizer.known for optimizer in self._optimizers):
            return {}
        if any(model() is None for model in self._models):
            return None
        # These references keep the optimizers alive, since the script may drop them in its own thread right now.
        optimizers = [optimizer.get() for optimizer in self._optimizers]
        parameters = [reference() for _, _, reference in self._layers]
        if None in optimizers or any(parameter is None for parameter in parameters):
            return None
        held, state = self._held(), self._with_state()
        trained = unreached = 0
        missing: list[tuple[str, str]] = []
        unmoved: list[tuple[str, str, str]] = []
        moved_models: set[str] = set()
        for at, ((layer, name, _), p) in enumerate(zip(self._layers, parameters, strict=True)):
            if p is None:
                continue
            model = self._model_of.get(id(p), "")
            if id(p) in held:
                moved_models.add(model)
                if not p.requires_grad:
                    continue
                trained += 1
                if not (self._reached[at] or p.grad is not None or id(p) in state):
                    unreached += 1
                    # Something else may move it: a search without gradients, or an optimizer with copies of its own.
                    if _version(p) == self._begun[at]:
                        missing.append((layer, name))
            elif p.requires_grad and self._reached[at] and _version(p) == self._begun[at]:
                unmoved.append((layer, name, model))
        now = [None if p is None else _version(p) for p in parameters]
        return {
            "seen": self.seen,
            "unchanged": now == self._begun,
            "held": trained,
            "foreign": len(held - self._model_of.keys()),
            "unreached": [name for _, name in missing],
            "unreached_layers": list(dict.fromkeys(layer for layer, _ in missing)),
            "unmoved": [name for _, name, _ in unmoved],
            "unmoved_layers": list(dict.fromkeys(layer for layer, _, _ in unmoved)),
            "unmoved_models": [
                model
                for model in dict.fromkeys(model for _, _, model in unmoved)
                if model not in moved_models
            ],
        }

    def _with_state(self) -> set[int]:
        """Return the parameters for which an optimizer has a state, which it makes when they have a gradient."""
        optimizers = (one.get() for one in self._optimizers)
        return {
            id(p) for one in optimizers if one is not None for p, state in one.state.items() if _used(state)
        }


def _used(state: Mapping[str, Any]) -> bool:
    """Return whether an optimizer has used the state of a parameter; some make it before there is a gradient."""
    step = state.get("step")
    if isinstance(step, Tensor) and step.device.type == "cpu":
        return bool(step != 0)
    return bool(state) and step != 0 if isinstance(step, int | float) else bool(state)


def _version(parameter: Tensor) -> tuple[int, int]:
    """Return a value that changes when a parameter is written to or gets other memory."""
    try:
        return parameter._version, parameter.data_ptr()
    except RuntimeError:
        # The parameter was made in inference mode or has no memory; then it counts as changed.
        return -1, id(object())
