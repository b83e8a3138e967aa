"""Show the events of a run as marks over its curves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from gradtui.charts.marks import Clipped, CurveMark, CurveMarks
from gradtui.report.divergences import divergence_word
from gradtui.ui.field_values import show
from gradtui.words import setting

if TYPE_CHECKING:
    from gradtui.runs.events import Event
    from gradtui.runs.follower import Snapshot
    from gradtui.runs.summary import Summary

LEARNING_RATE = "optimizer.lr"

SMALLEST_JUMP = 0.01
"""The least relative change of the learning rate that gets a mark."""

SLOPE_POINTS = 3
"""The number of changes in a row from which on the learning rate follows a warm-up or a cosine, which needs no mark."""


class EventMarks:
    """EventMarks turn the events of one run into marks, reading each event once however often the run is painted."""

    def __init__(self) -> None:
        self._read = 0
        self._marks: list[CurveMark] = []

    def clear(self) -> None:
        """Forget the events of the previous run."""
        self._read, self._marks = 0, []

    def marks(self, snapshot: Snapshot, findings: Iterable[tuple[str, int]]) -> CurveMarks:
        """Return all marks of a run. findings: the code and step of findings besides those in the run's own events."""
        self._take(snapshot.events)
        found = {str(event.get("code", "")): event.get("step") for event in snapshot.findings} | dict(
            findings
        )
        signs = [
            *self._marks,
            *self._schedule(snapshot.curves.get("lr")),
            *(CurveMark(step, "finding", code) for code, step in found.items() if isinstance(step, int)),
        ]
        clipped = snapshot.curves.get("clipped")
        cut = Clipped(clipped.step, clipped.mean) if clipped is not None and (clipped.max > 0).any() else None
        return CurveMarks(tuple(signs), cut)

    def _take(self, events: Sequence[Event]) -> None:
        if len(events) < self._read:
            self.clear()
        for event in events[self._read :]:
            step = event.get("step")
            if not isinstance(step, int):
                continue
            if event["event"] == "rewound":
                # The run has gone back to that step, so later marks no longer hold.
                self._marks = [mark for mark in self._marks if mark.step <= step]
            mark = _mark(step, event)
            # A pause that was ended at the same step is one mark.
            if mark is not None and not (mark.kind == "resumed" and self._paused_at(step)):
                self._marks.append(mark)
        self._read = len(events)

    def _paused_at(self, step: int) -> bool:
        return any(mark.kind == "paused" and mark.step == step for mark in self._marks)

    def _schedule(self, rates: Summary | None) -> list[CurveMark]:
        """Return marks for the jumps of the learning rate that no command has caused."""
        commanded = [mark.step for mark in self._marks if mark.kind == "lr"]
        jumps = [] if rates is None else jumps_of(rates.step, rates.mean)
        return [
            CurveMark(at, "lr", f"lr {setting(old)} → {setting(new)}")
            for before, at, after, old, new in jumps
            # A command after a step has its effect in the next, or in the mean of the steps around it.
            if not any(before <= step <= after for step in commanded)
        ]


def _mark(step: int, event: Event) -> CurveMark | None:
    match event["event"]:
        case "control":
            changes = event.get("set")
            if not isinstance(changes, dict) or not changes:
                return None
            return CurveMark(step, "lr" if LEARNING_RATE in changes else "set", _said(changes))
        case "paused":
            return CurveMark(step, "paused", "paused")
        case "resumed":
            return CurveMark(step, "resumed", "resumed")
        case "rewound":
            return CurveMark(step, "rewound", "rolled back to here")
        case "checkpoint":
            return CurveMark(step, "checkpoint", "checkpoint")
        case "broke":
            return CurveMark(step, "broke", divergence_word(event))
        case "recovered":
            return CurveMark(step, "recovered", "recovered")
    return None


def _said(changes: dict[str, Any]) -> str:
    return ", ".join(f"{path.rpartition('.')[2]} {show(path, value)}" for path, value in changes.items())


def jumps_of(steps: ArrayLike, rates: ArrayLike) -> list[tuple[int, int, int, float, float]]:
    """Return where a rate that is constant before and after changes: (step before, there, after, old rate, new rate).

    The change may fall into a point that stands for several steps, whose mean lies between. A warm-up or a cosine
    changes everywhere, and is not a jump.
    """
    at, values = np.asarray(steps), np.asarray(rates, np.float64)
    changes = (np.flatnonzero(np.abs(np.diff(values)) > 1e-6 * np.abs(values[:-1])) + 1).tolist()
    runs: list[list[int]] = []
    for place in changes:
        if runs and place == runs[-1][-1] + 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    found = []
    for run in runs:
        first, last = run[0] - 1, run[-1]
        old, new = float(values[first]), float(values[last])
        if len(run) < SLOPE_POINTS and abs(new - old) > SMALLEST_JUMP * max(abs(old), abs(new)):
            found.append((int(at[first]), int(at[run[0]]), int(at[last]), old, new))
    return found
