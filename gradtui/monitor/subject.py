"""What is watched: models and optimizers of the script, none of which is kept alive."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import nn
from torch.optim import Optimizer

from gradtui.monitor.activations import Activations
from gradtui.monitor.ending import Ending
from gradtui.monitor.guard import Guard
from gradtui.monitor.journal import Journal
from gradtui.monitor.layers import Layer, layers_of, unwrapped
from gradtui.monitor.order import CallOrder, is_compiled
from gradtui.monitor.parts import Parts
from gradtui.monitor.recorder import Recorder
from gradtui.monitor.rounds import Layout
from gradtui.monitor.stepping import Stepping
from gradtui.monitor.stopwatch import Stopwatch
from gradtui.monitor.wishes import Wishes, WishList


class ModelChanged(RuntimeError):
    """The script has made another model of the one that is watched."""


class Subject:
    """Some models, their optimizers, and the run that is made of them.

    The layers are told when the first step begins: by then a forward pass has shown their order.
    """

    def __init__(
        self,
        models: Mapping[str, nn.Module],
        optimizers: Mapping[str, Optimizer],
        journal: Journal,
        guard: Guard,
        parts: Parts,
        *,
        budget: float | None,
        pattern: str,
        fold: bool,
        activations: bool,
    ) -> None:
        """Raises re.error on a wrong pattern."""
        self.guard = guard
        self.folder: Path | None = journal.folder if parts.writes else None
        self._journal = journal
        self._parts = parts
        self._models = {name: weakref.ref(model) for name, model in models.items()}
        self._pattern, self._fold = pattern, fold
        self._order = CallOrder(unwrapped(model) for model in models.values())
        self._wishes: WishList | None = None
        everything = layers_of(models, fold=fold)
        layers_of(models, pattern=pattern)
        device = _device_of(everything)
        stopwatch = Stopwatch()
        seen = activations and parts.writes and not any(map(is_compiled, models.values()))
        self._activations = Activations(guard, stopwatch) if seen else None
        self.recorder = Recorder(
            journal, guard, device, budget, stopwatch, self._describe, self._check, parts, self._activations
        )
        parameters = [reference for layer in everything for reference in layer.parameters]
        self._parameters = parameters
        known: Mapping[str, Optimizer | None] = optimizers or {"": None}
        self.recorder.steppings = [
            Stepping(number, name, optimizer, parameters, self.recorder)
            for number, (name, optimizer) in enumerate(known.items())
        ]

    def models(self) -> list[nn.Module]:
        """Those that are still there."""
        return [model for reference in self._models.values() if (model := reference()) is not None]

    def optimizers(self) -> list[Optimizer]:
        """Those that are still there."""
        known = [stepping.optimizer for stepping in self.recorder.steppings if stepping.optimizer is not None]
        return [optimizer for reference in known if (optimizer := reference()) is not None]

    @property
    def over(self) -> bool:
        """Whether the script has dropped all models, or all optimizers."""
        by_itself = any(stepping.optimizer is None for stepping in self.recorder.steppings)
        return not self.models() or not (by_itself or self.optimizers())

    def step(self) -> None:
        """A step, where no optimizer tells of it."""
        for stepping in self.recorder.steppings:
            stepping.step()

    def wishes(self) -> Wishes:
        """What was wished in the app."""
        if self.folder is None:
            return Wishes()
        if self._wishes is None:
            self._wishes = WishList(self._journal)
        # Whoever pauses now shall see the step that came before.
        self.recorder.publish()
        return self._wishes.take(self.recorder.step)

    def release(self) -> None:
        """Take all hooks off. Not from within one of them."""
        self._order.leave()
        for stepping in self.recorder.steppings:
            stepping.remove()

    def end(self, ending: Ending) -> None:
        """Write what was recorded, and how it ended."""
        try:
            self.recorder.finish()
        finally:
            self._look_away()
            self._parts.close()
            self._journal.end(self.recorder.step, *ending)

    def give_up(self, reason: str) -> None:
        """Recording has failed: say so in the run, if that is still possible."""
        self._look_away()
        # What was measured before is as good as ever, unless it is the disk.
        with contextlib.suppress(Exception):
            self.recorder.catch_up(wait=True)
        self._parts.close()
        self._journal.end(self.recorder.step, "stopped", f"no longer recorded: {reason}")

    def _look_away(self) -> None:
        # A hook that is torch's own, not the model's, would outlive it.
        if self._activations is not None:
            self._activations.disarm()

    def _check(self) -> None:
        known = {id(reference()) for reference in self._parameters}
        if any(id(p) not in known for model in self.models() for p in model.parameters()):
            raise ModelChanged("the model has got parameters that it did not have when it was first watched")

    def _describe(self) -> tuple[Layout, tuple[str, ...]]:
        """The order of all parameters, and the layers that are shown, written into the run's description."""
        self._order.leave()
        models = {
            name: model for name, reference in self._models.items() if (model := reference()) is not None
        }
        called = tuple(self._order.called)
        shown = layers_of(models, called, self._pattern, fold=self._fold)
        names = {layer.name for layer in shown}
        others = [layer for layer in layers_of(models, called, fold=self._fold) if layer.name not in names]
        parameters = [reference() for layer in (*shown, *others) for reference in layer.parameters]
        places = {id(parameter): place for place, parameter in enumerate(parameters)}
        sizes = [len(layer.parameters) for layer in shown]
        if self._activations is not None:
            self._activations.configure(shown)
        for stepping in self.recorder.steppings:
            stepping.place(places)
        order = "as first called" if called else "as registered"
        self._journal.describe(
            shown,
            _device_of(shown),
            order=order,
            gradient="accumulated and unscaled, before clipping; grad_norm_clipped as the optimizer was given it",
        )
        layout = Layout(sizes, len(places) - sum(sizes), self._parts.elsewhere(parameters))
        return layout, tuple(layer.name for layer in shown)


def _device_of(layers: Sequence[Layer]) -> torch.device:
    parameters = (reference() for layer in layers for reference in layer.parameters)
    devices = [p.device for p in parameters if p is not None]
    # Numbers on the CPU need no waiting for; so any other decides.
    return next((device for device in devices if device.type != "cpu"), torch.device("cpu"))
