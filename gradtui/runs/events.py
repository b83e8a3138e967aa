"""events.jsonl: what happened in a run, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gradtui.runs.folder import EVENTS_FILE
from gradtui.runs.jsonl import LineReader

Event = Mapping[str, Any]
"""An object with "event" (its kind) and "time", mostly "step". Kinds that are unknown are kept."""

_UNDONE_BY_REWIND = ("evaluation", "finding")


class EventLog:
    """All events of a run so far, read on from where the last poll stopped."""

    def __init__(self, folder: Path) -> None:
        self._lines = LineReader(folder / EVENTS_FILE)
        self.entries: list[Event] = []

    def poll(self) -> bool:
        """Take in what is new, and say whether anything was. A line that is no event is left out."""
        fresh, restarted = self._lines.poll()
        if restarted:
            self.entries = []
        events = [entry for entry in fresh if isinstance(entry.get("event"), str)]
        self.entries += events
        return restarted or bool(events)


def step_of(event: Event) -> int | None:
    """The step that an event belongs to."""
    step = event.get("step")
    return step if isinstance(step, int) else None


def still_valid(events: Iterable[Event]) -> list[Event]:
    """Without the evaluations and findings of steps that the run was taken back behind."""
    valid: list[Event] = []
    for event in events:
        if event["event"] == "rewound":
            last = step_of(event) or 0
            valid = [
                old for old in valid if old["event"] not in _UNDONE_BY_REWIND or (step_of(old) or 0) <= last
            ]
        valid.append(event)
    return valid


def findings(events: Iterable[Event]) -> list[Event]:
    """The newest finding of each code that is still valid, in the order in which the codes first came up."""
    newest: dict[str, Event] = {}
    for event in still_valid(events):
        if event["event"] == "finding":
            newest[str(event.get("code", ""))] = event
    return list(newest.values())


@dataclass(frozen=True)
class Course:
    """Where a run stands by its own account: what the phases, pauses and the end say."""

    phase: str = ""
    paused: bool = False
    end: str = ""
    """The status of the end event; empty while there is none. A phase after it begins the run anew."""
    reason: str = ""

    def after(self, event: Event) -> Course:
        """The course once this event has happened."""
        match event["event"]:
            case "phase":
                paused = self.paused and not self.end
                return Course(phase=str(event.get("phase", "")), paused=paused)
            case "paused":
                return replace(self, paused=True)
            case "resumed":
                return replace(self, paused=False)
            case "end":
                ending = str(event.get("status", "")) or "finished"
                return replace(self, paused=False, end=ending, reason=str(event.get("reason") or ""))
        return self


def course_of(events: Iterable[Event]) -> Course:
    """The course after all of them."""
    course = Course()
    for event in events:
        course = course.after(event)
    return course
