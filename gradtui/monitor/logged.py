"""Numbers that the script logs: each name a table of its own, for each may come at steps of its own."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from gradtui.monitor.journal import Journal
from gradtui.monitor.stopwatch import Stopwatch
from gradtui.probe.host_copy import HostCopyQueue
from gradtui.runs.meta import TableMeta

MOST_NAMES = 128
"""Names beyond that are not recorded: each costs memory as long as the script runs."""
TOGETHER = 64
SECONDS = 0.05
"""Numbers travel together: so many, or as many as come in this time."""


class _Value(NamedTuple):
    name: str
    step: int
    time: float
    several: int
    """Numbers that are averaged: of a step with several backward passes, each may log its own."""


class Logged:
    """Takes numbers by name. A tensor on a device is copied there, and waited for never."""

    def __init__(self, journal: Journal, device: torch.device, stopwatch: Stopwatch) -> None:
        self._journal = journal
        self._stopwatch = stopwatch
        self._transfer: HostCopyQueue[list[_Value]] = HostCopyQueue(device, hold=0.0)
        self._tables: dict[str, str] = {}
        self._last: dict[str, int] = {}
        self._early: dict[str, bool] = {}
        self._coming: dict[str, list[float | Tensor]] = {}
        self._waiting: list[tuple[_Value, list[float | Tensor]]] = []
        self._sent = 0.0

    def log(self, values: Mapping[str, Any], step: int, moment: float) -> None:
        """Take values. `step` is the last that was taken.

        Whether a name is logged before its step is taken or after it, its first time tells: what came before
        the first step comes before all. Raises TypeError on what is no number.
        """
        for name, value in values.items():
            number = _number(name, value)
            if name not in self._tables and not self._begin(name, early=step == 0):
                continue
            if self._early[name]:
                self._coming.setdefault(name, []).append(number)
            elif step > self._last.get(name, 0):
                self._put(name, step, moment, [number])
        self.catch_up()

    def stepped(self, step: int, moment: float) -> None:
        """A step has been taken: what was logged for it before can be written."""
        if not self._coming:
            return
        coming, self._coming = self._coming, {}
        for name, numbers in coming.items():
            self._put(name, step, moment, numbers)
        self.catch_up()

    def catch_up(self, *, wait: bool = False) -> None:
        """Write what has arrived; `wait`: everything."""
        now = time.monotonic()
        if self._waiting and (wait or len(self._waiting) >= TOGETHER or now - self._sent > SECONDS):
            self._sent = now
            tags = [value for value, _ in self._waiting]
            sent = [number for _, several in self._waiting for number in several]
            self._waiting = []
            self._transfer.send(tags, np.zeros(0), sent)
        for tags, (_, numbers) in self._transfer.receive(wait=wait):
            self._write(tags, numbers)

    def _put(self, name: str, step: int, moment: float, numbers: list[float | Tensor]) -> None:
        self._last[name] = step
        value = _Value(name, step, moment, len(numbers))
        self._waiting.append((value, numbers))

    def _write(self, values: list[_Value], numbers: list[float]) -> None:
        at = 0
        for value in values:
            mean = sum(numbers[at : at + value.several]) / value.several
            at += value.several
            self._journal.row(self._tables[value.name], value.step, (mean,), value.time)

    def _begin(self, name: str, *, early: bool) -> bool:
        if len(self._tables) >= MOST_NAMES:
            return False
        table = table_name(name, self._journal.tables)
        with self._stopwatch.on("setup"):
            self._journal.begin({table: TableMeta(columns=(name,), kind="scalars")})
        self._tables[name], self._early[name] = table, early
        return True


def table_name(name: str, taken: Mapping[str, Any]) -> str:
    """A name for a table that resembles `name`, and is none of those taken."""
    plain = "logged_" + (re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:40] or "value")
    table, count = plain, 1
    while table in taken:
        count += 1
        table = f"{plain}_{count}"
    return table


def _number(name: str, value: Any) -> float | Tensor:
    if isinstance(value, Tensor):
        if value.numel() != 1:
            raise TypeError(f"probe.log({name}=…): a tensor of {value.numel()} numbers, and one is expected")
        # The script may change it in place, and shall not be waited for: what is on the CPU is there.
        return value.item() if value.device.type == "cpu" else value.detach().reshape(()).clone()
    return float(value)
