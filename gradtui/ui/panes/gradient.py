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
    from gradtui.diagnosis.contrast import Contrast
    from gradtui.ui.charts.profile import ProfileChart
    from gradtui.ui.charts.waterfall import Waterfall
    from gradtui.ui.watching import Watching

_TONES = {
    "even": ("✓ ", "$success"),
    "weak": ("✖ ", "bold $error"),
    "strong": ("✖ ", "bold $error"),
    "broken": ("✖ ", "bold $error"),
    "none": ("", "$text-muted"),
}


class GradientPane(Vertical):
    """A headline, the profile and the waterfall. The charts are mounted after the app's first frame."""

    DEFAULT_CSS = """
    GradientPane {
        border: round $border; border-title-color: $text-muted; border-subtitle-color: $text-muted;
        &:focus-within { border: round $accent; border-title-color: $accent; }
        & #headline { height: 1; padding: 0 1; }
        & #invite { width: 1fr; height: 1fr; content-align: center middle; color: $text-muted; }
        & ProfileChart { height: 5fr; min-height: 4; }
        & Waterfall { height: 4fr; min-height: 2; }
    }
    """

    headline: reactive[Content | None] = reactive(None)

    def __init__(self) -> None:
        super().__init__()
        self._shown: Path | None = None

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
        """Show a run's state: the newest row as bars, all rows as the waterfall."""
        snapshot = watching.snapshot
        if snapshot is None or not len(snapshot.latest):
            return
        from gradtui.diagnosis.contrast import contrast
        from gradtui.ui.charts.scale import log10_of

        profile, waterfall = await self._charts(watching)
        self.headline = headline_of(
            contrast(snapshot.layer_names, snapshot.latest.tolist()), snapshot.latest_step
        )
        matrix, stride, first = snapshot.timeline.fold(waterfall.capacity)
        # The waterfall first: it sees every step, so it settles the scale that both share.
        waterfall.update(log10_of(matrix), stride=stride, first_step=first)
        profile.update(log10_of(snapshot.latest))
        self.border_subtitle = f"{len(snapshot.layer_names):,} layers · time runs downward"

    async def _charts(self, watching: Watching) -> tuple[ProfileChart, Waterfall]:
        """The charts; they take the place of the invitation with the first numbers of a run."""
        from gradtui.ui.charts.profile import ProfileChart
        from gradtui.ui.charts.scale import Scale
        from gradtui.ui.charts.waterfall import Waterfall

        if self._shown is not watching.folder:
            scale = Scale()
            await self.query("#invite, ProfileChart, Waterfall").remove()
            await self.mount(ProfileChart(scale, id="profile"), Waterfall(scale, id="waterfall"))
            self._shown = watching.folder
        return self.query_one(ProfileChart), self.query_one(Waterfall)


def headline_of(contrast: Contrast, step: int) -> Content:
    """The sentence with its mark and colour, and the step that it speaks of."""
    mark, colour = _TONES[contrast.tone]
    return Content.assemble((f"{mark}{contrast.text}", colour), (f"  step {step:,}", "$text-muted"))
