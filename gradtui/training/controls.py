"""Obey the commands of viewers between two steps, and the signal that ends a training early."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from gradtui.experiment.errors import ExperimentError
from gradtui.runs.control import Command, ControlReader, StepControl
from gradtui.runs.writer import RunWriter

if TYPE_CHECKING:
    from gradtui.training.session import Session

POLL_SECONDS = 0.05
PAUSED_SECONDS = 0.02

Ending = tuple[str, str]
"""The status and the reason of a run's end."""


class StopRequest:
    """A StopRequest is set by SIGTERM; `wanted` says whether the signal has arrived."""

    def __init__(self) -> None:
        self.wanted = False

    def listen(self) -> None:
        """Handle SIGTERM from now on. Call this only in the main thread."""
        signal.signal(signal.SIGTERM, self._want)

    def _want(self, number: int, frame: FrameType | None) -> None:
        self.wanted = True


class Controls:
    """A Controls reads the commands of viewers and obeys them: pause, resume, single steps, stop, checkpoint, and
    changes of the experiment. It never waits for commands.

    Each obeyed command has an event "control" with the step after which it took effect, each refused one an event
    "refused" with the reason; "paused" and "resumed" are separate events.
    """

    def __init__(
        self,
        folder: Path,
        session: Session,
        writer: RunWriter,
        *,
        reader: ControlReader | None = None,
        later: Sequence[tuple[int, dict[str, Any]]] = (),
    ) -> None:
        """Start with no command.

        Args:
            reader: reads the commands of a resumed run; it has skipped old ones, such as the stop that ended the run.
            later: the changes of viewers, each with its step, in steps that the resumed run repeats. They are made
                again at those steps, unless a viewer changes something before.
        """
        self._steps = StepControl()
        self._reader = reader or ControlReader(folder)
        self._later = list(later)
        self._checkpoint = False
        self._session = session
        self._writer = writer
        self._next_poll = 0.0

    @property
    def stopped(self) -> bool:
        """Return whether a viewer has asked the training to end."""
        return self._steps.stopped

    def poll(self) -> None:
        """Obey new commands, at most every POLL_SECONDS."""
        while self._later and self._later[0][0] <= self._session.step:
            self._set(self._later.pop(0)[1], repeated=True)
        now = time.monotonic()
        if now < self._next_poll:
            return
        self._next_poll = now + POLL_SECONDS
        for command in self._reader.poll():
            self._obey(command)

    def may_step(self) -> bool:
        """Return whether to take a step now. While paused, this sleeps a little, and the next `poll` reads at once."""
        if self._steps.may_step():
            return True
        if not self.stopped:
            time.sleep(PAUSED_SECONDS)
            self._next_poll = 0.0
        return False

    def take_checkpoint_request(self) -> bool:
        """Return whether a viewer has requested a checkpoint since the last call."""
        asked, self._checkpoint = self._checkpoint, False
        return asked

    def end(self, stop: StopRequest) -> Ending | None:
        """Return how the run ends if a command or signal ends it, else None."""
        if stop.wanted:
            return "stopped", "the trainer was told to stop (SIGTERM)"
        if self.stopped:
            return "stopped", "stopped on request"
        return None

    def _obey(self, command: Command) -> None:
        if command.refusal:
            self._event("refused", wish=command.name, reason=command.refusal)
            return
        match command.name:
            case "pause" | "resume" | "step" | "stop" as kind:
                for event, fields in self._steps.apply(kind):
                    self._event(event, **fields)
                return
            case "checkpoint":
                self._checkpoint = True
            case "set":
                if self._set(command.fields.get("set")):
                    self._later.clear()
                return
            case _:
                self._event(
                    "refused", wish=command.name, reason=f"this trainer has no command {command.name!r}"
                )
                return
        self._event("control", wish=command.name)

    def _set(self, changes: Any, **how: bool) -> bool:
        if not isinstance(changes, dict) or not changes:
            self._event("refused", wish="set", reason="set names no fields")
            return False
        try:
            self._session.change(changes)
        except ExperimentError as error:
            self._event("refused", wish="set", set=changes, reason=str(error))
            return False
        self._event("control", wish="set", set=changes, **how)
        return True

    def _event(self, event: str, **fields: Any) -> None:
        self._writer.event(event, self._session.step, **fields)
