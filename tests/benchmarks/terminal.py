"""Run a program on a pseudo-terminal, read what it draws, and time how it answers keys."""

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

from tests.benchmarks.figures import CannotMeasure
from tests.benchmarks.processes import end_tree
from tests.support.terminal_screen import Cell, TerminalScreen

PIECE = 1 << 16
"""Bytes that are read at once."""

Answer = dict[int, Cell]
"""What some cells show once a key has taken effect, by their index on the screen."""
ANSWER_SECONDS = 5.0
"""A key that is not answered within this time counts as unanswered."""
SETTLING_SECONDS = 1.0
"""From the first cell that changes after a key to the last cell of its answer, also where both cores are busy and where
that first cell belongs to no answer."""
REPEATS = 2


class Terminal:
    """A terminal starts a program, reads what it writes as soon as it is there, and answers its questions.

    `close` ends the program and all that it has started. There is one thread only, so that a moment is the moment
    of reading; nothing is read between two calls, so each measurement must lie within one of them.

    Args:
        command: the program and its arguments.
        size: columns and lines.
        environment: the program's environment variables.
    """

    def __init__(self, command: Sequence[str], size: tuple[int, int], environment: Mapping[str, str]) -> None:
        self.started = time.perf_counter()
        """The moment at which the program was started; all moments are of this clock."""
        self.bytes = 0
        """How many bytes the program has written."""
        self.moment = self.started
        """The moment at which the last of them were read."""
        self.screen = TerminalScreen(*size, self._answer)
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
                # A session that owns its terminal gets SIGHUP when that is gone, however the benchmark ends.
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
        """Wait at most that long for output, and take it; return whether there was any.

        Raises CannotMeasure where the program has ended.
        """
        readable, _, _ = select.select([self._ours], [], [], max(0.0, seconds))
        if not readable:
            return False
        try:
            piece = os.read(self._ours, PIECE)
        except OSError:
            # Linux raises an error when the other end is closed; other systems return nothing.
            piece = b""
        if not piece:
            raise CannotMeasure(f"the program ended: {self._last_words()}")
        self.moment = time.perf_counter()
        self.bytes += len(piece)
        self.screen.feed(self._decode(piece), self.moment)
        return True

    def stay(self, seconds: float) -> None:
        """Read for that many seconds."""
        for _ in watch([self], seconds):
            pass

    def until(self, seen: Callable[[TerminalScreen], bool], seconds: float, what: str) -> float:
        """Read until something is seen, and return the moment at which it was read.

        Raises CannotMeasure, which names `what`, after that many seconds.
        """
        end = time.perf_counter() + seconds
        while not seen(self.screen):
            left = end - time.perf_counter()
            if left <= 0:
                raise CannotMeasure(f"no {what} within {seconds:g} s")
            self.look(left)
        return self.moment

    def until_still(self, seconds: float, most: float, what: str) -> float:
        """Read until no cell has changed for `seconds`, and return the moment of the last change."""
        end = time.perf_counter() + most
        while (still := time.perf_counter() - self.screen.changed_at) < seconds:
            if time.perf_counter() > end:
                raise CannotMeasure(f"{what} did not come to rest within {most:g} s")
            self.look(seconds - still)
        return self.screen.changed_at

    def fileno(self) -> int:
        """Return the file descriptor that select waits for."""
        return self._ours

    def _answer(self, reply: str) -> None:
        with contextlib.suppress(OSError):
            os.write(self._ours, reply.encode())

    def _last_words(self) -> str:
        code = self.process.wait()
        # The words without the frame that is drawn around them.
        said = [words for line in self.screen.text.splitlines() if (words := line.strip(" ─│╭╮╰╯"))]
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"{how}; {said[-1]}" if said else how


def watch(terminals: Sequence[Terminal], seconds: float) -> Iterator[Terminal]:
    """Read several terminals for that many seconds, and yield each one of which something was just read."""
    end = time.perf_counter() + seconds
    while (left := end - time.perf_counter()) > 0:
        for terminal in select.select(terminals, [], [], left)[0]:
            terminal.look(0)
            yield terminal


def answers_of(terminal: Terminal, key: str, back: str, quiet: float = 1.0) -> tuple[Answer, Answer]:
    """Return what answers a key, and what answers the key that takes its effect back.

    An answer is the cells that keep still for `quiet` seconds without any key, and that each of the two keys changes to
    the same each time. Raises CannotMeasure where a key has no answer.
    """
    began = terminal.moment
    terminal.stay(quiet)
    still = [index for index, moment in enumerate(terminal.screen.changes) if moment <= began]
    found = [_cells_changed_by(terminal, pressed, still) for pressed in (key, back) * REPEATS]
    first, second = _common(found[0::2]), _common(found[1::2])
    # A cell that only one key seems to change was drawn at that moment by chance, as a part of another frame.
    both = [index for index, cell in first.items() if second.get(index, cell) != cell]
    first, second = ({index: answer[index] for index in both} for answer in (first, second))
    if not both:
        raise CannotMeasure("a key changes nothing that would keep still without it")
    return first, second


def _cells_changed_by(terminal: Terminal, key: str, still: list[int]) -> Answer:
    pressed = terminal.press(key)

    def changed(screen: TerminalScreen) -> list[int]:
        return [index for index in still if screen.changes[index] > pressed]

    terminal.until(lambda screen: bool(changed(screen)), ANSWER_SECONDS, "answer to a key")
    terminal.stay(SETTLING_SECONDS)
    return {index: terminal.screen.cells[index] for index in changed(terminal.screen)}


def _common(answers: list[Answer]) -> Answer:
    """Return the cells that all answers agree on."""
    one, *others = answers
    return {index: cell for index, cell in one.items() if all(other.get(index) == cell for other in others)}


def seconds_to_answer(terminal: Terminal, key: str, answer: Answer) -> float:
    """Press a key, and return the seconds until the first cell of its answer is there. Raises CannotMeasure."""
    # A cell that shows the answer already cannot tell when it comes.
    cells = [(index, cell) for index, cell in answer.items() if terminal.screen.cells[index] != cell]
    if not cells:
        raise CannotMeasure("the screen shows the answer to a key before it is pressed")
    pressed = terminal.press(key)
    seen = terminal.until(
        lambda screen: any(screen.cells[index] == cell for index, cell in cells),
        ANSWER_SECONDS,
        "answer to a key",
    )
    return seen - pressed
