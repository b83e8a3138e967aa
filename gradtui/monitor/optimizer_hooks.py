"""Put hooks on one optimizer of the script, and on some of its parameters, by which each step is measured."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from gradtui.monitor.backward_losses import PassRoots
from gradtui.monitor.backward_root import running_root
from gradtui.monitor.clearing import Clearing
from gradtui.monitor.gradients import BackwardHook, Gradients, GradNorms, GradVersion
from gradtui.monitor.guard import guarded
from gradtui.monitor.recorder import ScriptRecorder
from gradtui.monitor.step_record import OptimizerStep
from gradtui.monitor.watched import WatchedOptimizer


class OptimizerHook:
    """An OptimizerHook measures the gradients of each step of an optimizer, and hands them to the recorder.

    The gradients are measured at the end of each backward pass, before clipping, and again in `optimizer.step()`
    where they have changed by then.
    """

    def __init__(self, watched: WatchedOptimizer, recorder: ScriptRecorder) -> None:
        self.guard = recorder.guard
        self._watched = watched
        self._recorder = recorder
        self._step: OptimizerStep | None = None
        self._clearing = Clearing()
        self._roots = PassRoots()
        recorder.clearings.append(self._clearing)
        self._hook_parameters()
        self._handles: list[Any] = []
        if (optimizer := watched.get()) is not None:
            self._handles = [
                optimizer.register_step_pre_hook(self._before_step),
                optimizer.register_step_post_hook(self._after_step),
            ]

    def _hook_parameters(self) -> None:
        self._gradients = Gradients(self._watched.parameters)
        self._backward = BackwardHook(self._watched.parameters, self._end_of_backward, self._pass_wanted)
        self._arrived: GradNorms | None = None
        self._passes = 0
        self._version: GradVersion | None = None

    def step(self) -> None:
        """Record a step of a training whose optimizer is not known; do nothing where it is."""
        if not self._watched.known:
            with self._recorder.stopwatch.on("recording"):
                self._begin_step()
                self._step = self._measure()
                self._end_step()

    def remove(self) -> None:
        """Remove the hooks. Not to be called from within one of them."""
        self._backward.remove()
        for handle in self._handles:
            handle.remove()

    def _pass_wanted(self) -> bool:
        """Count a backward pass, and return whether to measure at its end."""
        self._passes += 1
        if self._recorder.wants_root():
            self._roots.add(running_root())
        return (self._recorder.due or self._watched.scaler.found) and self.guard.open

    @guarded()
    def _end_of_backward(self) -> None:
        recorder = self._recorder
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

    @guarded()
    def _before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if not (self._recorder.due or self._recorder.sampling):
            return
        with self._recorder.stopwatch.on("recording"):
            self._begin_step()
            if not _has_closure(args, kwargs):
                self._step = self._measure()

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
        # The parameters of lazy modules take hooks only now.
        if changed or not self._backward.attached:
            self._backward.remove()
            self._hook_parameters()
        self._recorder.begin_step(watched)

    def _end_step(self, *, closure: bool = False) -> None:
        step, self._step, self._arrived = self._step, None, None
        self._passes, self._version = 0, None
        recorder = self._recorder
        if recorder.losses.wanted:
            roots = self._roots.take(first=closure, whole=recorder.due)
            scaler = self._watched.scaler
            recorder.losses.take(self._watched.number, roots, scaler.scale() if scaler.found else None)
        recorder.end_step(self._watched, step)
        # Where the next steps are left out of the record, their backward passes are not seen.
        self._clearing.after_step(self._backward.version() if recorder.due else None, recorder.step)

    def _measure(self) -> OptimizerStep | None:
        arrived, scaler = self._arrived, self._watched.scaler
        # After a pass that was counted but not measured, the norm before clipping is not known.
        if not self._recorder.due or (arrived is None and self._passes):
            return None
        if not scaler.found:
            scaler.search()
        # Unscaling is not counted in the version of a gradient.
        if arrived is not None and not scaler.found and self._gradients.unchanged(arrived):
            return self._measured(arrived, arrived)
        after = self._gradients.read()
        if arrived is not None and (arrived.present != after.present).any():
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


def _has_closure(args: Any, kwargs: Any) -> bool:
    # The first argument is the optimizer itself.
    return (args[1] if len(args) > 1 else kwargs.get("closure")) is not None


def _copied(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Tensor) else value
