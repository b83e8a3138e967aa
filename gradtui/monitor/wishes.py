"""What people wish of a script from the app, for a script that asks."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from gradtui.monitor.journal import Journal
from gradtui.runs.control import Command, ControlReader, StepControl

POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Wishes:
    """What has been wished since the script last asked; it does with it what it likes."""

    lr: float | None = None
    """A new learning rate; None where none is wished."""
    clip: float | None = None
    """A new largest norm of the gradient, 0 for none at all; None where none is wished."""
    paused: bool = False
    """Whether to take no step for now."""
    stop: bool = False
    """Whether to end the training; once wished for, it stays so."""


class WishList:
    """Hears wishes, and says in the run's events that the script has been told of them."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._reader = ControlReader(journal.folder)
        self._next = 0.0
        self._steps = StepControl()
        # From here on it is worth wishing something.
        journal.event("listening", 0)

    def take(self, step: int) -> Wishes:
        """The wishes since the last time; looks at the disk at most every POLL_SECONDS."""
        lr = clip = None
        now = time.monotonic()
        if now >= self._next:
            self._next = now + POLL_SECONDS
            for command in self._reader.poll():
                changes = self._obey(command, step)
                lr = changes.get("optimizer.lr", lr)
                clip = changes.get("cures.clip_norm", clip)
        paused = not self._steps.may_step() and not self._steps.stopped
        return Wishes(lr, clip, paused, self._steps.stopped)

    def _obey(self, command: Command, step: int) -> dict[str, float]:
        match command.name:
            case "pause" | "resume" | "step" | "stop" as kind:
                for event, fields in self._steps.apply(kind):
                    self._journal.event(event, step, **fields)
            case "set":
                return self._set(command.fields.get("set"), step)
            case _:
                self._journal.event(
                    "refused", step, wish=command.name, reason="a script that is watched takes no such wish"
                )
        return {}

    def _set(self, changes: Any, step: int) -> dict[str, float]:
        taken: dict[str, float] = {}
        for field, value in changes.items() if isinstance(changes, dict) else ():
            usable = isinstance(value, int | float) and not isinstance(value, bool)
            if field in ("optimizer.lr", "cures.clip_norm") and usable:
                taken[field] = float(value)
                continue
            self._journal.event(
                "refused",
                step,
                wish="set",
                set={field: value},
                reason=f"{field}: of a script that is watched only optimizer.lr and cures.clip_norm can be wished",
            )
        if taken:
            self._journal.event("control", step, wish="set", set=taken)
        return taken
