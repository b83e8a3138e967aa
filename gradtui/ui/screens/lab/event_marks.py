"""What happened in a run, as marks for its curves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from gradtui.charts.marks import Clipped, CurveMark, CurveMarks
from gradtui.ui.edit.values import show

if TYPE_CHECKING:
    from gradtui.runs.events import Event
    from gradtui.runs.follower import Snapshot
    from gradtui.runs.summary import Summary

LR = "optimizer.lr"

JUMP = 0.01
"""By how much of itself the learning rate changes at least where that is worth a mark."""

SLOPE = 3
"""Points in a row at which it changes: from so many on, it is on a slope, which no sign need mark."""


class EventMarks:
    """Reads a run's events once, however often the run is painted."""

    def __init__(self) -> None:
        self._read = 0
        self._marks: list[CurveMark] = []

    def clear(self) -> None:
        """Another run comes."""
        self._read, self._marks = 0, []

    def marks(self, snapshot: Snapshot, findings: Iterable[tuple[str, int]]) -> CurveMarks:
        """All of a run's marks. findings: code and step of what is known besides the run's own events."""
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
                # What was done after that step was done in vain.
                self._marks = [mark for mark in self._marks if mark.step <= step]
            mark = _mark(step, event)
            # Who pauses and goes on at the same step has been there once.
            if mark is not None and not (mark.kind == "resumed" and self._paused_at(step)):
                self._marks.append(mark)
        self._read = len(events)

    def _paused_at(self, step: int) -> bool:
        return any(mark.kind == "paused" and mark.step == step for mark in self._marks)

    def _schedule(self, rates: Summary | None) -> list[CurveMark]:
        """The jumps of the learning rate that no viewer has wished for."""
        wished = [mark.step for mark in self._marks if mark.kind == "lr"]
        jumps = [] if rates is None else jumps_of(rates.step.tolist(), rates.mean.tolist())
        return [
            CurveMark(at, "lr", f"lr {old:g} → {new:g}")
            for before, at, after, old, new in jumps
            # One that was wished after a step is seen in the next, or in the mean of the steps around it.
            if not any(before <= step <= after for step in wished)
        ]


def _mark(step: int, event: Event) -> CurveMark | None:
    match event["event"]:
        case "control":
            changes = event.get("set")
            if not isinstance(changes, dict) or not changes:
                return None
            return CurveMark(step, "lr" if LR in changes else "set", _said(changes))
        case "paused":
            return CurveMark(step, "paused", "paused")
        case "resumed":
            return CurveMark(step, "resumed", "went on")
        case "rewound":
            return CurveMark(step, "rewound", "taken back to here")
        case "checkpoint":
            return CurveMark(step, "checkpoint", "checkpoint")
        case "broke":
            return CurveMark(step, "broke", "broke")
        case "recovered":
            return CurveMark(step, "recovered", "recovered")
    return None


def _said(changes: dict[str, Any]) -> str:
    return ", ".join(f"{path.rpartition('.')[2]} {show(path, value)}" for path, value in changes.items())


def jumps_of(steps: Sequence[int], rates: Sequence[float]) -> list[tuple[int, int, int, float, float]]:
    """Where a rate that is constant before and after becomes another: (point before, there, after, old, new).

    The change may fall into a point that stands for several steps, whose mean lies between. A warm-up or a cosine
    changes everywhere, and gives nothing.
    """
    changes = [i for i in range(1, len(rates)) if abs(rates[i] - rates[i - 1]) > 1e-6 * abs(rates[i - 1])]
    runs: list[list[int]] = []
    for at in changes:
        if runs and at == runs[-1][-1] + 1:
            runs[-1].append(at)
        else:
            runs.append([at])
    found = []
    for run in runs:
        first, last = run[0] - 1, run[-1]
        old, new = rates[first], rates[last]
        if len(run) < SLOPE and abs(new - old) > JUMP * max(abs(old), abs(new)):
            found.append((steps[first], steps[run[0]], steps[last], old, new))
    return found
