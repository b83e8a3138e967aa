"""Find and watch the models of each optimizer of a process at its first step."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import weakref
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gradtui.monitor.backward_root import remember_roots
from gradtui.monitor.distributed.ranks import check_keeps_gradients
from gradtui.monitor.endings import end_with_process
from gradtui.monitor.gradients import remember_norms
from gradtui.monitor.guard import reason_of, warn
from gradtui.monitor.launch.early_passes import EarlyPasses
from gradtui.monitor.launch.finding_command import run_command
from gradtui.monitor.launch.options import LaunchOptions
from gradtui.monitor.launch.output_log import OutputLog
from gradtui.monitor.launch.process_objects import ProcessObjects, parameters_of
from gradtui.monitor.session import WatchSession
from gradtui.monitor.trial import this_trial
from gradtui.monitor.variable_names import model_name, names_of, script_name
from gradtui.monitor.watch import Probe, watch
from gradtui.plain_text import plain
from gradtui.runs.status import State

MOST_RUNS = 100
"""The most runs of one process, since a search or a test may train thousands of models."""


class FirstSteps:
    """FirstSteps begins a run for each model whose optimizer takes a step that no run records yet.

    It never raises into the script. Models that the script watches by itself are left to the script.
    """

    def __init__(self, options: str, early: EarlyPasses | None = None) -> None:
        """Take the options as text, as LaunchOptions.to_json gives them, and what was measured before a first step."""
        self._early = early
        if early is not None:
            remember_norms(early.norms_of)
            remember_roots(early.roots_of)
        self._options = LaunchOptions.from_json(options)
        self._known: dict[int, _HandledOptimizer] = {}
        self._watched: list[_Watched] = []
        self._loose: weakref.WeakKeyDictionary[Optimizer, nn.Module] = weakref.WeakKeyDictionary()
        self._run_count = 0
        self._noted: set[Path] = set()
        self._output = OutputLog()
        # A process that was forked during a training records only its own trainings.
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._known, self._watched, self._run_count = {}, [], 0
        self._output = OutputLog()

    def before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        """Handle the step that an optimizer is about to take."""
        known = self._known.get(id(optimizer))
        if known is not None and known.hooks == optimizer._optimizer_step_pre_hooks.keys():
            return
        try:
            if known is None:
                self._first_step(optimizer)
            else:
                self._leave_to_script(optimizer)
            self._remember(optimizer)
        except Exception as error:
            self._remember(optimizer)
            warn(f"gradtui cannot watch this training: {reason_of(error)}", level=3)

    def close(self) -> None:
        """End all runs that are open."""
        for watched in self._watched:
            watched.probe.close()
        self._output.end()

    def _end_output(self, status: State, reason: str) -> None:
        self._output.end()

    def _remember(self, optimizer: Optimizer) -> None:
        number, known = id(optimizer), self._known
        reference = weakref.ref(optimizer, lambda _: known.pop(number, None))
        known[number] = _HandledOptimizer(reference, frozenset(optimizer._optimizer_step_pre_hooks))

    def _first_step(self, optimizer: Optimizer) -> None:
        if self._run_count >= MOST_RUNS or is_no_training_of_its_own(optimizer):
            return
        parameters = parameters_of(optimizer)
        survey = ProcessObjects()
        ours = [watched for watched in self._watched if watched.probe.guard.open]
        sessions = survey.sessions_on(parameters)
        if len(sessions) > sum(watched.moves(parameters) for watched in ours):
            self._write_notes(sessions)
            return
        for watched in ours:
            # Another optimizer replaces the recorded one or joins it: a new run records all of them.
            if watched.moves(parameters):
                watched.probe.close()
        models = survey.models_of(parameters)
        held = {id(p) for model in models for p in model.parameters()}
        if loose := [p for p in parameters if id(p) not in held]:
            # These may be parts of parameters that DeepSpeed has cut.
            check_keeps_gradients(survey.modules)
            # Tensors without a gradient are ones that the model had before they were replaced in it.
            if trained := [p for p in loose if p.grad is not None or not models]:
                models.append(self._loose.setdefault(optimizer, _module_of(trained)))
        optimizers = survey.optimizers_of(models, optimizer)
        self._watch(models, optimizers, several=self._trains_others(survey, models))
        for other in optimizers[1:]:
            self._remember(other)
        if self._early is not None:
            known = {*self._known, id(optimizer)}
            self._early.wait_for(one for one in survey.optimizers if id(one) not in known)
        self._watched = [watched for watched in self._watched if watched.probe.guard.open]

    def _trains_others(self, survey: ProcessObjects, models: Sequence[nn.Module]) -> bool:
        """Return whether this process trains other models too, so that one name is not enough."""
        held = {id(p) for model in models for p in model.parameters()}
        others = any(held.isdisjoint(map(id, parameters_of(one))) for one in survey.optimizers)
        return others or self._run_count > 0

    def _watch(self, models: Sequence[nn.Module], optimizers: Sequence[Optimizer], *, several: bool) -> None:
        options = self._options
        classes = [model_name(model) for model in models]
        variables = names_of(models, classes) if several or len(models) > 1 else classes
        shown = " and ".join(variables if several or len(models) > 1 else classes)
        chosen = options.resume or options.name
        started_by = chosen or script_name()
        # A name from the command line is used unchanged, unless several models would get it.
        name = started_by if chosen and not several else " · ".join(filter(None, (started_by, shown)))
        watched: nn.Module | dict[str, nn.Module] = models[0]
        if len(models) > 1:
            watched = dict(zip(variables, models, strict=True))
        probe = watch(
            watched,
            optimizers[0] if len(optimizers) == 1 else list(optimizers),
            name=name,
            runs=options.runs or None,
            budget=options.budget,
            activations=options.activations,
            layers=options.layers,
            note=options.note,
            resume=name if options.resume else "",
            on_finding=partial(run_command, options.on_finding) if options.on_finding else None,
        )
        self._run_count += 1
        end_with_process(self._end_output)
        self._watched.append(_Watched(probe, models))
        if probe.run is not None:
            self._write_note(probe.run)
            self._tell(probe.run)
            if this_trial() is None:
                # What a trial prints is kept by the command that runs it.
                self._output.keep_for(probe.run, lambda: probe.guard.open)

    def _write_notes(self, sessions: Sequence[WatchSession]) -> None:
        """Note the runs that the script has begun by itself, so that the command shows and judges them too."""
        for session in sessions:
            if session.folder is not None:
                self._write_note(session.folder)

    def _write_note(self, run: Path) -> None:
        """Note a run in the files for notes, once."""
        if run in self._noted:
            return
        self._noted.add(run)
        line = json.dumps({"run": str(run)}) + "\n"
        for file in self._options.notes:
            with contextlib.suppress(OSError), open(file, "a", encoding="utf-8") as notes:
                notes.write(line)

    def _tell(self, run: Path) -> None:
        """Report a run with one line.

        On a terminal each process has such a line, elsewhere only the command itself: a script may read what the
        processes print that it starts.
        """
        if self._run_count != 1 or sys.stderr is None or self._options.quiet:
            return
        if sys.stderr.isatty() or os.getpid() == self._options.told_by:
            print(plain(f"gradtui: recording {run.name}; gradtui attach shows it"), file=sys.stderr)

    def _leave_to_script(self, optimizer: Optimizer) -> None:
        """End our run of an optimizer that the script has begun to watch by itself."""
        parameters = parameters_of(optimizer)
        ours = [one for one in self._watched if one.probe.guard.open and one.moves(parameters)]
        sessions = ProcessObjects().sessions_on(parameters)
        if len(sessions) > len(ours):
            self._write_notes(sessions)
            for watched in ours:
                watched.probe.close()


class _HandledOptimizer:
    """A _HandledOptimizer is an optimizer after its first step, with the ids of its step hooks at that step."""

    def __init__(self, reference: weakref.ref[Optimizer], hooks: frozenset[int]) -> None:
        self.reference = reference
        self.hooks = hooks


class _Watched:
    """A _Watched is a run of this package, with its models."""

    def __init__(self, probe: Probe, models: Sequence[nn.Module]) -> None:
        self.probe = probe
        self._models = [weakref.ref(model) for model in models]

    def moves(self, parameters: Sequence[Tensor]) -> bool:
        """Return whether the run is open and records any of these parameters."""
        if not self.probe.guard.open:
            return False
        wanted = {id(p) for p in parameters}
        models = (model for reference in self._models if (model := reference()) is not None)
        return any(id(p) in wanted for model in models for p in model.parameters())


def is_no_training_of_its_own(optimizer: Optimizer) -> bool:
    """Return whether a step is part of another optimizer's step, in a data loader's worker, or the lab's own."""
    return (
        torch.utils.data.get_worker_info() is not None
        or "gradtui.training.session" in sys.modules
        or _is_within_another_step(optimizer)
    )


def _is_within_another_step(optimizer: Optimizer) -> bool:
    """Return whether an optimizer that wraps this one is taking its step; then the wrapper is recorded."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename == _STEP_CODE.co_filename and frame.f_code.co_name == _STEP_CODE.co_name:
            stepping = frame.f_locals.get("self")
            if isinstance(stepping, Optimizer) and stepping is not optimizer:
                return True
        frame = frame.f_back
    return False


_STEP_CODE = Optimizer.profile_hook_step(lambda self: None).__code__
"""The code object of the wrapper that PyTorch puts around each optimizer's step."""


def _module_of(parameters: Sequence[Tensor]) -> nn.Module:
    """Return a module with one child for each tensor that no module holds, under the name of its variable."""
    module = Parameters()
    names = names_of(parameters, [f"parameter {number}" for number in range(1, len(parameters) + 1)])
    for name, parameter in zip(names, parameters, strict=True):
        part = nn.Module()
        # Any tensor can be optimized; a tensor that is not an nn.Parameter is only accepted this way.
        part._parameters["value"] = parameter  # type: ignore[assignment]
        module.add_module(name, part)
    return module


class Parameters(nn.Module):
    """Parameters is a module for tensors that the script optimizes although none of its modules holds them."""
