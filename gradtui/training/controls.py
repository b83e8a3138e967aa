"""What viewers wish, obeyed between two steps. The trainer looks, and never waits."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from gradtui.experiment.errors import ExperimentError
from gradtui.runs.control import ControlReader, Wish
from gradtui.runs.writer import RunWriter
from gradtui.training.session import Session

POLL_SECONDS = 0.05
PAUSED_SECONDS = 0.02


class Controls:
    """Pause, resume, single steps, stop, and changes of the experiment.

    Each wish that is obeyed is an event "control" with the step after which it took effect, each that
    cannot be is an event "refused" with the reason; `paused` and `resumed` are events of their own.
    """

    def __init__(self, folder: Path, session: Session, writer: RunWriter, *, resumed: bool = False) -> None:
        """`resumed`: leave unheard what was wished before now, such as the stop that ended the run."""
        self.stopped = False
        self.paused = False
        self._reader = ControlReader(folder, skip_old=resumed)
        self._session = session
        self._writer = writer
        self._next = 0.0
        self._single = 0

    def look(self) -> None:
        """Obey what is new, at most every POLL_SECONDS."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + POLL_SECONDS
        for wish in self._reader.poll():
            self._obey(wish)

    def may_step(self) -> bool:
        """Whether to take a step now. While paused this sleeps a little and looks again."""
        if not self.paused or self.stopped:
            return not self.stopped
        if self._single:
            self._single -= 1
            return True
        time.sleep(PAUSED_SECONDS)
        self._next = 0.0
        return False

    def _obey(self, wish: Wish) -> None:
        match wish.wish:
            case "pause" if not self.paused:
                self.paused = True
                self._event("paused")
            case "resume" if self.paused:
                self.paused, self._single = False, 0
                self._event("resumed")
            case "step":
                if not self.paused:
                    self.paused = True
                    self._event("paused")
                self._single += 1
            case "stop":
                self.stopped = True
            case "set":
                self._set(wish.fields.get("set"))
                return
            case "pause" | "resume":
                return
            case _:
                self._event("refused", wish=wish.wish, reason=f"this trainer knows no wish {wish.wish!r}")
                return
        self._event("control", wish=wish.wish)

    def _set(self, changes: Any) -> None:
        if not isinstance(changes, dict) or not changes:
            self._event("refused", wish="set", reason="set names no fields")
            return
        try:
            self._session.change(changes)
        except ExperimentError as error:
            self._event("refused", wish="set", set=changes, reason=str(error))
            return
        self._event("control", wish="set", set=changes)

    def _event(self, event: str, **fields: Any) -> None:
        self._writer.event(event, self._session.step, **fields)
