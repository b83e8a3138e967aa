"""Record the numbers that a script logs: each name has its own table, since each may be logged at other steps."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from gradtui.monitor.guard import warn
from gradtui.monitor.run_writer import ScriptRunWriter
from gradtui.monitor.stopwatch import Stopwatch
from gradtui.probe.host_copy import HostCopyQueue
from gradtui.runs.meta import TableMeta

LARGEST_NAME_COUNT = 128
"""The most names that are recorded, since each takes memory as long as the script runs."""
LOGGED = "logged_"
"""The beginning of the names of these tables."""
METRIC = "metric"
"""The default name under which a script logs the number that shows its progress."""
BATCH_SIZE = 64
"""The number of values that are copied to the host together, unless BATCH_SECONDS have passed."""
BATCH_SECONDS = 0.05


class _LoggedMean(NamedTuple):
    table: str
    step: int
    moment: float
    value_count: int
    """The number of values to average: with several backward passes a step, each may log its own."""


class ScalarLog:
    """A ScalarLog records numbers by name. Tensors are copied on their device, and never waited for."""

    def __init__(self, writer: ScriptRunWriter, device: torch.device, stopwatch: Stopwatch) -> None:
        self._writer = writer
        self._stopwatch = stopwatch
        self._copies: HostCopyQueue[list[_LoggedMean]] = HostCopyQueue(device, hold=0.0)
        # A run that is continued has tables of its earlier processes.
        self._tables = {
            about.columns[0]: table for table, about in writer.tables.items() if table.startswith(LOGGED)
        }
        self._refused: set[str] = set()
        """The names with a value that was no number; each gets one warning."""
        self._progress: dict[str, Any] = {}
        self._last_steps: dict[str, int] = {}
        self._logged_before_step: dict[str, bool] = {}
        self._next_step: dict[str, list[float | Tensor]] = {}
        self._batch: list[tuple[_LoggedMean, list[float | Tensor]]] = []
        self._sent = 0.0

    def log(self, values: Mapping[str, Any], step: int, moment: float) -> None:
        """Record values. `step` is the number of the newest step that was taken.

        A name that is logged before the first step counts as logged before each step, any other as logged after it.
        A value that is not a number is left out, with one warning per name.
        """
        refused: list[str] = []
        for name, value in values.items():
            self._logged_before_step.setdefault(name, step == 0)
            number, fault = _number(value)
            if number is None:
                refused += [] if name in self._refused else [f"{name} is {fault}"]
                self._refused.add(name)
                continue
            if name not in self._tables and not self._begin(name):
                continue
            if self._logged_before_step[name]:
                self._next_step.setdefault(name, []).append(number)
            elif step > self._last_steps.get(name, 0):
                self._add(name, step, moment, [number])
        if refused:
            warn(f"probe.log leaves out values that are not numbers: {', '.join(refused)}", level=5)
        self.catch_up()

    def mark_progress(self, name: str, *, higher_is_better: bool) -> None:
        """Note in the run that the numbers of this name show the training's progress."""
        progress = {"name": name, "higher_is_better": higher_is_better}
        if progress != self._progress:
            self._progress = progress
            self._writer.keep(progress=progress)

    def end_step(self, step: int, moment: float) -> None:
        """Note that a step was taken: values that were logged before it belong to it."""
        if not self._next_step:
            return
        logged, self._next_step = self._next_step, {}
        for name, numbers in logged.items():
            self._add(name, step, moment, numbers)
        self.catch_up()

    def catch_up(self, *, wait: bool = False) -> None:
        """Write what has arrived on the host; with `wait`, wait for everything."""
        batch = len(self._batch)
        if batch and (wait or batch >= BATCH_SIZE or time.monotonic() - self._sent > BATCH_SECONDS):
            self._sent = time.monotonic()
            means = [mean for mean, _ in self._batch]
            numbers = [number for _, several in self._batch for number in several]
            self._batch = []
            self._copies.send(means, np.zeros(0), numbers)
        if self._copies.waiting:
            for means, (_, arrived) in self._copies.receive(wait=wait):
                self._write(means, arrived)

    def logs(self, name: str) -> bool:
        """Return whether the script has logged a number of that name."""
        return name in self._tables

    def add_row(self, table: str, step: int, moment: float, numbers: list[float | Tensor]) -> None:
        """Record numbers that the script has not logged; their mean is a row of a table that has begun."""
        self._batch.append((_LoggedMean(table, step, moment, len(numbers)), numbers))

    def _add(self, name: str, step: int, moment: float, numbers: list[float | Tensor]) -> None:
        self._last_steps[name] = step
        self.add_row(self._tables[name], step, moment, numbers)

    def _write(self, means: list[_LoggedMean], numbers: list[float]) -> None:
        at = 0
        for table, step, moment, count in means:
            value = sum(numbers[at : at + count]) / count
            at += count
            self._writer.append(table, step, (value,), moment)

    def _begin(self, name: str) -> bool:
        if len(self._tables) >= LARGEST_NAME_COUNT:
            return False
        table = table_name(name, self._writer.tables)
        with self._stopwatch.on("setup"):
            if name == "loss":
                # The loss that the script logs takes precedence.
                self._writer.drop_backward_loss()
            self._writer.begin_tables({table: TableMeta(columns=(name,), kind="scalars")})
        self._tables[name] = table
        return True


def table_name(name: str, taken: Mapping[str, Any]) -> str:
    """Return a valid name for a table that resembles `name` and is not taken yet."""
    plain = LOGGED + (re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:40] or "value")
    table, count = plain, 1
    while table in taken:
        count += 1
        table = f"{plain}_{count}"
    return table


def _number(value: Any) -> tuple[float | Tensor | None, str]:
    """Return the number that a script has logged, or None and in a few words what it logged instead."""
    if isinstance(value, Tensor):
        if value.numel() != 1:
            return None, f"a tensor of {value.numel()} numbers"
        if value.is_complex() or value.is_meta:
            return None, f"a tensor of {value.dtype if value.is_complex() else 'the meta device'}"
        # The script may change the tensor in place, so it is read on the CPU, and copied without waiting elsewhere.
        return float(value.item()) if value.device.type == "cpu" else value.detach().reshape(()).clone(), ""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(())
    if value is None or isinstance(value, str | bytes):
        return None, "None" if value is None else "a string"
    try:
        return float(value), ""
    except Exception:
        # A script's own class may raise anything.
        return None, f"a {type(value).__name__}"
