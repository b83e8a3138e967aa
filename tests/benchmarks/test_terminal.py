"""Test the terminal of the benchmarks with programs whose output is known."""

from __future__ import annotations

import os
import time
from contextlib import closing

import pytest

from gradtui.runs.process import is_alive
from tests.benchmarks.figures import CannotMeasure
from tests.benchmarks.processes import descendants
from tests.benchmarks.terminal import Terminal, watch
from tests.support.terminal_programs import environment, program

SIZE = (60, 10)


def terminal_of(code: str) -> Terminal:
    return Terminal(program(code), SIZE, environment())


def test_every_byte_is_counted() -> None:
    with closing(terminal_of("say('é' * 50_000 + 'x' * 50_000 + '\\x1b[Hdone'); time.sleep(60)")) as terminal:
        terminal.until(lambda screen: screen.line(0).startswith("done"), 20, "end")
        assert terminal.bytes == 2 * 50_000 + 50_000 + len("\x1b[Hdone")


def test_it_answers_like_a_terminal() -> None:
    code = "say('\\x1b[6n\\x1b[?2026$p'); answer = os.read(0, 6) + os.read(0, 11); say(repr(answer)); time.sleep(60)"
    with closing(terminal_of(code)) as terminal:
        terminal.until(lambda screen: "2026" in screen.line(0), 20, "answer")
        assert terminal.screen.line(0).strip() == repr(b"\x1b[1;1R\x1b[?2026;2$y")


def test_the_program_sees_the_size_and_owns_the_terminal() -> None:
    code = "say(str(tuple(os.get_terminal_size())) + str(os.tcgetpgrp(0) == os.getpid())); time.sleep(60)"
    with closing(terminal_of(code)) as terminal:
        terminal.until(lambda screen: "True" in screen.text or "False" in screen.text, 20, "size")
        assert terminal.screen.line(0).strip() == "(60, 10)True"


def test_a_key_is_answered_after_the_time_that_it_takes() -> None:
    code = "say('ready'); key = os.read(0, 1); time.sleep(0.2); say('\\x1b[H' + key.decode() * 5); time.sleep(60)"
    with closing(terminal_of(code)) as terminal:
        terminal.until(lambda screen: "ready" in screen.text, 20, "start")
        pressed = terminal.press("k")
        assert terminal.until(lambda screen: "kkkkk" in screen.text, 20, "answer") - pressed >= 0.2
        assert terminal.screen.changed_at == terminal.moment


def test_awaited_screen_that_does_not_come_raises_an_error() -> None:
    with (
        closing(terminal_of("time.sleep(60)")) as terminal,
        pytest.raises(CannotMeasure, match=r"no miracle within 0\.1 s"),
    ):
        terminal.until(lambda screen: False, 0.1, "miracle")


def test_a_program_that_ends_is_not_measured() -> None:
    ended = pytest.raises(CannotMeasure, match="exit code 3; oh no")
    with closing(terminal_of("say('oh no'); sys.exit(3)")) as terminal, ended:
        terminal.stay(20)


def test_stillness_is_of_cells_not_of_bytes() -> None:
    # The same text again and again changes nothing that anybody could see.
    code = "\nsay('once')\nwhile True:\n    say('\\x1b[Honce')\n    time.sleep(0.01)"
    with closing(terminal_of(code)) as terminal:
        terminal.until(lambda screen: "once" in screen.text, 20, "text")
        first = terminal.screen.changed_at
        assert terminal.until_still(0.3, 20, "it") == first


def test_several_are_read_at_once() -> None:
    code = "\nwhile True:\n    say('.')\n    time.sleep(0.01)"
    with closing(terminal_of(code)) as one, closing(terminal_of(code)) as other:
        end = time.monotonic() + 20
        while not (one.bytes > 5 and other.bytes > 5) and time.monotonic() < end:
            assert set(watch([one, other], 0.2)) <= {one, other}
        assert one.bytes > 5
        assert other.bytes > 5


def test_nothing_is_left_of_what_the_program_started() -> None:
    code = (
        "import subprocess; "
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True); "
        "say('started'); time.sleep(60)"
    )
    with closing(terminal_of(code)) as terminal:
        terminal.until(lambda screen: "started" in screen.text, 20, "child")
        below = descendants(terminal.process.pid)
    assert len(below) == 1
    end = time.monotonic() + 20
    while is_alive(below[0], None) and time.monotonic() < end:
        time.sleep(0.01)
    assert not is_alive(below[0], None)
    assert not is_alive(terminal.process.pid, None)
    with pytest.raises(OSError, match=r".*"):
        os.fstat(terminal.fileno())
