"""Stop the trainer that a command waits for when a signal interrupts the command."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

from gradtui.runs.control import send
from gradtui.runs.errors import RunError

if TYPE_CHECKING:
    from gradtui.commands.engine_trainer import EngineTrainer
    from gradtui.training.launch import Trainer

POLL_SECONDS = 0.1


class Interruptions:
    """Interruptions counts the signals that ask for an end, within its `with` block.

    The block has to begin before the trainer starts. A signal that was ignored before stays ignored, so that
    `nohup gradtui run` outlives its terminal.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self.count = 0
        self.first: int | None = None
        """The number of the first signal."""

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
    trainer: Trainer | EngineTrainer,
    interruptions: Interruptions,
    show: Callable[[], None],
    say: Callable[[str], None],
) -> None:
    """Wait until the trainer has ended, by itself or because of an interruption.

    The first signal asks the training to stop after its step, so that everything recorded is kept; the second kills
    the trainer. `show` is called ten times a second to show progress, `say` with messages.
    """
    handled = 0
    while trainer.poll() is None:
        if interruptions.count > handled:
            handled = interruptions.count
            _stop(trainer, say) if handled == 1 else trainer.kill()
        show()
        with contextlib.suppress(subprocess.TimeoutExpired):
            trainer.wait(POLL_SECONDS)
    show()


def _stop(trainer: Trainer | EngineTrainer, say: Callable[[str], None]) -> None:
    say("stopping after this step; press Ctrl-C again to kill it")
    try:
        send(trainer.folder, "stop")
    except RunError:
        # On a full disk no command can be written; SIGTERM ends the trainer as well.
        trainer.terminate()
