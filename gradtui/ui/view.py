"""Define a view: the metric, step and stretch of time that a screen requests of its run.

It imports no numpy, since the screens start with it. `view_data` reads what a request asks for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from textual.message import Message

NO_VALUES = "no values yet"
"""The text in the place of a chart that has nothing to draw."""


@dataclass
class StepChanged(Message):
    """A StepChanged asks the screen to show the run as it was after a step."""

    step: int | None
    """The step; None is the newest."""


@dataclass
class TimeZoomed(Message):
    """A TimeZoomed asks the screen for `factor` times as much time in view; 0 is the whole run."""

    factor: float


@dataclass(frozen=True)
class ViewRequest:
    """A ViewRequest says what a screen wants to show of a run; the thread that reads the run answers with ViewData."""

    metric: str = "grad_norm"
    """The metric of the layers that is drawn."""
    at: int | None = None
    """The step that is shown; None is always the newest."""
    window: tuple[int, int] | None = None
    """First and last step of the stretch of time that is drawn; None is the whole run."""
    rows: int = 128
    """The number of rows of time that can be drawn."""
    factors: bool = False
    """Draw the factors between the values of the metric, and their product, instead of the values."""

    plane: bool = False
    """Draw what the net computes over the plane instead of the layers, where the run has recorded it."""

    @property
    def draws_factors(self) -> bool:
        """Return whether factors are drawn, as they always are for the backward gain, which is a factor itself."""
        return self.factors or self.metric == "backward_gain"

    def at_step(self, step: int | None, newest: int) -> ViewRequest:
        """Return the request for another step, with the stretch of time moved so that it contains the step.

        Args:
            step: the step; None, or one at or beyond the newest, follows the newest step.
            newest: the last recorded step.
        """
        if step is None or step >= newest:
            return replace(self, at=None)
        step = max(1, step)
        if self.window is None or self.window[0] <= step <= self.window[1]:
            return replace(self, at=step)
        first, last = self.window
        shift = step - first if step < first else step - last
        return replace(self, at=step, window=(first + shift, last + shift))

    def zoomed(self, factor: float, newest: int) -> ViewRequest:
        """Return the request for `factor` times as much time around the step that is shown; 0.5 zooms in."""
        first, last = self.window or (1, max(1, newest))
        around = max(first, min(last, self.at if self.at is not None else last))
        length = last - first + 1
        wanted = max(2, round(length * factor))
        if wanted >= newest:
            return replace(self, window=None)
        share = (around - first) / max(1, length - 1)
        start = max(1, min(newest - wanted + 1, round(around - share * (wanted - 1))))
        return replace(self, window=(start, start + wanted - 1))
