"""A trainer tied to the command that waits for it: who interrupts the command stops the training."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

from gradtui.runs.control import send
from gradtui.runs.errors import RunError

if TYPE_CHECKING:
    from gradtui.training.launch import Trainer

POLL_SECONDS = 0.1


class Interruptions:
    """Counts the signals that mean "stop" while it is entered, which is before the trainer starts.

    A signal that was ignored when we came stays ignored: so `nohup gradtui run` outlives its terminal.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self.count = 0
        self.first: int | None = None
        """The number of the first of them."""

    def __enter__(self) -> Interruptions:
        self._before = {number: signal.getsignal(number) for number in self.SIGNALS}
        for number, handler in self._before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, self._count)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _count(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        self.first = self.first or number


def wait_for(
    trainer: Trainer, interruptions: Interruptions, show: Callable[[], None], say: Callable[[str], None]
) -> None:
    """Wait until the trainer has ended, by itself or because of an interruption.

    The first signal wishes the training to stop, so that it ends after its step and all that was recorded stands;
    the second kills. `show` is called ten times a second, `say` with what happens to be said.
    """
    obeyed = 0
    while trainer.poll() is None:
        if interruptions.count > obeyed:
            obeyed = interruptions.count
            _stop(trainer, say) if obeyed == 1 else os.kill(trainer.pid, signal.SIGKILL)
        show()
        with contextlib.suppress(subprocess.TimeoutExpired):
            trainer.wait(POLL_SECONDS)
    show()


def _stop(trainer: Trainer, say: Callable[[str], None]) -> None:
    say("stopping after this step; once more to kill")
    try:
        send(trainer.folder, "stop")
    except RunError:
        # A full disk takes no wish. The trainer ends as well on SIGTERM.
        os.kill(trainer.pid, signal.SIGTERM)
