"""One optimizer of the script, observed: what its gradients were before and after clipping, at each step."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from gradtui.monitor.gradients import Arrivals, Gradients, Mark, Reading
from gradtui.monitor.guard import Guard, guarded
from gradtui.monitor.scaling import Scaler
from gradtui.monitor.stopwatch import Stopwatch


@dataclass(frozen=True, eq=False)
class Step:
    """What was seen of one step of one optimizer."""

    number: int
    """Which optimizer."""
    positions: NDArray[np.intp]
    """Of its parameters among all that are watched."""
    before: Reading | None
    """Gradients when the backward pass was over; None where that was not seen."""
    after: Reading
    """Gradients as the optimizer was given them; `before` where they had not changed."""
    before_scale: Tensor | None
    """What the former are multiplied by, (); None is 1 …"""
    after_scale: Tensor | None
    """… and the latter, where the optimizer itself divides by it."""
    lrs: tuple[float | Tensor, ...]
    """Of each parameter group."""
    overflow: Tensor | None = None
    """(): above 0 where the optimizer itself left the step out, for its gradient overflowed."""
    skipped: bool = False
    """Whether a scaler left it out."""


class Takes(Protocol):
    """Who is told."""

    @property
    def guard(self) -> Guard:
        """Whose failures end the recording."""
        ...

    @property
    def due(self) -> bool:
        """Whether the step under way is to be recorded."""
        ...

    @property
    def looking(self) -> bool:
        """Whether the weights are to be looked at before they are moved."""
        ...

    @property
    def stopwatch(self) -> Stopwatch:
        """Counts our time."""
        ...

    def check(self) -> None:
        """An optimizer moves other parameters than before. Raises ModelChanged where they are new to us."""
        ...

    def begins(self, watched: Stepping) -> None:
        """An optimizer is about to move the weights."""
        ...

    def moved(self, watched: Stepping, step: Step | None) -> None:
        """It has moved them; None where nothing was measured."""
        ...

    def left_out(self, watched: Stepping, step: Step | None) -> None:
        """Gradients came and went, and the optimizer never saw them."""
        ...


class Stepping:
    """Hooks on one optimizer, and on some of its parameters."""

    def __init__(
        self,
        number: int,
        name: str,
        optimizer: Optimizer | None,
        watched: Sequence[weakref.ref[nn.Parameter]],
        takes: Takes,
    ) -> None:
        """`watched`: parameters of the models, of which this is about those that the optimizer moves; without
        an optimizer about all, and `step` must be called."""
        self.number = number
        self.name = name
        self.scaler = Scaler()
        self.optimizer = None if optimizer is None else weakref.ref(optimizer)
        self._watched = watched
        self._takes = takes
        self._step: Step | None = None
        self._places: Mapping[int, int] = {}
        self._handles: list[Any] = []
        self._size = 0
        self._look_at(optimizer)
        if optimizer is not None:
            self._handles = [
                optimizer.register_step_pre_hook(self._before),
                optimizer.register_step_post_hook(self._after),
            ]

    def _look_at(self, optimizer: Optimizer | None) -> None:
        """Find the parameters, and begin to hear of their gradients."""
        self._size = _size(optimizer)
        moved = (
            None
            if optimizer is None
            else {id(p) for group in optimizer.param_groups for p in group["params"]}
        )
        self.parameters = [r for r in self._watched if moved is None or id(r()) in moved]
        self.gradients = Gradients(self.parameters)
        self._arrivals = Arrivals(self.parameters, self._arrive, self._wanted)
        self._arrived: Reading | None = None
        self._passes = 0
        self._mark: Mark | None = None
        self.positions = np.zeros(len(self.parameters), np.intp)
        self.place(self._places)

    def place(self, places: Mapping[int, int]) -> None:
        """Say which place each parameter, by id, has among all that are watched."""
        self._places = places
        if places and not self._arrivals.listening:
            self._arrivals = Arrivals(self.parameters, self._arrive, self._wanted)
        # In place: a step that was seen before anybody knew is about these too.
        self.positions[:] = [places.get(id(r()), 0) for r in self.parameters]

    @property
    def groups(self) -> int:
        """Parameter groups, each with its learning rate."""
        optimizer = None if self.optimizer is None else self.optimizer()
        return 1 if optimizer is None else max(1, len(optimizer.param_groups))

    def step(self) -> None:
        """A step of a training whose optimizer is not known; does nothing where it is."""
        if self.optimizer is None:
            self._takes.begins(self)
            self._step = self._measure()
            self._done()

    @property
    def guard(self) -> Guard:
        """Whose failures end the recording."""
        return self._takes.guard

    def remove(self) -> None:
        """Take the hooks off. Not from within one of them."""
        self._arrivals.remove()
        for handle in self._handles:
            handle.remove()

    def _wanted(self) -> bool:
        """Whether to look when the backward pass is over. It counts as seen in any case."""
        self._passes += 1
        return (self._takes.due or self.scaler.known) and self.guard.open

    @guarded()
    def _arrive(self) -> None:
        """A backward pass is over."""
        with self._takes.stopwatch.on("rows"):
            mark, before = self._arrivals.mark(), self._mark
            if before is not None and mark is not None and not mark.goes_on(before):
                # Not accumulated to: cleared, though no step was taken.
                self._takes.left_out(self, self._left_out())
            self._mark = mark
            self._arrived = self.gradients.read() if self._takes.due else None

    def _left_out(self) -> Step | None:
        if self._arrived is None:
            return None
        return self._seen(self._arrived, self._arrived, skipped=True)

    @guarded()
    def _before(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if not (self._takes.due or self._takes.looking):
            return
        with self._takes.stopwatch.on("rows"):
            if _size(optimizer) != self._size:
                self._takes.check()
                self._arrivals.remove()
                self._look_at(optimizer)
            self._takes.begins(self)
            if not _closure(args, kwargs):
                self._step = self._measure()

    @guarded()
    def _after(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        with self._takes.stopwatch.on("rows"):
            if _closure(args, kwargs):
                # Its gradients came only within the step, by the closure.
                self._step = self._measure()
            self._done()

    def _done(self) -> None:
        step, self._step, self._arrived = self._step, None, None
        self._passes, self._mark = 0, None
        self._takes.moved(self, step)

    def _measure(self) -> Step | None:
        arrived = self._arrived
        # Where a pass was seen but not measured, the number before clipping would be another's.
        if not self._takes.due or (arrived is None and self._passes):
            return None
        if not self.scaler.known:
            self.scaler.look()
        # To unscale gradients leaves no trace in the count of what is written to them.
        if arrived is not None and not self.scaler.known and self.gradients.unchanged(arrived):
            return self._seen(arrived, arrived)
        after = self.gradients.read()
        if arrived is not None and (arrived.present != after.present).any():
            arrived = None
        return self._seen(arrived, after)

    def _seen(self, before: Reading | None, after: Reading, *, skipped: bool = False) -> Step:
        optimizer = None if self.optimizer is None else self.optimizer()
        by_optimizer = getattr(optimizer, "grad_scale", None)
        changed = before is not None and before is not after
        scale = by_optimizer
        if changed or skipped or by_optimizer is not None:
            factor = self.scaler.factor()
            scale = by_optimizer if factor is None else factor
        groups = optimizer.param_groups if optimizer is not None else []
        return Step(
            number=self.number,
            positions=self.positions,
            before=before,
            after=after,
            before_scale=scale,
            after_scale=by_optimizer if not skipped else scale,
            lrs=tuple(_copied(group.get("lr", float("nan"))) for group in groups),
            overflow=_copied(getattr(optimizer, "found_inf", None)),
            skipped=skipped,
        )


def _size(optimizer: Optimizer | None) -> int:
    return 0 if optimizer is None else sum(len(group["params"]) for group in optimizer.param_groups)


def _closure(args: Any, kwargs: Any) -> bool:
    # The first argument is the optimizer itself.
    return (args[1] if len(args) > 1 else kwargs.get("closure")) is not None


def _copied(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Tensor) else value
