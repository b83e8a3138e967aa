"""Measure each step of one optimizer of the script, by hooks on the optimizer and on some of its parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer

from gradtui.monitor.backward_losses import PassRoots
from gradtui.monitor.backward_root import other_thread_runs, roots_before, running_root
from gradtui.monitor.clearing import ClearingCount
from gradtui.monitor.gradients import (
    BackwardHook,
    Gradients,
    GradNorms,
    GradVersion,
    norms_before,
    running_pass,
)
from gradtui.monitor.guard import guarded, warn
from gradtui.monitor.recorder import ScriptRecorder
from gradtui.monitor.step_record import OptimizerStep
from gradtui.monitor.untraced import untraced
from gradtui.monitor.watched import WatchedOptimizer

CHECK_SECONDS, CHECK_SHARE = 8e-6, 0.003
"""The seconds that one check of a small gradient takes, and the share of the training's time for these checks."""
STANDS_OUT_RATIO = 100.0
"""A gradient stands out if it is this many times the largest one before."""
FEWEST_CHECKS = 10
"""The number of gradients that must be known before one can stand out by its size."""
LOST_OPTIMIZER = "the watched optimizer was deleted, and something else has trained the model since then"
FEWEST_MOVES = 8
"""Something else must have moved the weights this many times before the user is warned."""
MORE_MOVES = 4
"""It must also be this many times the most seen between two steps: methods that look ahead move weights too."""
LARGEST_CHECKED = 4096
"""The most numbers of a gradient that is checked; a larger one would take longer."""


class OptimizerHook:
    """An OptimizerHook measures the gradients of each step of an optimizer, and passes them to the recorder.

    The gradients are measured at the end of each backward pass, before clipping, and again in `optimizer.step()`
    if they have changed by then.
    """

    def __init__(self, watched: WatchedOptimizer, recorder: ScriptRecorder) -> None:
        self.guard = recorder.guard
        self._watched = watched
        self._recorder = recorder
        self._step: OptimizerStep | None = None
        self._fewest_present: int | None = None
        self._idleness = IdleOptimizerCheck()
        self._clearing = ClearingCount()
        self._roots = PassRoots(roots_before(watched.tensors()))
        recorder.clearings.append(self._clearing)
        self._hook_parameters(norms_before(watched.tensors()))
        self._last_measured = True
        self._in_step = False
        self._handles: list[Any] = []
        if (optimizer := watched.get()) is not None:
            self._handles = [
                optimizer.register_step_pre_hook(self._before_step),
                optimizer.register_step_post_hook(self._after_step),
            ]

    def _hook_parameters(self, arrived: GradNorms | None = None) -> None:
        self._gradients = Gradients(self._watched)
        self._backward = BackwardHook(self._watched.references, self._end_of_backward, self._pass_wanted)
        self._arrived = arrived
        self._passes = 0
        self._version: GradVersion | None = None
        self._alarm = GradientAlarm(self._watched)

    @guarded()
    def before_pass(self) -> None:
        """Set the hooks of the parameters, which lazy ones did not take before, and swapped ones have lost."""
        if running_pass() != -1 or other_thread_runs():
            # PyTorch would free a hook while it runs.
            return
        if self._backward.attached:
            self._backward.renew()
        else:
            self._hook_parameters()

    @guarded()
    def before_clip(self, parameters: Sequence[Tensor]) -> None:
        """Take the parameters whose gradients the script is about to clip.

        The script may have written these gradients itself, with or without a backward pass before.
        """
        if not self._watched.known or not self._watched.moves_any(parameters):
            return
        with self._recorder.stopwatch.on("recording"):
            self._clearing.clip(passes=self._passes)
            scaled = self._watched.scaler.found
            if self._recorder.due and not scaled and running_pass() == -1:
                arrived = self._arrived
                if arrived is None or not self._gradients.unchanged(arrived):
                    self._arrived = self._gradients.read()

    @property
    def idle_since(self) -> int | None:
        """Return the number of the last step where something else moves the weights since then; None elsewhere."""
        return self._idleness.last_step

    def step(self) -> None:
        """Record a step of a training whose optimizer is not known; do nothing if it is known."""
        if not self._watched.known:
            with self._recorder.stopwatch.on("recording"):
                self._begin_step()
                self._step = self._measure()
                self._end_step()

    def remove(self) -> None:
        """Remove the hooks. Never call this from one of them."""
        self._backward.remove(tidy=not other_thread_runs())
        for handle in self._handles:
            handle.remove()

    def measure_last(self) -> None:
        """Measure the gradients that the last step has left behind, if the step was not measured.

        Nothing is recorded if the script clips, since the norm before clipping is lost, or if another backward pass
        came after the step.
        """
        clips = self._clearing.clips or self._recorder.clips
        if self._last_measured or self._passes or clips or not self._watched.known:
            return
        left = self._gradients.read()
        if left.present.any():
            self._recorder.add_last(self._measured(left, left))

    def _pass_wanted(self) -> bool:
        """Count a backward pass, and return whether to measure at its end."""
        hooks = self._recorder.stopwatch.hooks
        began = hooks.begin()
        self._count_pass()
        hooks.end(began)
        due = self._recorder.due or self._recorder.sampling or self._watched.scaler.found
        return due and self.guard.open

    def _count_pass(self) -> None:
        self._passes += 1
        if self._watched.known and not self._in_step and self._would_miss_steps():
            moved_on = self._idleness.after_pass(self._backward.weight_version(), self._recorder.step)
            if moved_on and self._watched.get() is None:
                self._recorder.explain_end(LOST_OPTIMIZER)
        if self._recorder.wants_root():
            self._roots.add(running_root())

    def _would_miss_steps(self) -> bool:
        """Return whether steps that something else takes would be missed: not where they are watched anew."""
        dropped = self._watched.get() is None
        return self.guard.open if not dropped else self._backward.newest

    @untraced
    @guarded()
    def _end_of_backward(self) -> None:
        recorder = self._recorder
        if not self._passes:
            # A hook of the script took the step within the pass, and the gradients may be gone.
            return
        if recorder.sampling:
            self._sample_gradients(self._watched.scaler.scale())
        if not (recorder.due or self._watched.scaler.found):
            return
        with recorder.stopwatch.on("recording"):
            version, before = self._backward.version(), self._version
            self._clearing.after_pass(version)
            if before is not None and version is not None and not version.continues(before):
                # The gradients were cleared, though the optimizer took no step.
                self._roots.keep_newest()
                arrived = self._arrived
                left_out = None if arrived is None else self._measured(arrived, arrived, skipped=True)
                recorder.leave_out_step(self._watched, left_out)
            self._version = version
            self._arrived = self._gradients.read() if recorder.due else None

    def _sample_gradients(self, scale: Tensor | None) -> None:
        """Measure the single numbers of the gradients, where the step is sampled."""
        with self._recorder.stopwatch.on("sampling"):
            self._recorder.layer_samples.after_backward(self._watched, scale, self._recorder.step + 1)

    @untraced
    @guarded()
    def _before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        self._in_step = True
        if not (self._recorder.due or self._recorder.sampling):
            hooks = self._recorder.stopwatch.hooks
            began = hooks.begin()
            rings = self._recorder.can_look_closely and self._alarm.rings(self._recorder.step_seconds)
            hooks.end(began)
            if rings:
                with self._recorder.stopwatch.on("recording"):
                    self._begin_step()
                    now = self._gradients.read()
                    self._step = self._measured(now, now)
                    self._recorder.record_next_steps()
            return
        with self._recorder.stopwatch.on("recording"):
            self._begin_step()
            if not _has_closure(args, kwargs):
                self._step = self._measure()

    @untraced
    @guarded()
    def _after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        with self._recorder.stopwatch.on("recording"):
            closure = _has_closure(args, kwargs)
            if closure:
                # The closure computed the gradients within the step.
                self._step = self._measure()
            self._end_step(closure=closure)

    def _begin_step(self) -> None:
        watched = self._watched
        changed = watched.changed
        if changed:
            self._recorder.models.check_unchanged()
            watched.find_parameters()
        # Parameters of lazy modules accept hooks only after the first step.
        if changed or not self._backward.attached:
            self._backward.remove(tidy=not other_thread_runs())
            self._hook_parameters()
        self._recorder.begin_step(watched)

    def _end_step(self, *, closure: bool = False) -> None:
        step, self._step, self._arrived = self._step, None, None
        self._in_step = False
        self._backward.forget_pass()
        self._idleness.after_step()
        if step is not None:
            self._check_present(step.after.norms)
            if not (self._passes or closure or other_thread_runs()):
                self._backward.move_to(step.after.present)
        self._last_measured = step is not None
        passes, self._passes, self._version = self._passes, 0, None
        recorder = self._recorder
        if recorder.losses.wanted:
            roots = self._roots.take(first=closure, whole=recorder.due)
            scaler = self._watched.scaler
            recorder.losses.take(self._watched.number, roots, scaler.scale() if scaler.found else None)
        if recorder.sampling and not recorder.layer_samples.has_gradients(self._watched):
            # No backward pass was seen: the gradients were written by hand, or the script calls probe.step().
            self._sample_gradients(getattr(self._watched.get(), "grad_scale", None))
        recorder.end_step(self._watched, step)
        # If the next steps are not recorded, their backward passes are not seen.
        self._clearing.after_step(
            self._backward.version() if recorder.due else None, recorder.step, passes=passes
        )

    def _check_present(self, norms: NDArray[Any] | Tensor) -> None:
        # A parameter without a gradient may have been replaced by one that this optimizer does not move. It has a
        # gradient of exactly 0 if the script clears gradients in place.
        count = len(norms) if isinstance(norms, Tensor) else int(np.count_nonzero(norms))
        if self._fewest_present is None or count < self._fewest_present:
            if self._fewest_present is not None:
                self._recorder.models.check_not_replaced()
            self._fewest_present = count

    def _measure(self) -> OptimizerStep | None:
        arrived, scaler = self._arrived, self._watched.scaler
        if self._recorder.due and running_pass() != -1:
            # A hook of the script takes the step as soon as the gradient arrives.
            now = self._gradients.read()
            return self._measured(now, now)
        # After a pass that was counted but not measured, the norm before clipping is not known.
        if not self._recorder.due or (arrived is None and self._passes):
            return None
        if not scaler.found:
            scaler.search()
        # Unscaling does not change the version of a gradient.
        if arrived is not None and not scaler.found and self._gradients.unchanged(arrived):
            return self._measured(arrived, arrived)
        after = self._gradients.read()
        if arrived is not None and (arrived.present != after.present).any():
            self._clearing.emptied += bool(arrived.present.any() and not after.present.any())
            arrived = None
        return self._measured(arrived, after)

    def _measured(
        self, before: GradNorms | None, after: GradNorms, *, skipped: bool = False
    ) -> OptimizerStep:
        optimizer = self._watched.get()
        # Fused optimizers unscale by themselves: the scaler hands its factor to them.
        optimizer_scale = getattr(optimizer, "grad_scale", None)
        changed = before is not None and before is not after
        scale = optimizer_scale
        if changed or skipped or optimizer_scale is not None:
            scaler_scale = self._watched.scaler.scale()
            scale = optimizer_scale if scaler_scale is None else scaler_scale
        groups = optimizer.param_groups if optimizer is not None else []
        return OptimizerStep(
            number=self._watched.number,
            positions=self._watched.positions,
            before=before,
            after=after,
            before_scale=scale,
            after_scale=scale if skipped else optimizer_scale,
            lrs=tuple(_copied(group.get("lr", float("nan"))) for group in groups),
            overflow=_copied(getattr(optimizer, "found_inf", None)),
            skipped=skipped,
        )


class IdleOptimizerCheck:
    """An IdleOptimizerCheck says once that weights are moved again and again, though the optimizer takes no step.

    Then something else moves them: an optimizer that was made later, or a method with another name than `step`.
    """

    def __init__(self) -> None:
        self.last_step: int | None = None
        """The number of the step after which it was said."""
        self._version = -1
        self._at = 0
        self._seen = False
        self._moves = self._most_moves = 0

    def after_pass(self, version: int, step: int) -> bool:
        """Take how often a weight was written to when a backward pass reaches it, and the number of the newest step.

        Return whether it was said just now.
        """
        # Where another watched optimizer has taken a step, it may be the one that moved this weight.
        self._moves += version > self._version >= 0 and self._at == step and self._seen
        self._version, self._at, self._seen = version, step, True
        if self._moves >= max(FEWEST_MOVES, MORE_MOVES * self._most_moves) and self.last_step is None:
            self.last_step = step
            warn(
                "gradtui records no step: the weights change, but not through step() of the watched "
                "optimizer. Watch the optimizer that moves them, or watch the model alone and call "
                "probe.step() after backward()"
            )
            return True
        return False

    def after_step(self) -> None:
        """Take note that the optimizer has taken a step."""
        self._most_moves, self._moves = max(self._most_moves, self._moves), 0
        self._seen, self.last_step = False, None


class GradientAlarm:
    """A GradientAlarm checks one small gradient of an optimizer, at as many steps as its cost allows.

    It is for steps that are not recorded. NaN in a loss reaches every gradient, and so does most growth. On a device
    other than the CPU nothing is checked, because that would wait for the device.
    """

    def __init__(self, watched: WatchedOptimizer) -> None:
        known = [
            (p.numel(), reference)
            for reference in watched.references
            if (p := reference()) is not None and p.requires_grad and not is_lazy(p)
        ]
        known = [(size, reference) for size, reference in known if size <= LARGEST_CHECKED]
        self._parameter = min(known, key=lambda entry: entry[0])[1] if known else None
        self._largest = 0.0
        self._checks = 0
        self._rests = 0
        self._broken = False

    def rings(self, step_seconds: float) -> bool:
        """Return whether the gradient has broken or grown by STANDS_OUT_RATIO since the steps before."""
        if self._rests > 0:
            self._rests -= 1
            return False
        self._rests = int(CHECK_SECONDS / (CHECK_SHARE * step_seconds)) if step_seconds > 0 else 0
        parameter = None if self._parameter is None else self._parameter()
        gradient = None if parameter is None else parameter.grad
        if gradient is None or gradient.device.type != "cpu" or gradient.is_sparse:
            return False
        norm = float(torch.linalg.vector_norm(gradient.detach()))
        was_broken, self._broken = self._broken, not math.isfinite(norm)
        if self._broken:
            return not was_broken
        grown = self._checks >= FEWEST_CHECKS and norm > STANDS_OUT_RATIO * self._largest > 0
        self._checks += 1
        self._largest = max(self._largest, norm)
        return grown


def _has_closure(args: Any, kwargs: Any) -> bool:
    # The first argument is the optimizer itself.
    return (args[1] if len(args) > 1 else kwargs.get("closure")) is not None


def _copied(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Tensor) else value
