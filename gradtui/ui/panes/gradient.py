"""The gradient of every layer: now as bars, over time as a waterfall beneath them, on one axis of layers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from gradtui.diagnosis.contrast import Contrast
    from gradtui.ui.charts.profile import ProfileChart
    from gradtui.ui.charts.waterfall import Waterfall
    from gradtui.ui.measures import Measure
    from gradtui.ui.watching import Watching

_TONES = {
    "even": ("✓ ", "$success"),
    "uneven": ("", "bold"),
    "weak": ("✖ ", "bold $error"),
    "strong": ("✖ ", "bold $error"),
    "broken": ("✖ ", "bold $error"),
    "none": ("", "$text-muted"),
}


class GradientPane(Vertical):
    """A headline, the profile and the waterfall. The charts are mounted after the app's first frame."""

    DEFAULT_CSS = """
    GradientPane {
        & #headline { height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
        & #invite { width: 1fr; height: 1fr; content-align: center middle; color: $text-muted; }
        & ProfileChart { height: 5fr; min-height: 4; }
        & Waterfall { height: 4fr; min-height: 2; }
    }
    """

    headline: reactive[Content | None] = reactive(None)

    def __init__(self) -> None:
        super().__init__(classes="pane")
        self._shown: tuple[Path, str] | None = None
        self._watching: Watching | None = None

    def compose(self) -> ComposeResult:
        """What a newcomer reads before there is anything to see."""
        yield Static(id="headline")
        yield Static(
            Content.assemble(
                "Press ",
                (" space ", "bold $accent on $panel"),
                " to train this net,\n",
                "and watch the gradient of every layer.",
            ),
            id="invite",
        )

    def on_mount(self) -> None:
        """The frame's title."""
        self.border_title = "Gradient of each layer"

    def watch_headline(self, headline: Content | None) -> None:
        """The line above the bars."""
        if self.is_mounted:
            self.query_one("#headline", Static).update(headline or "")

    async def paint(self, watching: Watching) -> None:
        """Show a run's state: the newest row of the measure as bars, all its rows as the waterfall."""
        snapshot = watching.snapshot
        if snapshot is None or not len(snapshot.latest):
            return
        from gradtui.ui.charts.legend import ScaleLegend
        from gradtui.ui.charts.scale import log10_of
        from gradtui.ui.measures import measure_named

        self._watching = watching

        measure = measure_named(snapshot.measure)
        units = log10_of if measure.scale == "log" else _plain
        profile, waterfall = await self._charts(watching, measure)
        self.headline = headline_of(measure.headline(snapshot.layer_names, snapshot.latest.tolist()))
        matrix, stride, first = snapshot.timeline.fold(waterfall.capacity)
        # The waterfall first: it sees every step, so it settles the scale that both share.
        span = snapshot.latest_step - first + 1
        if span > snapshot.timeline.recorded:
            # Sampled: a row stands for the steps up to the next one, about as many for each.
            stride = max(1, round(span / len(matrix)))
        waterfall.update(units(matrix), stride=stride, first_step=first)
        profile.update(units(snapshot.latest))
        self.query_one(ScaleLegend).update()
        self.border_title = measure.title
        self.border_subtitle = f"{len(snapshot.layer_names):,} {measure.axis}s · time runs downward"

    def clear(self) -> None:
        """Another run comes: nothing of the one before may stand under its title."""
        self.headline = None
        self.border_subtitle = ""
        self._watching = None
        for chart in self.query("ProfileChart, Waterfall"):
            chart.update(None)  # type: ignore[attr-defined]

    async def on_capacity_changed(self) -> None:
        """More or fewer rows fit: fold anew, also where the run has ended and nothing else would repaint."""
        if self._watching is not None:
            await self.paint(self._watching)

    async def _charts(self, watching: Watching, measure: Measure) -> tuple[ProfileChart, Waterfall]:
        """The charts; they take the place of the invitation with the first numbers of a run."""
        from gradtui.ui.charts.legend import ScaleLegend
        from gradtui.ui.charts.profile import ProfileChart
        from gradtui.ui.charts.scale import Scale
        from gradtui.ui.charts.waterfall import Waterfall

        if self._shown != (watching.folder, measure.name):
            scale = Scale(measure.scale, measure.low, measure.high)
            await self.query("#invite, ProfileChart, Waterfall, ScaleLegend").remove()
            start = 0 if measure.axis == "lag" else 1
            profile = ProfileChart(scale, of=measure.axis, start=start, id="profile")
            await self.mount(profile, Waterfall(scale, id="waterfall"), ScaleLegend(scale))
            self._shown = (watching.folder, measure.name)
        return self.query_one(ProfileChart), self.query_one(Waterfall)


def _plain(values: ArrayLike) -> NDArray[np.float64]:
    import numpy as np

    return np.asarray(values, np.float64)


def headline_of(contrast: Contrast) -> Content:
    """The sentence with its mark and colour."""
    mark, colour = _TONES[contrast.tone]
    return Content.styled(f"{mark}{contrast.text}", colour)
