"""Connect the script's models and optimizers with the run that records them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from torch import nn
from torch.optim import Optimizer

from gradtui.monitor.activations import warn_of_no_activations
from gradtui.monitor.backward_root import listen, unlisten
from gradtui.monitor.clip_calls import ignore_clips, listen_to_clips
from gradtui.monitor.commands import CommandInbox, PendingCommands
from gradtui.monitor.compiled import is_compiled, is_scripted
from gradtui.monitor.distributed.reducers import RankReducer
from gradtui.monitor.guard import Guard
from gradtui.monitor.layers import unwrapped
from gradtui.monitor.optimizer_hooks import OptimizerHook
from gradtui.monitor.recorder import ScriptRecorder
from gradtui.monitor.run_writer import ScriptRunWriter
from gradtui.monitor.watched import WatchedModels, WatchedOptimizer
from gradtui.runs.status import State


def _has_activations(models: Mapping[str, nn.Module]) -> bool:
    """Return whether the models' activations can be recorded, and warn if they cannot."""
    if is_scripted(models.values()):
        warn_of_no_activations("TorchScript does not call its modules from Python")
        return False
    if is_compiled(models.values()):
        warn_of_no_activations("the model is compiled, and each hook would compile it again")
        return False
    return True


class WatchSession:
    """A WatchSession records some models and their optimizers into one run, and keeps none of them alive."""

    def __init__(
        self,
        models: Mapping[str, nn.Module],
        optimizers: Mapping[str, Optimizer],
        writer: ScriptRunWriter,
        guard: Guard,
        reducer: RankReducer | None,
        *,
        budget: float | None,
        pattern: str,
        fold: bool,
        activations: bool,
    ) -> None:
        """Take models and optimizers by name, and the options of `gradtui.watch`.

        `reducer` adds up the norms of several processes; it is None if one process holds the whole model.

        Raises re.error on a wrong pattern.
        """
        self.guard = guard
        self._writer = writer
        self._reducer = reducer
        self._models = WatchedModels(models, pattern, fold=fold)
        known: Mapping[str, Optimizer | None] = optimizers or {"": None}
        self._optimizers = [
            WatchedOptimizer(number, name, optimizer, self._models.parameters)
            for number, (name, optimizer) in enumerate(known.items())
        ]
        sees_activations = activations and writer.folder is not None and _has_activations(models)
        self.recorder = ScriptRecorder(
            self._models,
            self._optimizers,
            writer,
            guard,
            reducer,
            budget=budget,
            activations=sees_activations,
        )
        self._hooks = [OptimizerHook(watched, self.recorder) for watched in self._optimizers]
        listen(self._models.order, self._before_pass, self.recorder if writer.folder is not None else None)
        for hook in self._hooks:
            listen_to_clips(hook.before_clip)
        self._commands: CommandInbox | None = None

    @property
    def folder(self) -> Path | None:
        """Return the folder of the run; None if another process writes it."""
        return self._writer.folder

    def models(self) -> list[nn.Module]:
        """Return the models that the script has not dropped."""
        return list(self._models.alive().values())

    def optimizers(self) -> list[Optimizer]:
        """Return the optimizers that the script has not dropped."""
        return [known for watched in self._optimizers if (known := watched.get()) is not None]

    @property
    def over(self) -> bool:
        """Return whether the script has dropped all models, or all optimizers."""
        unknown = any(not watched.known for watched in self._optimizers)
        return not self.models() or not (unknown or self.optimizers())

    def is_replaced_by(self, models: Iterable[nn.Module], optimizers: Iterable[Optimizer]) -> bool:
        """Return whether watching these would record the same steps of the same model again."""
        own = {id(unwrapped(model)) for model in self.models()}
        if own.isdisjoint(id(unwrapped(model)) for model in models):
            return False
        moved = [p for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]]
        return not moved or any(watched.moves_any(moved) for watched in self._optimizers)

    def _before_pass(self) -> None:
        for hook in self._hooks:
            hook.before_pass()

    def step(self) -> None:
        """Record a step of a training whose optimizer is not known."""
        for hook in self._hooks:
            hook.step()

    def pending_commands(self) -> PendingCommands:
        """Return the commands that viewers have sent since the last call."""
        if self._commands is None:
            if self.folder is None:
                return PendingCommands()
            self._commands = CommandInbox(self.folder, self._writer)
        # A viewer that pauses the script wants to see the step before the pause.
        self.recorder.publish()
        return self._commands.take(self.recorder.step)

    def remove_hooks(self) -> None:
        """Remove all hooks. Never call this from one of them."""
        for hook in self._hooks:
            hook.remove()

    def end(self, status: State, reason: str) -> None:
        """Write everything that was recorded, and how the training ended."""
        try:
            for hook in self._hooks:
                hook.measure_last()
            self.recorder.finish()
        finally:
            self._close(status, reason or self._why_over())

    def _why_over(self) -> str:
        """Why nothing was recorded at the end of a training that may have gone on; empty where it has not."""
        idle = [hook.idle_since for hook in self._hooks if hook.idle_since is not None]
        if idle:
            last = idle[0] + self._writer.offset
            return f"the watched optimizer took no step after step {last}, although the weights changed"
        return ""

    def give_up(self, reason: str) -> None:
        """Note in the run that the recording has failed, if that is still possible."""
        # Measurements before the failure are still valid, and can be written unless the disk has failed.
        with contextlib.suppress(Exception):
            self.recorder.settle()
        self._close("stopped", f"no longer recorded: {reason}")

    def _close(self, status: State, reason: str) -> None:
        for hook in self._hooks:
            ignore_clips(hook.before_clip)
        unlisten(self._models.order, self._before_pass, self.recorder)
        self.recorder.stop_sampling()
        if self._reducer is not None:
            self._reducer.close()
        self._writer.end(self.recorder.step, status, reason)
