"""What viewers wish, obeyed between two steps. The trainer looks, and never waits."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gradtui.experiment.errors import ExperimentError
from gradtui.runs.control import ControlReader, StepControl, Wish
from gradtui.runs.writer import RunWriter
from gradtui.training.session import Session

POLL_SECONDS = 0.05
PAUSED_SECONDS = 0.02


class Controls:
    """Pause, resume, single steps, stop, and changes of the experiment.

    Each wish that is obeyed is an event "control" with the step after which it took effect, each that
    cannot be is an event "refused" with the reason; `paused` and `resumed` are events of their own.
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
        """`reader` is of a run that is resumed: it has left unheard the stop that ended it, say.

        `later`: what a viewer changed, after which steps, in an earlier life of the run that got further than
        the step from which it is resumed. It is changed again at those steps, unless a viewer changes
        something before.
        """
        self._steps = StepControl()
        self._reader = reader or ControlReader(folder)
        self._later = list(later)
        self._saving = False
        self._session = session
        self._writer = writer
        self._next = 0.0

    @property
    def stopped(self) -> bool:
        """Whether a viewer has asked the training to end."""
        return self._steps.stopped

    def look(self) -> None:
        """Obey what is new, at most every POLL_SECONDS."""
        while self._later and self._later[0][0] <= self._session.step:
            self._set(self._later.pop(0)[1], repeated=True)
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + POLL_SECONDS
        for wish in self._reader.poll():
            self._obey(wish)

    def may_step(self) -> bool:
        """Whether to take a step now. While paused this sleeps a little and looks again."""
        if self._steps.may_step():
            return True
        if not self.stopped:
            time.sleep(PAUSED_SECONDS)
            self._next = 0.0
        return False

    def checkpoint_wished(self) -> bool:
        """Whether a checkpoint has been wished for since the last time this was asked."""
        wished, self._saving = self._saving, False
        return wished

    def _obey(self, wish: Wish) -> None:
        match wish.wish:
            case "pause" | "resume" | "step" | "stop" as command:
                for event, fields in self._steps.apply(command):
                    self._event(event, **fields)
                return
            case "checkpoint":
                self._saving = True
            case "set":
                if self._set(wish.fields.get("set")):
                    self._later.clear()
                return
            case _:
                self._event("refused", wish=wish.wish, reason=f"this trainer knows no wish {wish.wish!r}")
                return
        self._event("control", wish=wish.wish)

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
