"""From a key to the first cell that answers it, on a screen that changes by itself as well."""

from __future__ import annotations

from gradtui.bench.errors import CannotMeasure
from gradtui.bench.screen import Screen, Style
from gradtui.bench.terminal import Terminal

Answer = dict[int, tuple[str, Style]]
"""What stands in some cells once a key has taken effect."""

MOST = 5.0
"""Seconds after which a key will not be answered any more."""
SETTLED = 0.2
"""Seconds from the first cell of an answer to the last, with room: it is one frame."""
REPEATS = 2


def answers_of(terminal: Terminal, there: str, back: str, quiet: float = 1.0) -> tuple[Answer, Answer]:
    """What to look for after two keys of which each takes back what the other did.

    Those are the cells that keep still for `quiet` seconds without any key, and that show the same after the key
    each time. Raises CannotMeasure where a key has none.
    """
    began = terminal.moment
    terminal.stay(quiet)
    still = [index for index, moment in enumerate(terminal.screen.changes) if moment <= began]
    found = [_after(terminal, key, still) for key in (there, back) * REPEATS]
    first, second = _same(found[0::2]), _same(found[1::2])
    # What stands there whichever of the two was pressed answers neither.
    both = {index for index, cell in first.items() if second.get(index) == cell}
    first, second = ({i: cell for i, cell in answer.items() if i not in both} for answer in (first, second))
    if not first or not second:
        raise CannotMeasure("a key changes nothing that would keep still without it")
    return first, second


def _after(terminal: Terminal, key: str, still: list[int]) -> Answer:
    """Those of the cells that change when a key is pressed."""
    pressed = terminal.press(key)

    def changed(screen: Screen) -> list[int]:
        return [index for index in still if screen.changes[index] > pressed]

    terminal.until(lambda screen: bool(changed(screen)), MOST, "answer to a key")
    terminal.stay(SETTLED)
    return {index: terminal.screen.cells[index] for index in changed(terminal.screen)}


def _same(answers: list[Answer]) -> Answer:
    """What all of them agree on."""
    one, *others = answers
    return {index: cell for index, cell in one.items() if all(other.get(index) == cell for other in others)}


def seconds_to(terminal: Terminal, key: str, answer: Answer) -> float:
    """Press a key, and how long it takes until the first cell of its answer is there. Raises CannotMeasure."""
    # What stands there already says nothing.
    cells = [(index, cell) for index, cell in answer.items() if terminal.screen.cells[index] != cell]
    pressed = terminal.press(key)
    seen = terminal.until(
        lambda screen: any(screen.cells[index] == cell for index, cell in cells), MOST, "answer to a key"
    )
    return seen - pressed
