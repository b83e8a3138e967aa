"""Test that the answer to a key is distinguished from changes that happen without it."""

from __future__ import annotations

from contextlib import closing

import pytest

from tests.benchmarks.figures import CannotMeasure
from tests.benchmarks.terminal import Terminal, answers_of, seconds_to_answer
from tests.support.terminal_programs import environment, program

# A clock in the first line ticks all the time; + and - change a number in the second, 0.1 s later. The third line shows
# something else after each -, so that its change by + alone is no answer.
CLOCK_AND_NUMBER = """
import select
tick = number = presses = 0
while True:
    tick += 1
    say(f"\\x1b[1;1H{tick:9}")
    if select.select([0], [], [], 0.02)[0]:
        by = {b"+": 1, b"-": -1}.get(os.read(0, 1), 0)
        number, presses = number + by, presses + 1
        time.sleep(0.1)
        say(f"\\x1b[2;1H{number:9}")
        say("\\x1b[3;1H" + ("+" if by > 0 else str(presses % 10)))
"""


def _begin(terminal: Terminal) -> None:
    """Let it show its number; keys that come before it reads them one by one are lost."""
    terminal.until(lambda screen: bool(screen.line(0).strip()), 20, "clock")
    terminal.press("0")
    terminal.until(lambda screen: "0" in screen.line(1), 20, "number")


def test_the_answer_is_what_the_key_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.benchmarks.terminal.SETTLING_SECONDS", 0.3)
    with closing(Terminal(program(CLOCK_AND_NUMBER), (20, 3), environment())) as terminal:
        _begin(terminal)
        there, back = answers_of(terminal, "+", "-", quiet=0.3)
        last_digit = 20 + 8
        assert there.keys() == back.keys() == {last_digit}
        assert (there[last_digit][0], back[last_digit][0]) == ("1", "0")
        for key, answer in (("+", there), ("-", back), ("+", there)):
            assert seconds_to_answer(terminal, key, answer) >= 0.1


def test_a_key_without_an_answer_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.benchmarks.terminal.ANSWER_SECONDS", 0.3)
    with closing(Terminal(program(CLOCK_AND_NUMBER), (20, 3), environment())) as terminal:
        _begin(terminal)
        with pytest.raises(CannotMeasure, match=r"no answer to a key|a key changes nothing"):
            answers_of(terminal, "x", "y", quiet=0.3)
