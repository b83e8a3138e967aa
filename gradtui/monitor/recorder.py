"""What is seen of a script's training becomes rows of its run, as often as the budget allows."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gradtui.monitor.activations import Activations
from gradtui.monitor.guard import Guard
from gradtui.monitor.journal import Journal
from gradtui.monitor.logged import Logged
from gradtui.monitor.looks import Looks
from gradtui.monitor.parts import Part, Parts
from gradtui.monitor.rounds import Layout, Row, pack, unpack
from gradtui.monitor.stepping import Step, Stepping
from gradtui.monitor.stopwatch import Stopwatch
from gradtui.probe.host_copy import HostCopyQueue
from gradtui.probe.sampling_budget import SamplingBudget
from gradtui.runs.meta import TableMeta

ROWS_SHARE = 2 / 3
"""Of the budget for the norms of gradients; closer looks have the rest."""
LOOKS_SHARE = 0.01
"""Of the time, for closer looks, where the norms of every step are recorded whatever that costs."""
FREE_SECONDS = 0.02
"""That recording may take in all however short the training is: nobody feels it, and the beginning is whole."""
LAP_SECONDS = 0.02
"""Steps of which nothing is recorded are counted together until they have taken so long."""
COST_SECONDS = 60.0
"""Between two events that say what recording has cost so far; at the beginning they are closer …"""
COST_GROWTH = 1.2
"""… each later than the one before by this factor."""

Sent = tuple[int, float, tuple[Step, ...]]


class Recorder:
    """Takes the steps of all optimizers of a script and writes rows.

    `scalars` holds lr, grad_norm and grad_norm_clipped (of all parameters), clipped (1 where the gradient was
    cut between the backward pass and the step), skipped (1 where a scaler left the step out); the learning
    rates of further groups and optimizers, and with several optimizers the norm of each.
    """

    def __init__(
        self,
        journal: Journal,
        guard: Guard,
        device: torch.device,
        budget: float | None,
        stopwatch: Stopwatch,
        describe: Callable[[], tuple[Layout, tuple[str, ...]]],
        check: Callable[[], None],
        parts: Parts,
        activations: Activations | None = None,
    ) -> None:
        """`describe` is called when the first step begins, and gives the layers and their names; `check` when an
        optimizer is given other parameters, and raises ModelChanged."""
        self.check = check
        self.guard = guard
        self.step = 0
        """The last step, or round, that has begun."""
        self.due = True
        self.stopwatch = stopwatch
        self.logged = Logged(journal, device, self.stopwatch)
        self._journal = journal
        self._budget = budget
        self._device = device
        share = LOOKS_SHARE if budget is None else budget * (1 - ROWS_SHARE)
        self._rows = SamplingBudget((budget or 0.0) * ROWS_SHARE, free=FREE_SECONDS * ROWS_SHARE)
        self._looks = Looks(
            journal, device, SamplingBudget(share, free=FREE_SECONDS * (1 - ROWS_SHARE)), parts, activations
        )
        self._parts = parts
        self._transfer: HostCopyQueue[Sent] = HostCopyQueue(device)
        self._describe = describe
        self.steppings: Sequence[Stepping] = ()
        self._layout: Layout | None = None
        self._groups: list[int] = []
        self._round: dict[int, Step | None] = {}
        self._open = False
        self._setup = 0.0
        self._begun = time.monotonic()
        self._next_cost = 1.0

    @property
    def overhead(self) -> float:
        """What recording has cost over what the training itself took since its first step. What happens but
        once is part of it, though not of the budget."""
        training = self._rows.training
        once = self._setup / training if training else 0.0
        return self._rows.overhead + self._looks.thinning.overhead + once

    @property
    def looking(self) -> bool:
        """Whether the step under way is to be looked at closely."""
        return self._looks.due

    def begins(self, watched: Stepping) -> None:
        """An optimizer is about to take a step."""
        if self._open and watched.number in self._round:
            self._close()
        if not self._open:
            self._begin()
        if self._looks.due:
            with self.stopwatch.on("looks"):
                self._looks.before(watched)

    def moved(self, watched: Stepping, step: Step | None) -> None:
        """It has taken it."""
        if self._open and watched.number in self._round:
            self._close()
        if not self._open:
            self._begin()
        if self._looks.due:
            with self.stopwatch.on("looks"):
                self._looks.after(watched)
        self._round[watched.number] = step
        if len(self._round) == len(self.steppings):
            self._close()

    def left_out(self, watched: Stepping, step: Step | None) -> None:
        """An optimizer's gradients came and went: a step that a scaler left out, if they had overflowed."""
        # An overflow in another process's part is not seen here, and steps must be counted alike.
        if self._parts.shared or not self._overflowed(watched, step):
            return
        if self._open and watched.number in self._round:
            self._close()
        if not self._open:
            self._begin()
        self._journal.event(
            "skipped", self.step, reason="the gradient overflowed: the scaler left the step out"
        )
        self._round[watched.number] = step
        if len(self._round) == len(self.steppings):
            self._close()

    def _begin(self) -> None:
        if self._layout is None:
            with self.stopwatch.on("setup"):
                self._configure()
        self._open = True
        self.step += 1

    def _close(self) -> None:
        """The round is complete: send it off, and decide about the next."""
        moment = time.time()
        steps = [step for step in self._round.values() if step is not None]
        self._round, self._open = {}, False
        if steps:
            packed = pack(steps)
            self._transfer.send((self.step, moment, tuple(steps)), packed.values, packed.numbers)
        looked = self._looks.due
        if looked:
            with self.stopwatch.on("looks"):
                self._looks.send(self.step, moment, self._loss_scale())
        self.logged.stepped(self.step, moment)
        if self.stopwatch.running > LAP_SECONDS:
            self.publish()
            self._count(bool(steps), looked)
        elif steps or looked:
            self.catch_up()
            self._count(bool(steps), looked)
        elif self._parts.shared:
            self._plan()

    def _loss_scale(self) -> float:
        known = (stepping.scaler.factor() for stepping in self.steppings)
        factor = next((factor for factor in known if factor is not None), None)
        return 1.0 if factor is None or not self._looks.armed else float(factor)

    def _count(self, recorded: bool, looked: bool) -> None:
        lap = self.stopwatch.lap()
        self._setup += lap["setup"]
        if self.step > 1:
            # What came before the first step was no training.
            rows, looks = lap["rows"], lap["looks"]
            self._rows.add(lap["training"], 0.0 if recorded else rows, rows if recorded else None)
            self._looks.thinning.add(lap["training"], 0.0 if looked else looks, looks if looked else None)
        self._plan()

    def _plan(self) -> None:
        self.due = self._budget is None or self._parts.due("rows", self.step + 1, self._rows)
        self._looks.plan(self.step + 1)

    def publish(self) -> None:
        """Write what is known, be it by copying it from the host: rows of quick steps wait for each other, for
        they are written in less time together."""
        self.catch_up(wait=self._device.type == "cpu")

    def catch_up(self, *, wait: bool = False) -> None:
        """Write what has arrived from the device; `wait`: all that was recorded."""
        for (step, moment, steps), (values, numbers) in self._transfer.receive(wait=wait):
            self._parts.add("rows", Part(step, moment, self._unpacked(steps, values, numbers)))
        for step, moment, row in self._parts.whole("rows"):
            self._write(step, moment, row)
        if self._looks.waiting or self._parts.shared:
            with self.stopwatch.on("looks"):
                self._looks.catch_up(wait=wait)
        self.logged.catch_up(wait=wait)
        if self._journal.error is not None:
            raise self._journal.error
        elapsed = time.monotonic() - self._begun
        if elapsed >= self._next_cost:
            self._next_cost = min(elapsed * COST_GROWTH, elapsed + COST_SECONDS)
            self._tell_cost()

    def finish(self) -> None:
        """Write all that was recorded, and what that has cost."""
        self.catch_up(wait=True)
        if self._parts.shared:
            self._parts.settle()
            self.catch_up()
        self._tell_cost()

    def _tell_cost(self) -> None:
        self._journal.event("cost", self.step, overhead=self.overhead)

    def _configure(self) -> None:
        """The layers are known now: begin the tables."""
        self._layout, columns = self._describe()
        self._groups = [stepping.groups for stepping in self.steppings]
        self._looks.configure(self._layout)
        self._journal.begin(
            {
                "scalars": TableMeta(columns=self._scalar_columns(), kind="scalars"),
                **{name: TableMeta(columns=columns) for name in ("grad_norm", *self._looks.measures)},
            }
        )
        self._journal.event("phase", 0, phase="training", text="training")

    def _scalar_columns(self) -> tuple[str, ...]:
        names = ["lr", "grad_norm", "grad_norm_clipped", "clipped", "skipped"]
        for stepping, groups in zip(self.steppings, self._groups, strict=True):
            of = f"{stepping.name}." if len(self.steppings) > 1 else ""
            names += [f"{of}grad_norm"] if of else []
            names += [
                f"{of}lr" if group == 0 else f"{of}lr_{group}" for group in range(groups) if of or group
            ]
        return tuple(names)

    def _unpacked(self, steps: tuple[Step, ...], values: NDArray[Any], numbers: list[float]) -> Row:
        assert self._layout is not None
        return unpack(steps, values, numbers, self._layout)

    def _write(self, step: int, moment: float, row: Row) -> None:
        # A hair's breadth is rounding: norms are added up from numbers that were rounded when they were clipped.
        cut = row.clipped < row.total * (1 - 1e-6)
        several = len(self.steppings) > 1
        lr, more = math.nan, []
        for stepping, groups in zip(self.steppings, self._groups, strict=True):
            norm, lrs = row.parts.get(stepping.number, (math.nan, ()))
            known = [lrs[group] if group < len(lrs) else math.nan for group in range(groups)]
            lr = known[0] if math.isnan(lr) else lr
            more += [norm, *known] if several else known[1:]
        scalars = [lr, row.total, row.clipped, float(cut), float(row.skipped), *more]
        self._journal.row("scalars", step, scalars, moment)
        self._journal.row("grad_norm", step, row.layers, moment)

    def _overflowed(self, watched: Stepping, step: Step | None) -> bool:
        """Whether its gradient was infinite or NaN. Where that was not measured, or is still on a device that is
        not waited for, it has to do that a scaler is at work, and one optimizer alone can have meant the gradients."""
        if step is None or isinstance(step.after.norms, torch.Tensor):
            return watched.scaler.known and len(self.steppings) == 1
        return not bool(np.isfinite(step.after.norms).all())
