"""Test the pane of figures: a long one is broken and not cut."""

from __future__ import annotations

from textual.app import App, ComposeResult

from gradtui.ui.run_stats import RunStat
from gradtui.ui.widgets.stats_pane import StatsPane
from tests.support.lab import screen_text


class PaneApp(App[None]):
    """An app with nothing but the pane."""

    def compose(self) -> ComposeResult:
        yield StatsPane()


async def test_a_long_figure_is_broken_between_its_parts() -> None:
    app = PaneApp()
    async with app.run_test(size=(34, 9)) as pilot:
        pane = app.query_one(StatsPane)
        pane.stats = (
            RunStat("costs", "51.9 ms/step · 333 MB · 33.9 steps/s"),
            RunStat("dead", "55% in attention24.mlp1", bad=True),
            RunStat("recording", "5.9% overhead"),
        )
        await pilot.pause()
        lines = [" ".join(line.split()) for line in screen_text(app).splitlines()]
        assert lines[:6] == [
            "costs 51.9 ms/step",
            "333 MB",
            "33.9 steps/s",
            "dead ✖ 55%",
            "in attention24.mlp1",
            "recording 5.9% overhead",
        ]
        await pilot.resize_terminal(80, 9)
        await pilot.pause()
        lines = [" ".join(line.split()) for line in screen_text(app).splitlines()]
        assert lines[0] == "costs 51.9 ms/step · 333 MB · 33.9 steps/s"
        assert lines[1] == "dead ✖ 55% in attention24.mlp1"
