"""Read events.jsonl, which records the events of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gradtui.runs.event_check import is_usable
from gradtui.runs.folder import EVENTS_FILE
from gradtui.runs.jsonl import LineReader

Event = Mapping[str, Any]
"""An object with "event" (its kind) and "time", mostly "step". Events of unknown kinds are kept."""


@dataclass(frozen=True)
class RunPhase:
    """A RunPhase says where a run stands according to its events: phase, pause and end."""

    phase: str = ""
    paused: bool = False
    end: str = ""
    """The status of the end event; empty while there is none. A phase event after it means that the run was resumed."""
    reason: str = ""
    resumed: float = field(default=0.0, compare=False)
    """The time at which the last pause ended; 0 if there was none."""

    def after(self, event: Event) -> RunPhase:
        """Return the phase after this event has happened."""
        match event["event"]:
            case "phase":
                paused = self.paused and not self.end
                return RunPhase(phase=str(event.get("phase", "")), paused=paused, resumed=self.resumed)
            case "paused":
                return replace(self, paused=True)
            case "resumed":
                return replace(self, paused=False, resumed=float(event.get("time") or 0.0))
            case "rewound":
                # A trainer that was killed while paused is not paused when it resumes the run.
                return replace(self, paused=False)
            case "end":
                ending = str(event.get("status", "")) or "finished"
                return replace(self, paused=False, end=ending, reason=str(event.get("reason") or ""))
        return self


MOST_EVENTS = 200_000
"""The most events of a run that are kept in memory."""
_LASTING = frozenset(
    {"phase", "end", "finding", "diagnosed", "control", "rewound", "broke", "recovered", "listening", "cost"}
)
"""Kinds of events from which more follows than a point of a curve."""


class EventLog:
    """An EventLog holds all events of a run so far, and what follows from them."""

    def __init__(self, folder: Path) -> None:
        self._lines = LineReader(folder / EVENTS_FILE)
        self._clear()

    def _clear(self) -> None:
        self.entries: list[Event] = []
        """All events, oldest first; of very many, some of the middle are left out."""
        self.evaluations: list[Event] = []
        """The evaluations, without those of steps that were undone by a rollback."""
        self._findings: list[Event] = []
        self.diagnosed = False
        """Whether the findings are those of the whole run: without any, it is free of problems."""
        self.enough = True
        """Whether the run was long enough to be called free of problems."""
        self.run_phase = RunPhase()
        self.step = 0
        """The last step that an event names, without those that were undone by a rollback."""
        self.rollbacks = 0
        """The number of rollbacks so far."""

    def poll(self) -> bool:
        """Read the new events, and return whether there were any. A line that is not an event is skipped."""
        fresh, restarted = self._lines.poll()
        if restarted:
            self._clear()
        events = [entry for entry in fresh if is_usable(entry)]
        for event in events:
            self._take(event)
        self._forget()
        return restarted or bool(events)

    def _take(self, event: Event) -> None:
        if "time" not in event:
            # Its readers count on one.
            event = {**event, "time": self.entries[-1]["time"] if self.entries else 0.0}
        self.entries.append(event)
        self.run_phase = self.run_phase.after(event)
        if (step := step_of(event)) is not None:
            self.step = step if event["event"] == "rewound" else max(self.step, step)
        match event["event"]:
            case "evaluation":
                self.evaluations.append(event)
            case "finding":
                self._findings.append(event)
            case "diagnosed":
                holding = event["codes"]
                self._findings = [old for old in self._findings if old.get("code") in holding]
                self.diagnosed = bool(event.get("finished"))
                self.enough = event.get("enough") is not False
            case "phase" if event.get("phase") == "importing":
                # Another process resumes the run.
                self.diagnosed = False
            case "rewound":
                self.rollbacks += 1
                last = step_of(event) or 0
                self.evaluations = [old for old in self.evaluations if (step_of(old) or 0) <= last]
                self._findings = [old for old in self._findings if (step_of(old) or 0) <= last]

    def _forget(self) -> None:
        """Leave evaluations and other frequent events of the middle out where there are more than MOST_EVENTS."""
        if len(self.entries) > MOST_EVENTS:
            middle = range(MOST_EVENTS // 4, len(self.entries) - MOST_EVENTS // 4)
            self.entries = [
                event
                for number, event in enumerate(self.entries)
                if number not in middle or event["event"] in _LASTING
            ][-MOST_EVENTS:]
        for kept in (self.evaluations, self._findings):
            if len(kept) > MOST_EVENTS:
                del kept[MOST_EVENTS // 4 : -MOST_EVENTS // 4]

    def findings(self) -> list[Event]:
        """Return the newest finding of each code, in the order in which the codes came up, undone ones left out."""
        newest = {str(event.get("code", "")): event for event in self._findings}
        return list(newest.values())


def step_of(event: Event) -> int | None:
    """Return the step to which an event belongs; None if it names none."""
    step = event.get("step")
    return step if isinstance(step, int) else None


def rollback_step(events: Iterable[Event]) -> int | None:
    """Return the step to which a diverged run can be rolled back.

    None if the run did not diverge, has recovered, or kept no point to go back to.
    """
    broke, back = 0, None
    for event in events:
        match event["event"]:
            case "broke":
                broke, back = step_of(event) or 0, event.get("rewind")
            case "recovered":
                back = None
            case "rewound" if (step_of(event) or 0) < broke:
                back = None
    return back if isinstance(back, int) else None
