"""The StatsPane shows a few figures of the run: the time of a step, clipped steps, dead and saturated units."""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from gradtui.ui.run_stats import RunStat

LABEL_COLUMNS = 12
"""The columns of the labels."""


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

    _rows = 0
    """The lines that the pane was laid out for."""

    def watch_stats(self, stats: tuple[RunStat, ...]) -> None:
        """Show the pane only where there are figures; lay it out anew only where it takes other lines."""
        self.set_class(not stats, "-empty")
        self._lay_out()

    def on_resize(self) -> None:
        """Break long figures to the new width."""
        self._lay_out()

    def _lay_out(self) -> None:
        rows = len(self._lines())
        if rows != self._rows:
            self._rows = rows
            self.refresh(layout=True)

    def render(self) -> Content:
        """Return the labels on the left with the figures beside them."""
        return Content("\n").join(self._lines())

    def _lines(self) -> list[Content]:
        """Return the lines; a figure of several parts that does not fit is broken between them."""
        room = (self.content_size.width or LABEL_COLUMNS + 80) - LABEL_COLUMNS
        lines = []
        for stat in self.stats:
            told = [""]
            for part in (f"✖ {stat.figure}" if stat.bad else stat.figure).split(" · "):
                longer = f"{told[-1]} · {part}" if told[-1] else part
                told = [*told[:-1], longer] if len(longer) <= room or not told[-1] else [*told, part]
            if len(told[-1]) > room:
                # A long name of a layer gets a line of its own.
                figure, found, layer = told[-1].partition(" in ")
                told = [*told[:-1], figure, f"in {layer}"] if found else told
            for at, text in enumerate(told):
                label = Content.styled(f"{'' if at else stat.label:<{LABEL_COLUMNS}}", "$secondary")
                lines.append(label + (Content.styled(text, "$error") if stat.bad else Content(text)))
        return lines
