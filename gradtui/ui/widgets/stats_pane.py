"""The StatsPane shows a few figures of the run: the time of a step, clipped steps, dead and saturated units."""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from gradtui.ui.run_stats import RunStat


class StatsPane(Widget):
    """The StatsPane shows a few figures of the run, a line each."""

    HELP = (
        "## Figures\n\n"
        "**step time**: the time of one step. **costs** (of a watched script): time per step, steps per second, "
        "memory, and how much of the GPU PyTorch uses. **clipped**: the share of steps whose gradient was clipped. "
        "**dead**: the share of units that never fire, in the worst layer. **mean**: the largest mean of an "
        "activation, with its layer. **slope**: the slope that PReLU has learned. **recording**: the share of the "
        "time that measuring takes."
    )
    DEFAULT_CSS = """
    StatsPane { height: auto; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    StatsPane.-empty { display: none; }
    """

    stats: reactive[tuple[RunStat, ...]] = reactive(())

    def on_mount(self) -> None:
        """Write the title; the pane is hidden before there are figures."""
        self.border_title = "Figures"
        self.add_class("-empty")

    def watch_stats(self, before: tuple[RunStat, ...], stats: tuple[RunStat, ...]) -> None:
        """Show the pane only where there are figures; lay it out anew only where their number changes."""
        self.set_class(not stats, "-empty")
        if len(before) != len(stats):
            self.refresh(layout=True)

    def render(self) -> Content:
        """Return the labels on the left with the figures beside them."""
        return Content("\n").join(
            Content.assemble(
                (f"{stat.label:<12}", "$secondary"),
                (f"✖ {stat.figure}", "$error") if stat.bad else stat.figure,
            )
            for stat in self.stats
        )
