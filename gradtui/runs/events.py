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


@dataclass(frozen=True)
class RunPhase:
    """Where a run stands by its own account: what the phases, pauses and the end say."""

    phase: str = ""
    paused: bool = False
    end: str = ""
    """The status of the end event; empty while there is none. A phase after it begins the run anew."""
    reason: str = ""

    def after(self, event: Event) -> RunPhase:
        """The course once this event has happened."""
        match event["event"]:
            case "phase":
                paused = self.paused and not self.end
                return RunPhase(phase=str(event.get("phase", "")), paused=paused)
            case "paused":
                return replace(self, paused=True)
            case "resumed" | "rewound":
                # Who was killed while it was paused does not take up its pause with the run.
                return replace(self, paused=False)
            case "end":
                ending = str(event.get("status", "")) or "finished"
                return replace(self, paused=False, end=ending, reason=str(event.get("reason") or ""))
        return self


class EventLog:
    """All events of a run so far, and what they come to. Read on from where the last poll stopped."""

    def __init__(self, folder: Path) -> None:
        self._lines = LineReader(folder / EVENTS_FILE)
        self._clear()

    def _clear(self) -> None:
        self.entries: list[Event] = []
        """As they happened, all of them."""
        self.evaluations: list[Event] = []
        """Without those of steps that the run was taken back behind."""
        self._findings: list[Event] = []
        self.run_phase = RunPhase()

    def poll(self) -> bool:
        """Take in what is new, and say whether anything was. A line that is no event is left out."""
        fresh, restarted = self._lines.poll()
        if restarted:
            self._clear()
        events = [entry for entry in fresh if isinstance(entry.get("event"), str)]
        for event in events:
            self._take(event)
        return restarted or bool(events)

    def _take(self, event: Event) -> None:
        self.entries.append(event)
        self.run_phase = self.run_phase.after(event)
        match event["event"]:
            case "evaluation":
                self.evaluations.append(event)
            case "finding":
                self._findings.append(event)
            case "rewound":
                last = step_of(event) or 0
                self.evaluations = [old for old in self.evaluations if (step_of(old) or 0) <= last]
                self._findings = [old for old in self._findings if (step_of(old) or 0) <= last]

    def findings(self) -> list[Event]:
        """The newest of each code, in the order in which the codes first came up; without void ones."""
        newest = {str(event.get("code", "")): event for event in self._findings}
        return list(newest.values())


def step_of(event: Event) -> int | None:
    """The step that an event belongs to."""
    step = event.get("step")
    return step if isinstance(step, int) else None


def rollback_step(events: Iterable[Event]) -> int | None:
    """The step of the point before a run broke; None where it did not, or has recovered, or no point was kept."""
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
