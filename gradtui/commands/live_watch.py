"""Run a command while the screens show its runs and its output: `gradtui watch --live`."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from gradtui.commands.child import Child
from gradtui.commands.command import BadInput
from gradtui.monitor.launch.options import read_notes
from gradtui.plain_text import plain

SECONDS_BETWEEN_LOOKS = 0.1


class WatchedCommand:
    """A WatchedCommand is a command whose output goes to a file, for the app that shows it."""

    def __init__(self, words: Sequence[str], child: Child, output: Path, notes: Path) -> None:
        """Take the command, its process, the file of its output, and the file in which its runs are noted."""
        self.words = plain(shlex.join(words))
        self.output = output
        self._child = child
        self._notes = notes

    def poll(self) -> int | None:
        """Return its exit code; None while it runs."""
        return self._child.poll()

    def interrupt(self) -> None:
        """Send it what Ctrl-C sends."""
        self._child.interrupt()

    def first_run(self) -> Path | None:
        """Return the folder of the first run that it has begun; None before that."""
        noted = read_notes(self._notes)
        return Path(noted[0]["run"]) if noted else None


def require_terminal() -> None:
    """Raise BadInput where there is no terminal for the screens."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise BadInput(
            "--live: the screens need a terminal on stdin and stdout; without --live none is needed"
        )


def watch_live(words: Sequence[str], environment: Mapping[str, str], folder: Path, notes: Path) -> int:
    """Run a command under the screens; return its exit code. Raises BadInput if it cannot be run.

    When the person leaves the screens before the command has ended, it goes on in the foreground, and what it prints
    from then on is printed.
    """
    from gradtui.ui.app import run
    from gradtui.ui.watch_app import WatchApp

    output = folder / "output"
    # A script whose output is no terminal would keep its lines for minutes.
    environment = {"PYTHONUNBUFFERED": "1", **environment}
    with open(output, "wb") as file, Child(words, environment, output=file) as child:
        command = WatchedCommand(words, child, output, notes)
        left = run(WatchApp(command, os.environ))
        if left.code > 128:
            # A signal has ended the screens; it is meant for the command as well.
            child.send(left.code - 128)
        _print_rest(child, output)
        return child.wait()


def _print_rest(child: Child, output: Path) -> None:
    """Print what the command prints from now on, until it ends."""
    if child.poll() is not None:
        return
    print("gradtui: the command goes on; Ctrl-C interrupts it", file=sys.stderr, flush=True)
    with open(output, "rb") as file:
        file.seek(0, os.SEEK_END)
        ended = False
        while not ended:
            # The order matters: after the end there is one more piece.
            ended = child.poll() is not None
            if piece := file.read():
                sys.stdout.buffer.write(piece)
                sys.stdout.flush()
            elif not ended:
                time.sleep(SECONDS_BETWEEN_LOOKS)
