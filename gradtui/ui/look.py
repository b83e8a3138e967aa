"""Where a person looks: which measure, which step, which stretch of time. No numpy: the screens start with it."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Look:
    """A wish to see; the reader's thread answers it with a Sight."""

    measure: str = "grad_norm"
    """The table of layers that is drawn."""
    at: int | None = None
    """The step that is looked at; None is the newest, whichever that is."""
    window: tuple[int, int] | None = None
    """First and last step of the stretch of time that is drawn; None is the whole run."""
    rows: int = 128
    """How many rows of time can be drawn."""

    def travelled(self, step: int | None, newest: int) -> Look:
        """At another step, the stretch of time moved so that it is in view; at or beyond the newest is live."""
        if step is None or step >= newest:
            return replace(self, at=None)
        step = max(1, step)
        if self.window is None or self.window[0] <= step <= self.window[1]:
            return replace(self, at=step)
        first, last = self.window
        shift = step - first if step < first else step - last
        return replace(self, at=step, window=(first + shift, last + shift))

    def zoomed(self, factor: float, newest: int) -> Look:
        """With `factor` times as much time in view (0.5 looks closer), around the step looked at."""
        first, last = self.window or (1, max(1, newest))
        around = max(first, min(last, self.at if self.at is not None else last))
        shown = last - first + 1
        wanted = max(2, round(shown * factor))
        if wanted >= newest:
            return replace(self, window=None)
        share = (around - first) / max(1, shown - 1)
        start = max(1, min(newest - wanted + 1, round(around - share * (wanted - 1))))
        return replace(self, window=(start, start + wanted - 1))
