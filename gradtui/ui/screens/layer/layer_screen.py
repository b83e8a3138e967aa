"""The layer page: one layer in depth, its neighbours one key away."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Grid
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static
from textual.worker import get_current_worker

from gradtui import metrics
from gradtui.runs.errors import RunError
from gradtui.runs.reader import open_run
from gradtui.ui.keys import TRAVEL_KEYS
from gradtui.ui.screens.layer.layer_panes import (
    ACTIVATION,
    GRADIENT,
    WEIGHTS,
    LayerCurves,
    LayerHistogram,
    LayerView,
    view_layer,
)
from gradtui.ui.time_cursor import Travelling
from gradtui.ui.watching import Watching
from gradtui.ui.widgets.histogram_chart import HistogramChart
from gradtui.ui.widgets.key_line import KeyLine
from gradtui.ui.widgets.status_bar import StatusBar, progress_of

PACE = 0.5
"""Seconds between two readings of a run that trains, at least."""


class LayerScreen(Travelling):
    """Everything of one layer: its curves, the sizes of its gradients, its activations and weights.

    Args:
        watching: the run.
        layer: index of the layer, from 0.
    """

    CSS = """
    LayerScreen {
        & #layer-title { height: 2; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
        & Grid { grid-size: 2 2; height: 1fr; }
        & .pane {
            border: round $border; border-title-color: $text-muted; border-subtitle-color: $text-muted;
            &:focus { border: round $accent; border-title-color: $accent; }
        }
        & .-maximized { width: 100%; height: 1fr; }
        & CurvePlot, & HistogramChart { height: 1fr; }
    }
    """
    HELP = (
        "## Layer\n\nAll that was recorded of one layer. **Gradient of each weight, by size**: time downward, size "
        "across; what wanders to the left starves, what wanders to the right blows up."
    )
    BINDINGS = [
        Binding(
            "escape,q", "back", "back", key_display="esc", tooltip="Back to all layers.", id="layer.back"
        ),
        Binding(
            "left,h", "neighbour(-1)", "layer", key_display="←→", tooltip="The layer before.", id="layer.left"
        ),
        Binding("right,l", "neighbour(1)", "layer after", show=False, id="layer.right"),
        Binding("home", "neighbour(-1000000)", "first layer", show=False, id="layer.first"),
        Binding("end", "neighbour(1000000)", "last layer", show=False, id="layer.last"),
        Binding("up,k", "time(-1)", "time", key_display="↑↓", tooltip="Earlier.", id="layer.earlier"),
        Binding("down,j", "time(1)", "later", show=False, id="layer.later"),
        Binding("shift+up,K,pageup", "time(-10)", "much earlier", show=False, id="layer.far-back"),
        Binding("shift+down,J,pagedown", "time(10)", "much later", show=False, id="layer.far-on"),
        *TRAVEL_KEYS,
        Binding("z", "fill", "fill", tooltip="Let this chart fill the screen, and back.", id="layer.fill"),
    ]

    @dataclass
    class Read(Message):
        """The layer has been read anew."""

        view: LayerView

        def can_replace(self, message: Message) -> bool:
            """A newer view is whole."""
            return isinstance(message, LayerScreen.Read)

    def __init__(self, watching: Watching, layer: int) -> None:
        super().__init__()
        self.set_reactive(LayerScreen.watching, watching)
        self.index = layer
        self._wake = threading.Event()

    def compose(self) -> ComposeResult:
        """Who it is, and four charts."""
        yield StatusBar()
        yield Static(id="layer-title")
        with Grid():
            yield LayerCurves(GRADIENT)
            yield LayerHistogram()
            yield LayerCurves(ACTIVATION)
            yield LayerCurves(WEIGHTS)
        yield KeyLine()

    def on_mount(self) -> None:
        """Read on until the page is left."""
        self.query_one(LayerCurves).focus()
        self.set_interval(PACE, self._show_status)
        self._show_status()
        self.read()

    def on_unmount(self) -> None:
        """The thread need not sleep to its end."""
        self.workers.cancel_node(self)
        self._wake.set()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """All measures are on this page already."""
        if action == "measure":
            return False
        return self.watching is not None and self.watching.at is not None if action == "live" else True

    def _show_status(self) -> None:
        if self.watching is not None and self.watching.experiment is not None:
            self.query_one(StatusBar).progress = progress_of(self.watching, self.watching.experiment)

    @work(thread=True, exclusive=True, group="layer")
    def read(self) -> None:
        """Read the layer at once, then whenever the run has grown or the person looks elsewhere."""
        worker, watching = get_current_worker(), self.watching
        assert watching is not None
        try:
            run, seen = open_run(watching.folder), None
            while not worker.is_cancelled:
                self._wake.clear()
                now = (self.index, watching.at, watching.snapshot.step if watching.snapshot else 0)
                if now != seen:
                    view = view_layer(run, self.index, watching.at)
                    if view is not None:
                        self.post_message(self.Read(view))
                    seen = now
                self._wake.wait(PACE)
        except (OSError, RunError) as error:
            self.app.call_from_thread(self.notify, str(error), severity="error", markup=False)

    @on(Read)
    def _read(self, event: Read) -> None:
        event.stop()
        view, watching = event.view, self.watching
        if watching is None or view.index != self.index:
            return
        self.query_one("#layer-title", Static).update(self._title(view))
        steps = watching.snapshot.steps if watching.snapshot else 0
        for pane in self.query(LayerCurves):
            pane.paint(view, watching.at, steps or None)
        self.query_one(LayerHistogram).paint(view, watching.at)

    def _title(self, view: LayerView) -> Content:
        """Name, place and size; then the figures."""
        layer = view.layer
        title = Content.assemble(
            (layer.name, "bold $accent"),
            f"  layer {view.index + 1:,} of {view.count:,} · {layer.kind} · {layer.parameters:,} parameters",
        )
        for finding in (self.watching.findings if self.watching is not None else None) or ():
            if layer.name in finding.layers:
                title += Content.assemble(
                    "  ", (f"✖ {finding.code} since step {finding.step:,}", "bold $error")
                )
        return title + Content("\n") + _figures(view.figures)

    def action_back(self) -> None:
        """Back to all layers; the one that was looked at is pointed at there."""
        if self.maximized is not None:
            self.minimize()
        else:
            self.dismiss(self.index)

    def _go(self, layer: int) -> None:
        meta = self.watching.snapshot.meta if self.watching is not None and self.watching.snapshot else None
        last = len(meta.layers) - 1 if meta is not None else 0
        self.index = max(0, min(last, layer))
        self._wake.set()

    def action_neighbour(self, by: int) -> None:
        """Another layer."""
        self._go(self.index + by)

    def action_find_layer(self) -> None:
        """A layer by its name."""
        from gradtui.ui.screens.dialogs import find_layer

        if self.watching is not None:
            find_layer(self.app, self.watching, self._go)

    def action_time(self, lines: int) -> None:
        """So many lines of the histogram later (earlier)."""
        if self.watching is not None:
            self.travel(self.query_one(HistogramChart).step_beside(self.watching.at, lines))

    def travel(self, step: int | None) -> None:
        """See the layer as it was after that step."""
        super().travel(step)
        self._wake.set()
        self._show_status()

    def action_fill(self) -> None:
        """Let the chart that has the focus fill the screen, or all of them have their places again."""
        if self.maximized is not None:
            self.minimize()
        elif isinstance(self.focused, Widget):
            self.maximize(self.focused, container=False)


def _figures(figures: Mapping[str, float]) -> Content:
    """Those that apply to the layer, in one line."""
    parts = [
        Content.assemble((f"{metric.label} ", "$secondary"), metric.format.format(value))
        for metric in metrics.registered()
        if metric.label
        and (value := figures.get(metric.name)) is not None
        and (value == value or metric.every_step)
    ]
    return Content("  ").join(parts)
