"""Panes of curves are painted in turn: one a state of the run, and each of them in the end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from gradtui.ui.screens.lab.curve_turns import CurveTurns
from gradtui.ui.view import ViewRequest


@dataclass(eq=False)
class Pane:
    """Notes which states it has painted."""

    rest: float = 0.0
    display: bool = True
    painted: list[int] = field(default_factory=list)

    async def paint(self, run: Any, partner: Any) -> None:
        self.painted.append(run.state)

    def clear(self) -> None:
        self.painted.clear()


@dataclass
class Lab:
    """Three panes, and the timers that were set and not stopped."""

    panes: list[Pane]
    timers: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    def query(self, kind: object) -> list[Pane]:
        return self.panes

    def set_timer(self, seconds: float, then: Callable[[], Awaitable[None]]) -> Any:
        self.timers.append(then)
        return SimpleNamespace(stop=lambda: self.timers.remove(then))


async def test_one_pane_is_painted_a_state_and_the_others_soon_after() -> None:
    loss, accuracy, hidden = Pane(), Pane(), Pane(display=False)
    lab = Lab([loss, accuracy, hidden])
    turns = CurveTurns(cast(Any, lab))
    run = SimpleNamespace(state=1, request=ViewRequest(), live=True)

    async def grow() -> None:
        run.state += 1
        await turns.paint(cast(Any, run), None)

    await turns.paint(cast(Any, run), None)
    assert [pane.painted for pane in lab.panes] == [[1]] * 3, "all of them at first"
    await grow()
    await grow()
    assert [loss.painted, accuracy.painted] == [[1, 2], [1, 3]], "in turn"
    assert hidden.painted == [1, 2, 3], "which costs nothing"
    loss.rest = 0.4
    await grow()
    assert [loss.painted, accuracy.painted] == [[1, 2], [1, 3, 4]], "a chart that was just drawn waits"
    loss.rest = 0.0
    (late,) = lab.timers
    await late()
    assert loss.painted == [1, 2, 4], "also where the run does not grow"
    assert not lab.timers

    loss.rest = accuracy.rest = 0.4
    await grow()
    assert [loss.painted[-1], accuracy.painted[-1]] == [4, 4]
    run.request = ViewRequest(at=2)
    await grow()
    assert [loss.painted[-1], accuracy.painted[-1]] == [6, 6], "another step is shown everywhere at once"
    await grow()
    run.live = False
    await grow()
    assert [loss.painted[-1], accuracy.painted[-1]] == [8, 8], "and so is the end"
    turns.clear()
    assert not any(pane.painted for pane in lab.panes)
