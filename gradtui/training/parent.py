"""Ending with whoever started this process, however that ended: a process of its own session would be left behind."""

from __future__ import annotations

import os
import signal
import time
from threading import Thread

LOOK_SECONDS = 0.5


def end_with_parent(how: signal.Signals) -> None:
    """Send this process that signal once its parent, as it is now, has gone."""
    Thread(target=_watch, args=(os.getppid(), how), daemon=True).start()


def _watch(parent: int, how: signal.Signals) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    os.kill(os.getpid(), how)
