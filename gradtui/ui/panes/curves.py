"""Loss and accuracy over the steps."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical

from gradtui.ui.watching import Watching


class CurvePane(Vertical):
    """One curve pane; ``what`` is "loss" or "accuracy". The chart is mounted with the first numbers."""

    def __init__(self, what: str) -> None:
        super().__init__(id=f"{what}-pane", classes="pane")
        self.what = what

    def compose(self) -> ComposeResult:
        """Nothing yet: plotext is imported after the first frame."""
        yield from ()

    def on_mount(self) -> None:
        """The frame's title."""
        self.border_title = self.what.capitalize()

    async def paint(self, watching: Watching) -> None:
        """Show the curves of a run's state: the batch of each step, and what was evaluated of train and test."""
        from gradtui.ui.charts.plot import CurvePlot, Series

        snapshot = watching.snapshot
        if snapshot is None or self.what not in snapshot.curves:
            return
        if not self.query(CurvePlot):
            await self.mount(CurvePlot(y_range=(0.0, 1.0) if self.what == "accuracy" else None))
        batch = snapshot.curves[self.what]
        series = [Series("batch", batch.step, batch.mean)]
        for part in ("train", "test"):
            key = f"{part}_{self.what}"
            points = [(e["step"], e[key]) for e in snapshot.evaluations if e.get(key) is not None]
            if len(points) > 1:
                series.append(Series(part, *zip(*points, strict=True)))
        self.query_one(CurvePlot).update(series, x_end=snapshot.steps or None)
