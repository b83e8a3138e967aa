"""A program in a pseudo-terminal of a given size, and the terminal that it talks to."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from gradtui.bench.errors import CannotMeasure
from gradtui.bench.processes import end_tree
from gradtui.bench.screen import Screen

PIECE = 1 << 16


class Terminal:
    """Starts a program and reads all that it writes, as soon as it is there; answers what a terminal is asked.

    To be closed: then the program and all that it has started are gone. One thread only, so that a moment is the
    moment of reading: between two calls nothing is read, so a measurement must always be in one of them.
    """

    def __init__(self, command: Sequence[str], size: tuple[int, int], environment: Mapping[str, str]) -> None:
        """`size`: columns and lines."""
        self.started = time.perf_counter()
        """When the program was started; all moments are of this clock."""
        self.bytes = 0
        """How many it has written."""
        self.moment = self.started
        """When the last piece of them was read."""
        self.screen = Screen(*size, self._answer)
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._ours, theirs = os.openpty()
        try:
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
            self.process = subprocess.Popen(
                command,
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                env=dict(environment),
                start_new_session=True,
                # A session that owns its terminal is told when that is gone, however the bench comes to its end.
                preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            )
        except BaseException:
            os.close(self._ours)
            raise
        finally:
            os.close(theirs)

    def close(self) -> None:
        """End the program, its standby and the trainers that it has started."""
        end_tree(self.process.pid)
        self.process.wait()
        with contextlib.suppress(OSError):
            os.close(self._ours)

    def press(self, key: str) -> float:
        """Send what a key sends, and return the moment."""
        moment = time.perf_counter()
        os.write(self._ours, key.encode())
        return moment

    def look(self, seconds: float) -> bool:
        """Wait at most so long for something to be written, and take it; False where nothing was.

        Raises CannotMeasure where the program has ended.
        """
        readable, _, _ = select.select([self._ours], [], [], max(0.0, seconds))
        if not readable:
            return False
        try:
            piece = os.read(self._ours, PIECE)
        except OSError:
            # So says Linux that nobody writes any more; elsewhere there is nothing to read.
            piece = b""
        if not piece:
            raise CannotMeasure(f"the program ended: {self._last_words()}")
        self.moment = time.perf_counter()
        self.bytes += len(piece)
        self.screen.feed(self._decode(piece), self.moment)
        return True

    def stay(self, seconds: float) -> None:
        """Read for so long."""
        for _ in watch([self], seconds):
            pass

    def until(self, seen: Callable[[Screen], bool], seconds: float, what: str) -> float:
        """Read until something is seen, and return the moment at which it was read.

        Raises CannotMeasure, with `what` was not seen, after so many seconds.
        """
        end = time.perf_counter() + seconds
        while not seen(self.screen):
            left = end - time.perf_counter()
            if left <= 0:
                raise CannotMeasure(f"no {what} within {seconds:g} s")
            self.look(left)
        return self.moment

    def until_still(self, seconds: float, most: float, what: str) -> float:
        """Read until no cell has changed for so long; the moment of the last change."""
        end = time.perf_counter() + most
        while (still := time.perf_counter() - self.screen.changed_at) < seconds:
            if time.perf_counter() > end:
                raise CannotMeasure(f"{what} did not come to rest within {most:g} s")
            self.look(seconds - still)
        return self.screen.changed_at

    def fileno(self) -> int:
        """What there is to be read of the program, for select."""
        return self._ours

    def _answer(self, reply: str) -> None:
        with contextlib.suppress(OSError):
            os.write(self._ours, reply.encode())

    def _last_words(self) -> str:
        code = self.process.wait()
        # Of what a frame was drawn around, the words.
        said = [words for line in self.screen.text.splitlines() if (words := line.strip(" ─│╭╮╰╯"))]
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"{how}; {said[-1]}" if said else how


def watch(terminals: Sequence[Terminal], seconds: float) -> Iterator[Terminal]:
    """Read several of them for so long, and yield the one of which a piece was just read."""
    end = time.perf_counter() + seconds
    while (left := end - time.perf_counter()) > 0:
        for terminal in select.select(terminals, [], [], left)[0]:
            terminal.look(0)
            yield terminal
