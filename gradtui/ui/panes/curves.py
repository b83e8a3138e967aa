"""Loss and accuracy over the steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical

from gradtui.ui.watching import Watching

if TYPE_CHECKING:
    from gradtui.runs.follower import Snapshot
    from gradtui.ui.charts.plot import Series


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

    def clear(self) -> None:
        """Another run comes."""
        for chart in self.query("CurvePlot"):
            chart.update([])  # type: ignore[attr-defined]

    async def paint(self, watching: Watching) -> None:
        """Show the curves of a run's state."""
        from gradtui.ui.charts.plot import CurvePlot

        snapshot = watching.snapshot
        if snapshot is None:
            return
        pretraining = self.what == "loss" and not snapshot.step
        series = _reconstruction(snapshot) if pretraining else _course(snapshot, self.what)
        if not series:
            return
        self.border_title = "Reconstruction error by epoch" if pretraining else self.what.capitalize()
        if not self.query(CurvePlot):
            await self.mount(CurvePlot(y_range=(0.0, 1.0) if self.what == "accuracy" else None))
        self.query_one(CurvePlot).update(series, x_end=None if pretraining else snapshot.steps or None)


def _course(snapshot: Snapshot, what: str) -> list[Series]:
    """The batch of each step, and what was evaluated of train and test."""
    from gradtui.ui.charts.plot import Series

    if what not in snapshot.curves:
        return []
    batch = snapshot.curves[what]
    series = [Series("batch", batch.step, batch.mean)]
    for part in ("train", "test"):
        key = f"{part}_{what}"
        points = [(event["step"], event[key]) for event in snapshot.evaluations if event.get(key) is not None]
        if len(points) > 1:
            series.append(Series(part, *zip(*points, strict=True)))
    return series


def _reconstruction(snapshot: Snapshot) -> list[Series]:
    """What layer-wise pretraining makes of its inputs: one curve, layer after layer."""
    from gradtui.ui.charts.plot import Series

    # A run that was taken up again in mid-pretraining began that anew.
    taken_up = max(
        (i for i, event in enumerate(snapshot.events) if event.get("event") == "rewound"), default=0
    )
    said = [event for event in snapshot.events[taken_up:] if event.get("event") == "pretrain"]
    if len(said) < 2:
        return []
    errors = [event["reconstruction_error"] for event in said]
    return [Series(str(said[-1].get("name", "layer")), list(range(1, len(errors) + 1)), errors)]
