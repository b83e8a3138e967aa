"""Show the gradient over depth of several trainings side by side, on one scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from textual.app import ComposeResult
from textual.containers import Grid, Vertical
from textual.content import Content
from textual.reactive import reactive

from gradtui.absent import log10_of
from gradtui.charts.scale import Scale
from gradtui.ui.widgets.layer_charts import ProfileChart
from gradtui.words import ratio

Floats = NDArray[np.float64]

LEAST_WIDTH, LEAST_HEIGHT = 36, 7
"""The cells that one profile needs, including its frame."""
MOST_PROFILES = 16


@dataclass(frozen=True, eq=False)
class GradientProfile:
    """A GradientProfile is the gradient over depth of one training, which may represent several seeds."""

    keys: tuple[str, ...]
    """The keys of the rows that it represents."""
    name: str
    mark: str = ""
    """A sign for its result; empty before that is known."""
    drop: float = math.nan
    """log10 of the gradient of the first hidden layer ÷ the last one's; NaN where it is unknown."""
    gradients: Floats | None = None
    """Gradient norm of every layer, (layers,); None before its first step."""
    healthy: tuple[Floats, Floats] | None = None
    """The norms between which they would lie in a healthy net, (layers,) each."""


class SmallProfile(Vertical):
    """A SmallProfile draws one profile, in a frame that names the training."""

    DEFAULT_CSS = """
    SmallProfile {
        border: round $border; border-title-color: $text-muted; border-subtitle-color: $text-muted;
        &.-chosen { border: round $accent; border-title-color: $accent; }
        &:nocolor.-chosen { border: heavy $accent; border-title-style: reverse; }
        & ProfileChart { height: 1fr; }
    }
    """

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        # Kept here: when sizes change quickly, it may be painted after it was mounted and before it was composed.
        self.chart = ProfileChart(scale)
        self._said = (Content(), Content())

    def compose(self) -> ComposeResult:
        """Yield the chart."""
        yield self.chart

    def paint(self, one: GradientProfile, chosen: bool) -> None:
        """Show a profile; `chosen` says whether the cursor is on it."""
        said = (
            Content(f"{one.mark} {one.name}".strip()),
            Content("" if math.isnan(one.drop) else f"input ÷ output {ratio(one.drop)}"),
        )
        if said != self._said:
            # A title that is set repaints the whole frame, even if it is the same.
            self._said = said
            self.border_title, self.border_subtitle = said
        self.set_class(chosen, "-chosen")
        if one.gradients is None:
            self.chart.update(None)
            return
        healthy = None
        if one.healthy is not None:
            healthy = (log10_of(one.healthy[0]), log10_of(one.healthy[1]))
        self.chart.update(log10_of(one.gradients), healthy=healthy)


class SmallProfiles(Grid):
    """SmallProfiles shows as many as there is room for: the first, and the page of the others with the chosen one."""

    DEFAULT_CSS = """
    SmallProfiles { height: 1fr; grid-gutter: 0; content-align: center middle; text-align: center; }
    """

    nothing: reactive[str] = reactive("")
    """The text in the place of the profiles as long as there is none."""

    def render(self) -> Content:
        """Return the text, if there are no profiles over it."""
        return Content.styled("" if self._given else self.nothing, "$secondary")

    def __init__(self) -> None:
        super().__init__()
        self.scale = Scale()
        self._given: tuple[GradientProfile, ...] = ()
        self._chosen = ""
        self._grid = (0, 0, 0)

    def paint(self, given: Sequence[GradientProfile], chosen: str) -> None:
        """Show these profiles in this order, the baseline first; `chosen` is the key of a row."""
        self._given, self._chosen = tuple(given), chosen
        self._paint()

    def on_resize(self) -> None:
        """Show as many as fit now."""
        self._paint()

    def _paint(self) -> None:
        across, down = fitting(self.size.width, self.size.height, len(self._given))
        shown = among(self._given, across * down, self._chosen)
        each = self.size.height // max(1, down)
        if (across, down, each) != self._grid:
            self._grid = (across, down, each)
            # All have the same height, since one scale looks the same only in equally many rows.
            self.styles.grid_rows = str(each)
            self.styles.grid_size_columns, self.styles.grid_size_rows = max(1, across), max(1, down)
        there = list(self.query(SmallProfile))
        for profile in there[len(shown) :]:
            profile.display = False
        if len(there) < len(shown):
            more = [SmallProfile(self.scale) for _ in shown[len(there) :]]
            self.mount(*more)
            there += more
        values = [log10_of(one.gradients) for one in self._given if one.gradients is not None]
        if values:
            # The scale covers all profiles, also those on other pages, before any is drawn.
            self.scale.include(np.concatenate(values))
        for profile, one in zip(there, shown, strict=False):
            profile.display = True
            profile.paint(one, self._chosen in one.keys)


def fitting(width: int, height: int, wanted: int) -> tuple[int, int]:
    """Return how many columns and rows of profiles fit, no more rows than are needed; (0, 0) where none does."""
    across, most = min(MOST_PROFILES, width // LEAST_WIDTH), height // LEAST_HEIGHT
    if not (across and most and wanted):
        return 0, 0
    down = min(most, -(-wanted // across), max(1, MOST_PROFILES // across))
    return min(across, -(-wanted // down)), down


def among(given: Sequence[GradientProfile], count: int, chosen: str) -> list[GradientProfile]:
    """Return the first profile, which is the baseline, and the page of the others that holds the chosen one."""
    if count < 1:
        return []
    at = next((at for at, one in enumerate(given) if chosen in one.keys), 0)
    if count == 1:
        return list(given[at : at + 1])
    page = count - 1
    # The last page is a full one too.
    start = max(1, min(1 + max(0, at - 1) // page * page, len(given) - page))
    return [*given[:1], *given[start : start + page]]
