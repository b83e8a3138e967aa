"""A trainer that takes one run after another: torch is imported once, and a run of a second costs a second.

It reads folders from stdin, a line each, and answers on stdout with the exit code of each, a line each, when it is
over. It ends when its input does, after the run that it is at: so runs go on whatever becomes of whoever keeps it. It
also ends after a run that failed, for nobody knows what that left behind in the process.
"""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path

from gradtui.training.process import train_folder


def take_turns() -> int:
    """Train what is named until the input ends or a training fails. Returns the exit code of the last."""
    # Each run takes 0, 1 and 2 for its own log.
    with os.fdopen(os.dup(0), "rb") as folders, os.fdopen(os.dup(1), "wb", buffering=0) as answers:
        code = 0
        while code == 0 and (line := folders.readline()):
            code = train_folder(Path(os.fsdecode(line.rstrip(b"\n"))))
            # The run's own handler has nobody left to tell.
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            try:
                answers.write(b"%d\n" % code)
            except BrokenPipeError:
                break
            # What the run left in circles, its net among them. It was frozen with all else before its first step. Done
            # while our keeper reads the answer, for it takes a sixth of a second.
            gc.unfreeze()
            gc.collect()
    return code
