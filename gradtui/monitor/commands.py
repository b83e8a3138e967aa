"""Receive the commands that viewers send to a watched script, for scripts that ask for them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradtui.monitor.run_writer import ScriptRunWriter
from gradtui.runs.control import Command, ControlReader, StepControl

POLL_SECONDS = 0.05
"""The least number of seconds between two readings of the command file."""


@dataclass(frozen=True)
class PendingCommands:
    """PendingCommands holds the commands of viewers, which a script may obey or ignore."""

    lr: float | None = None
    """A new learning rate; None if none was sent since the last call."""
    clip: float | None = None
    """A new limit of the gradient's norm, 0 for no clipping; None if none was sent since the last call."""
    paused: bool = False
    """Whether the script should take no step for now."""
    stop: bool = False
    """Whether the script should end the training; once True, it stays True."""


class CommandInbox:
    """A CommandInbox reads the commands of a run, and confirms in the run's events that the script received them."""

    def __init__(self, folder: Path, writer: ScriptRunWriter) -> None:
        self._writer = writer
        self._reader = ControlReader(folder)
        self._next = 0.0
        self._steps = StepControl()
        # After this event viewers offer to send commands.
        writer.event("listening", 0)

    def take(self, step: int) -> PendingCommands:
        """Return the commands since the last call; the file is read at most every POLL_SECONDS.

        `step` is the number of steps that the script has taken.
        """
        changes: dict[str, float] = {}
        now = time.monotonic()
        if now >= self._next:
            self._next = now + POLL_SECONDS
            for command in self._reader.poll():
                changes |= self._apply(command, step)
        paused = not self._steps.may_step() and not self._steps.stopped
        lr, clip = changes.get("optimizer.lr"), changes.get("cures.clip_norm")
        return PendingCommands(lr, clip, paused, self._steps.stopped)

    def _apply(self, command: Command, step: int) -> dict[str, float]:
        if command.refusal:
            self._writer.event("refused", step, wish=command.name, reason=command.refusal)
            return {}
        match command.name:
            case "pause" | "resume" | "step" | "stop" as kind:
                for event, fields in self._steps.apply(kind):
                    self._writer.event(event, step, **fields)
            case "set":
                return self._changes(command.fields.get("set"), step)
            case _:
                self._writer.event(
                    "refused", step, wish=command.name, reason="a watched script does not take this command"
                )
        return {}

    def _changes(self, asked: Any, step: int) -> dict[str, float]:
        taken: dict[str, float] = {}
        for field, value in asked.items() if isinstance(asked, dict) else ():
            usable = isinstance(value, int | float) and not isinstance(value, bool)
            if field in ("optimizer.lr", "cures.clip_norm") and usable:
                taken[field] = float(value)
                continue
            self._writer.event(
                "refused",
                step,
                wish="set",
                set={field: value},
                reason=f"{field}: in a watched script only optimizer.lr and cures.clip_norm can be changed",
            )
        if taken:
            self._writer.event("control", step, wish="set", set=taken)
        return taken
