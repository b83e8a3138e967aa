"""Show the page of one layer; keys show the neighbouring layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Grid
from textual.content import Content
from textual.message import Message
from textual.widgets import Static
from textual.worker import get_current_worker

from gradtui import metrics
from gradtui.absent import is_absent
from gradtui.charts.x_axis import STEPS
from gradtui.judgement import MARKS
from gradtui.runs.errors import RunError
from gradtui.runs.reader import open_run
from gradtui.ui.disk_work import DiskWork
from gradtui.ui.followed_run import FollowedRun
from gradtui.ui.keys import LIVE_KEY, TIME_KEYS, WHY_KEY
from gradtui.ui.one_answer import OneAnswer
from gradtui.ui.reader_loop import ReaderLoop
from gradtui.ui.run_curves import axis_choices, axis_of, end_of_axis, next_choice
from gradtui.ui.screens.layer.layer_panes import (
    ACTIVATION,
    GRADIENT,
    WEIGHTS,
    LayerCurves,
    LayerFactors,
    LayerHistogram,
    LayerUnits,
    LayerView,
    view_layer,
)
from gradtui.ui.screens.why_screen import explain
from gradtui.ui.settings_store import settings_of, store_of
from gradtui.ui.time_cursor import TimeCursor
from gradtui.ui.view import StepChanged
from gradtui.ui.widgets.curve_pane import X_AXIS_KEY
from gradtui.ui.widgets.histogram_chart import HistogramChart
from gradtui.ui.widgets.key_line import KeyLine
from gradtui.ui.widgets.status_bar import StatusBar, progress_of
from gradtui.ui.widgets.tab_line import fill
from gradtui.words import formatted

READING_SECONDS = 0.5
"""The least number of seconds between two readings of a run that trains."""


class LayerScreen(OneAnswer[int]):
    """The LayerScreen shows one layer of a run: its curves, the sizes of its gradients, its activations and weights.

    It returns the index of the layer that was shown last.

    Args:
        followed: the run.
        layer: index of the layer, from 0.
        trail: the places through which the person came to the run, for the breadcrumb.
    """

    CSS_PATH = "layer.tcss"
    VERTICAL_BREAKPOINTS = [(0, "-low"), (32, "-high")]
    HELP = (
        "## Layer\n\n"
        "Everything that was recorded of one layer. **Gradient of each weight, by size**: time runs downward, size "
        "across. A move to the left means a shrinking gradient, a move to the right a growing one. `X` draws the "
        "curves by step, by time or by a logged number."
    )
    BINDINGS = [
        LIVE_KEY,
        Binding(
            "escape,q", "back", "back", key_display="esc", tooltip="Go back to all layers.", id="layer.back"
        ),
        Binding("q", "leave", "back", tooltip="Go back to all layers, at the same step.", id="layer.leave"),
        Binding(
            "left,h",
            "neighbour(-1)",
            "layer",
            key_display="←→",
            tooltip="Move through the layers.",
            id="layer.left",
        ),
        Binding("right,l", "neighbour(1)", "next layer", show=False, id="layer.right"),
        Binding("home", "neighbour(-1000000)", "first layer", show=False, id="layer.first"),
        Binding("end", "neighbour(1000000)", "last layer", show=False, id="layer.last"),
        Binding(
            "up,k",
            "time(-1)",
            "time",
            key_display="↑↓",
            tooltip="Move through time.",
            id="layer.earlier",
        ),
        Binding("down,j", "time(1)", "later", show=False, id="layer.later"),
        Binding("shift+up,K,pageup", "time(-10)", "10 steps back", show=False, id="layer.far-back"),
        Binding("shift+down,J,pagedown", "time(10)", "10 steps forward", show=False, id="layer.far-on"),
        WHY_KEY,
        *TIME_KEYS,
        X_AXIS_KEY,
        Binding(
            "z",
            "fill",
            "full screen",
            tooltip="Show this chart on the full screen, and back.",
            id="layer.fill",
        ),
    ]

    @dataclass
    class Read(Message):
        """The layer was read again."""

        view: LayerView

        def can_replace(self, message: Message) -> bool:
            """Return whether this message replaces an older one, since each has everything that is shown."""
            return isinstance(message, LayerScreen.Read)

    def __init__(self, followed: FollowedRun, layer: int, trail: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.followed = followed
        self.trail = trail
        self.index = layer
        self.cursor = TimeCursor(self, lambda: followed)
        self._loop = ReaderLoop()
        self._view: LayerView | None = None

    def compose(self) -> ComposeResult:
        """Yield the name of the layer and four charts."""
        yield StatusBar()
        yield Static(id="layer-title")
        yield LayerFactors()
        with Grid():
            yield LayerCurves(GRADIENT)
            yield LayerHistogram()
            yield LayerCurves(ACTIVATION)
            yield LayerCurves(WEIGHTS)
        yield LayerUnits()
        yield KeyLine()

    def on_mount(self) -> None:
        """Read the layer repeatedly until the page is left."""
        self.set_class(self.followed.has_plane and self.followed.request.plane, "-units")
        self.query_one(LayerUnits if self.has_class("-units") else LayerCurves).focus()
        self.set_interval(READING_SECONDS, self._show_status)
        self._show_status()
        self.read()

    def on_unmount(self) -> None:
        """End the reading thread."""
        self._loop.close()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether a key has an effect here; choosing a metric has none, since all are on this page."""
        if action == "metric":
            return False
        if action == "plane":
            return self.followed.has_plane
        # At an earlier step esc leads to the newest one, and only q leads back.
        in_the_past = self.cursor.in_the_past
        return {"live": in_the_past, "leave": in_the_past, "back": not in_the_past}.get(action, True)

    def _show_status(self) -> None:
        meta = self.followed.snapshot.meta if self.followed.snapshot else None
        name = meta.layers[self.index].name if meta is not None and self.index < len(meta.layers) else ""
        progress = progress_of(self.followed, None, (*self.trail, self.followed.title))
        self.query_one(StatusBar).progress = replace(progress, title=name, detail="")

    @work(thread=True, exclusive=True, group="layer")
    def read(self) -> None:
        """Read the layer at once, then whenever the run has grown or another step or layer is requested."""
        followed, shown = self.followed, None
        worker = get_current_worker()
        try:
            run = open_run(followed.folder)
            for _ in self._loop.rounds(lambda: worker.is_cancelled, lambda: READING_SECONDS):
                now = (self.index, followed.at, followed.snapshot.step if followed.snapshot else 0)
                if now != shown:
                    view = view_layer(run, self.index, followed.at)
                    if view is not None:
                        self.post_message(self.Read(view))
                    shown = now
        except (OSError, RunError) as error:
            self.app.call_from_thread(self.notify, str(error), severity="error", markup=False)

    @on(Read)
    def _read(self, event: Read) -> None:
        event.stop()
        view, followed = event.view, self.followed
        if view.index != self.index:
            return
        self._view = view
        self._write_title()
        self._paint_curves()
        self.query_one(LayerHistogram).paint(view, followed.at)
        self.query_one(LayerFactors).paint(view)
        self.query_one(LayerUnits).paint(view)

    def on_resize(self) -> None:
        """Break the line of figures anew."""
        self._write_title()

    def _write_title(self) -> None:
        if self._view is not None:
            self.query_one("#layer-title", Static).update(self._title(self._view))

    def _paint_curves(self) -> None:
        snapshot, view = self.followed.snapshot, self._view
        if view is None:
            return
        axis = axis_of(snapshot.curves, settings_of(self.app).x_axis) if snapshot is not None else None
        end = end_of_axis([snapshot]) if snapshot is not None else None
        for pane in self.query(LayerCurves):
            pane.paint(view, self.followed.at, end, axis or STEPS)

    def action_x_axis(self) -> None:
        """Draw the curves over the next axis: step, time or a logged number, linear or logarithmic."""
        snapshot, store = self.followed.snapshot, store_of(self.app)
        if snapshot is not None and store is not None:
            store.change(x_axis=next_choice(store.settings.x_axis, axis_choices([snapshot.curves])))
            self._paint_curves()

    def _title(self, view: LayerView) -> Content:
        """Return name, place, size and findings of the layer; beneath, its figures."""
        layer = view.layer
        title = Content.assemble(
            (layer.name, "bold $accent"),
            f"  layer {view.index + 1:,} of {view.count:,} · {layer.kind} · {layer.parameters:,} parameters",
        )
        for finding in self.followed.findings or ():
            if layer.name in finding.layers:
                mark, colour = MARKS[finding.severity]
                title += Content.assemble("  ", (f"{mark} {finding.code} {finding.when}", f"bold {colour}"))
        # The title is as wide as the screen, less its padding.
        return Content("\n").join([title, *_figures(view.figures, self.app.size.width - 2)])

    def action_back(self) -> None:
        """Return from one full chart to all charts, or else from the page to all layers."""
        if self.maximized is not None:
            self.minimize()
        else:
            self.dismiss(self.index)

    def action_leave(self) -> None:
        """Return in the same way from an earlier step, where esc leads to the newest one first."""
        self.action_back()

    def _show_layer(self, layer: int) -> None:
        meta = self.followed.snapshot.meta if self.followed.snapshot else None
        last = len(meta.layers) - 1 if meta is not None else 0
        self.index = max(0, min(last, layer))
        self._loop.wake()

    def action_neighbour(self, by: int) -> None:
        """Show the layer this many places further, or back if negative."""
        self._show_layer(self.index + by)

    def action_find_layer(self) -> None:
        """Show a layer by its name."""
        from gradtui.ui.screens.dialogs import find_layer

        find_layer(self.app, self.followed, self._show_layer)

    # -- another step

    def action_time(self, lines: int) -> None:
        """Show a step that is later by some lines of the histogram, or earlier if negative."""
        self._go_to(self.query_one(HistogramChart).step_beside(self.followed.at, lines))

    @on(StepChanged)
    def _step_changed(self, event: StepChanged) -> None:
        event.stop()
        self._go_to(event.step)

    def action_live(self) -> None:
        """Show the newest step again."""
        self._go_to(None)

    def action_why(self) -> None:
        """Explain what was found in the run."""
        explain(self, self.followed, DiskWork(self), self.draw_factors)

    def action_first_bad(self) -> None:
        """Show the first step at which anything was found."""
        self.cursor.go_to_first_finding()
        self._read_now()

    def _go_to(self, step: int | None) -> None:
        self.cursor.go_to(step)
        self._read_now()

    def _read_now(self) -> None:
        self._loop.wake()
        self._show_status()

    def action_factors(self) -> None:
        """Show the factors of all layers instead of this layer's charts, and back."""
        if self.query_one(LayerFactors).has_class("-none"):
            self.notify("The factors of the layers were not recorded in this run.", timeout=4)
            return
        self.remove_class("-units")
        self.toggle_class("-factors")
        self.query_one(LayerFactors if self.has_class("-factors") else LayerCurves).focus()

    def draw_factors(self, at: int | None) -> None:
        """Show the factors at a step, and leave them if they are shown; None is the newest step."""
        self._go_to(at)
        if not self.has_class("-factors"):
            self.action_factors()

    def action_plane(self) -> None:
        """Show what the units answer over the plane instead of this layer's charts, and back."""
        self.remove_class("-factors")
        self.toggle_class("-units")
        self.query_one(LayerUnits if self.has_class("-units") else LayerCurves).focus()

    def action_fill(self) -> None:
        """Let the chart that has the focus fill the screen, or give all charts their places again."""
        fill(self)


def _figures(figures: Mapping[str, float], width: int) -> list[Content]:
    """Return the figures that apply to the layer, in lines of at most a width."""
    parts = [
        Content.assemble((f"{metric.label} ", "$secondary"), formatted(metric.format, value))
        for metric in metrics.registered()
        if metric.label
        and (value := figures.get(metric.name)) is not None
        and not is_absent(value)
        and (value == value or metric.every_step)
    ]
    lines = [Content("")]
    for part in parts:
        gap = "  " if lines[-1] else ""
        if lines[-1].cell_length + len(gap) + part.cell_length <= width:
            lines[-1] += Content(gap) + part
        else:
            lines.append(part)
    return lines
