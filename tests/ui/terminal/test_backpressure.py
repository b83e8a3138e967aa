"""Test that drawing waits for the terminal, with at most one open question, answered to this app alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from textual import events
from textual.app import ComposeResult
from textual.drivers.headless_driver import HeadlessDriver
from textual.widgets import Static

from gradtui.ui.app import GradtuiApp
from gradtui.ui.terminal import backpressure
from gradtui.ui.terminal.backpressure import QUESTION
from gradtui.ui.terminal.terminal_app import TerminalApp
from tests.support.flood_app import KEYS, SIZE
from tests.support.lab import lab_of, no_standby
from tests.support.slow_line import SlowLine

__all__ = ["no_standby"]


class Terminal(HeadlessDriver):
    """A terminal that answers when the test says so."""

    input_tty = True
    can_suspend = True

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(app, **options)
        self.asked = 0

    @property
    def is_headless(self) -> bool:
        """A terminal."""
        return False

    def write(self, data: str) -> None:
        """Count the questions."""
        self.asked += data.count(QUESTION)

    def answer(self) -> None:
        """Say where the cursor is."""
        self.process_message(events.CursorPosition(0, 0))


class Mute(Terminal):
    """A terminal that is never asked, for it would not be heard."""

    input_tty = False


class Small(TerminalApp):
    """One line."""

    def compose(self) -> ComposeResult:
        """A line."""
        yield Static("0")

    def show(self, text: str, go_on: Callable[[], object]) -> None:
        """As a reader's state is shown."""
        self.query_one(Static).update(text)
        self.backpressure.after_paint(go_on)

    @property
    def terminal(self) -> Terminal:
        """Return what it runs in."""
        assert isinstance(self._driver, Terminal)
        return self._driver


async def until(true: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        await asyncio.sleep(0.005)


@asynccontextmanager
async def running(driver: type[Terminal] = Terminal) -> AsyncIterator[Small]:
    """A small app before a terminal, painted and quiet."""
    app = Small(driver_class=driver)
    task = asyncio.create_task(app.run_async(size=(20, 3)))
    try:
        await until(lambda: app.is_running and app._dom_ready)
        await asyncio.sleep(0.1)
        with app._context():
            yield app
    finally:
        app._driver.input_tty = False  # type: ignore[union-attr]
        app.exit()
        await asyncio.wait_for(task, 5)


async def test_the_reader_waits_for_the_terminal_s_answer() -> None:
    went: list[int] = []
    async with running() as app:
        app.show("1", lambda: went.append(1))
        await until(lambda: app.terminal.asked == 1)
        await asyncio.sleep(0.1)
        assert not went
        app.terminal.answer()
        await until(lambda: went == [1])
        assert 0.1 <= app.backpressure.lag < 1


async def test_at_most_one_question_is_under_way() -> None:
    went: list[int] = []
    async with running() as app:
        for number in (1, 2, 3):
            app.show(str(number), lambda number=number: went.append(number))  # type: ignore[misc]
            await asyncio.sleep(0.1)
        assert app.terminal.asked == 1
        app.terminal.answer()
        await until(lambda: app.terminal.asked == 2)
        assert went == [1], "the answer is older than what was painted since"
        app.terminal.answer()
        await until(lambda: went == [1, 2, 3])
        app.terminal.answer()
        await asyncio.sleep(0.1)
        assert app.terminal.asked == 2, "nothing was painted, so nothing is asked"


async def test_a_state_without_changes_asks_nothing() -> None:
    went: list[int] = []
    async with running() as app:
        app.backpressure.after_paint(lambda: went.append(1))
        await until(lambda: went == [1], 1.0)
        assert app.terminal.asked == 0


async def test_a_silent_terminal_is_asked_once_and_waited_for_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backpressure, "ANSWER_SECONDS", 0.2)
    went: list[float] = []
    async with running() as app:
        for text in ("1", "2", "3", "4"):
            began, before = time.monotonic(), len(went)
            app.show(text, lambda began=began: went.append(time.monotonic() - began))  # type: ignore[misc]
            await until(lambda before=before: len(went) > before)  # type: ignore[misc]
        assert app.terminal.asked == 1
        assert min(went[:2]) >= 0.2
        assert max(went[2:]) < 0.2
        # A line that stood still for a while: the answer comes after all.
        app.terminal.answer()
        await asyncio.sleep(0.05)
        app.show("5", lambda: None)
        await until(lambda: app.terminal.asked == 2)


async def test_without_answers_the_writer_thread_s_queue_decides() -> None:
    class Queue:
        waiting = 3

        def qsize(self) -> int:
            return self.waiting

    class Thread:
        _queue = Queue()

    went: list[int] = []
    async with running(Mute) as app:
        app.terminal._writer_thread = Thread()  # type: ignore[attr-defined]
        app.show("1", lambda: went.append(1))
        await asyncio.sleep(0.2)
        assert not went
        Queue.waiting = 0
        await until(lambda: went == [1])
        assert app.terminal.asked == 0


async def test_nothing_is_asked_while_another_program_has_the_terminal() -> None:
    went: list[int] = []
    async with running() as app:
        app._suspend_signal()
        app.show("1", lambda: went.append(1))
        await until(lambda: went == [1])
        assert app.terminal.asked == 0
        app._resume_signal()
        app.show("2", lambda: went.append(2))
        await until(lambda: app.terminal.asked == 1)


async def test_a_question_under_way_is_waited_for_before_the_terminal_is_given_away() -> None:
    async with running() as app:
        app.show("1", lambda: None)
        await until(lambda: app.terminal.asked == 1)
        began = time.monotonic()
        app._suspend_signal()
        assert 0.19 < time.monotonic() - began < 0.4
        app._resume_signal()
        assert not app.backpressure.asking


@pytest.mark.parametrize("answers", [True, False])
async def test_leaving_waits_a_moment_for_the_answer(answers: bool) -> None:
    async with running() as app:
        app.show("1", lambda: None)
        await until(lambda: app.terminal.asked == 1)
        began = time.monotonic()
        app.exit()
        await asyncio.sleep(0.05)
        assert not app._exit
        if answers:
            app.terminal.answer()
        await until(lambda: app._exit)
        assert (time.monotonic() - began < 0.15) is answers
        assert app.terminal.asked == 1


async def test_an_app_without_a_terminal_waits_for_nothing() -> None:
    went: list[int] = []
    app = GradtuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await lab_of(pilot)
        app.backpressure.after_paint(lambda: went.append(1))
        assert went == [1]


# -- before a real terminal


def pressed(line: SlowLine, key: str) -> float:
    """Seconds from a key to its answer on the screen."""
    before = len(line.arrived)
    line.press(key)
    return line.seconds_until(lambda: KEYS[key].encode() in line.arrived[before:], 10.0)


def flood(mode: str, **options: Any) -> SlowLine:
    """Return the flooding app at the near end of a line."""
    return SlowLine("tests.support.flood_app", mode, size=SIZE, **options)


def started(line: SlowLine) -> None:
    """Wait until it floods."""
    assert line.seconds_until(lambda: line.arrived.count(b"\x1b[?2026$p") > 0) < 10
    line.arrived.clear()
    assert line.seconds_until(lambda: len(line.arrived) > 6000) < 10


@pytest.mark.long
def test_keys_are_answered_on_a_slow_line() -> None:
    with flood("paced", rate=20_000.0) as line:
        started(line)
        line.worst = 0
        took = []
        for number in range(12):
            took.append(pressed(line, "zy"[number % 2]))
            time.sleep(0.25)
        # A frame is 4 kB, a fifth of a second: a key waits for the one on the line, and for its own.
        assert line.worst < 10_000, line.worst
        assert max(took) < 0.8, took


@pytest.mark.long
def test_without_backpressure_keys_wait_on_the_slow_line() -> None:
    with flood("unpaced", rate=20_000.0) as line:
        started(line)
        first = pressed(line, "z")
        time.sleep(1.0)
        second = pressed(line, "y")
        assert line.worst > 40_000, line.worst
        assert second > 1.5
        assert second > 1.5 * first


@pytest.mark.long
@pytest.mark.parametrize("delay", [0.0, 0.05])
def test_a_quick_terminal_is_painted_ten_times_a_second(delay: float) -> None:
    with flood("paced", rate=1e9, delay=delay) as line:
        started(line)
        asked, began = line.asked, time.monotonic()
        time.sleep(3.0)
        assert 9.0 <= (line.asked - asked) / (time.monotonic() - began) <= 10.5


@pytest.mark.long
def test_a_silent_terminal_is_painted() -> None:
    with flood("paced", rate=1e9, answers=False) as line:
        started(line)
        time.sleep(2.5)
        before, began = len(line.arrived), time.monotonic()
        time.sleep(2.0)
        frames = (len(line.arrived) - before) / 4000 / (time.monotonic() - began)
        assert frames > 8
        assert line.asked == 1


@pytest.mark.long
def test_the_last_answer_does_not_land_in_the_shell() -> None:
    with flood("paced", rate=1e9, delay=0.12) as line:
        started(line)
        asked = line.asked
        line.seconds_until(lambda: line.asked > asked)
        line.press("q")
        time.sleep(0.1)
        assert line.app.poll() is None, "it waits"
        assert line.seconds_until(lambda: line.app.poll() is not None) < 2
        time.sleep(0.3)
        assert line.unread_input() == 0
