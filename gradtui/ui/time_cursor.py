"""Where one looks in a run: another measure, another step, a stretch of time. For every screen that shows a run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from textual import on
from textual.reactive import var
from textual.screen import Screen

from gradtui.ui.travel import Travelled

if TYPE_CHECKING:
    from gradtui.ui.look import Look
    from gradtui.ui.watching import Watching


class Travelling(Screen[Any]):
    """Turns the wishes of charts and keys into a look at the run; the reader's thread answers with a sight."""

    watching: var[Watching | None] = var(None)
    """The run on the screen; None before the first."""

    @property
    def newest(self) -> int:
        """The last recorded step of the run on the screen."""
        snapshot = self.watching.snapshot if self.watching is not None else None
        return snapshot.step if snapshot is not None else 0

    def look_at(self, look: Look) -> None:
        """See something else of the run."""
        if self.watching is not None and look != self.watching.look:
            travelled = (look.at is None) != (self.watching.look.at is None)
            self.watching.look_at(look)
            if travelled:
                # The key that leads back to the newest step comes and goes.
                self.refresh_bindings()

    def travel(self, step: int | None) -> None:
        """See the run as it was after that step; None is live."""
        if self.watching is not None:
            self.look_at(self.watching.look.travelled(step, self.newest))

    @on(Travelled)
    def _travelled(self, event: Travelled) -> None:
        event.stop()
        self.travel(event.step)

    def action_live(self) -> None:
        """Back to the newest step."""
        self.travel(None)

    def action_first_bad(self) -> None:
        """To the first step at which anything was found."""
        if self.watching is None:
            return
        if self.watching.first_bad is None:
            self.notify("nothing bad was found so far", timeout=2)
        elif self.watching.first_bad >= self.newest:
            self.notify(f"the newest step, {self.newest:,}, is the first bad one", timeout=2)
            self.travel(None)
        else:
            self.travel(self.watching.first_bad)

    def action_measure(self, forward: bool) -> None:
        """Draw the next measure of the layers that the run records."""
        from gradtui.metrics import next_drawn

        if self.watching is not None:
            look = self.watching.look
            self.look_at(
                replace(look, measure=next_drawn(look.measure, self.watching.measures, forward).name)
            )
