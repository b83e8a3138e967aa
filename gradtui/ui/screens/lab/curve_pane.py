"""Loss and accuracy over the steps."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.reactive import reactive

from gradtui.ui.travel import Travelled
from gradtui.ui.watching import Watching

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gradtui.charts.marks import CurveMarks
    from gradtui.charts.series import CurveData
    from gradtui.runs.follower import Snapshot
    from gradtui.runs.summary import Summary
    from gradtui.ui.screens.lab.event_marks import EventMarks
    from gradtui.ui.settings_store import SettingsStore
    from gradtui.ui.widgets.curve_plot import CurvePlot

PAGE = 10
"""Columns that a key with shift moves by."""


class CurvePane(Vertical, can_focus=True):
    """One curve pane; ``what`` is "loss" or "accuracy". The chart is mounted with the first numbers."""

    HELP = (
        "## Loss and accuracy\n\n"
        "**batch** is what each step saw, **train** and **test** what was evaluated. Where a point stands for many "
        "steps, it is their mean, and the mesh behind it their range. `×` on the axis was not a finite number.\n\n"
        "`y` a **logarithmic** axis; of the accuracy it shows the error, 1 − accuracy, for near 1 that is what still "
        "changes. Its lowest row is then exactly 0, if that occurs.\n\n"
        "`v` **smooths** the batch curve: off, light, strong. Each point becomes the mean of itself and the steps "
        "before it; the legend says how many. No later step is looked at, and the curve as it was stays behind it in "
        "a weaker tone.\n\n"
        "**Above** stands what happened: `η` the learning rate, `Δ` another setting changed, `▁ ▂ ▃ ▄` the more of the "
        "steps clipped, `◆` a checkpoint, `‖` paused, `▸` went on, `«` the run was taken back to here, `!` where a "
        "finding began. Of several in one column the weightiest is seen, and all are named at the cursor.\n\n"
        "`← →` move through **time**, with shift by ten columns, `home` to the first step, `end` to the newest; all "
        "charts show that step. A click does the same."
    )
    BINDINGS = [
        Binding("left,h", "time(-1)", "time", key_display="←→", tooltip="Earlier.", id="curves.earlier"),
        Binding("right,l", "time(1)", "later", show=False, tooltip="Later.", id="curves.later"),
        Binding("shift+left", f"time(-{PAGE})", "much earlier", show=False, id="curves.far-back"),
        Binding("shift+right", f"time({PAGE})", "much later", show=False, id="curves.far-on"),
        Binding("home,circumflex_accent", "first", "first step", show=False, id="curves.first"),
        Binding("end,dollar_sign", "newest", "newest step", show=False, id="curves.newest"),
        Binding("y", "log", "log", tooltip="Logarithmic or linear axis.", id="curves.log"),
        Binding(
            "v", "smooth", "smooth", tooltip="Smooth the batch curve: off, light, strong.", id="curves.smooth"
        ),
    ]
    ALLOW_MAXIMIZE = True

    logarithmic: reactive[bool] = reactive(False, repaint=False)
    """A logarithmic axis."""
    smoothing: reactive[str] = reactive("off", repaint=False)
    """How much the batch curve is smoothed: off, light or strong."""
    heading: reactive[str] = reactive("", repaint=False)
    """What is drawn, in the frame above …"""
    caption: reactive[str] = reactive("", repaint=False)
    """… and beneath: what happened. To write on the frame paints all of the pane, so only what is new is written."""

    def __init__(self, what: str) -> None:
        super().__init__(id=f"{what}-pane", classes="pane")
        self.what = what
        self._pretraining = False
        self._first = 1
        self._newest = 0
        self._event_marks: EventMarks | None = None

    def compose(self) -> ComposeResult:
        """Nothing yet: plotext is imported after the first frame."""
        yield from ()

    def on_mount(self) -> None:
        """The frame's title."""
        self._entitle()

    def keep_settings(self, store: SettingsStore) -> None:
        """Draw as the person's settings say, and keep what is changed from now on."""

        def keep(field: str, value: object) -> None:
            store.change(**{field: value})

        self.smoothing = store.settings.smoothing
        self.logarithmic = store.settings.log_loss if self.what == "loss" else store.settings.log_accuracy
        self.watch(self, "smoothing", partial(keep, "smoothing"), init=False)
        self.watch(self, "logarithmic", partial(keep, f"log_{self.what}"), init=False)

    def clear(self) -> None:
        """Another run comes."""
        self._newest = 0
        self._event_marks = None
        self.caption = ""
        for plot in self._plots():
            plot.cursor = None
            plot.update([])

    # -- painting

    async def paint(self, watching: Watching, partner: Watching | None = None) -> None:
        """Show the curves of a run's state, the cursor at the step that is looked at.

        partner: the run that it is held against, one more curve.
        """
        snapshot = watching.snapshot
        if snapshot is None:
            return
        pretraining = self.what == "loss" and not snapshot.step
        # Of a stretch of time the sight has a closer look than the whole run's.
        curves = watching.sight.curves if watching.sight is not None else snapshot.curves
        series = _reconstruction(snapshot) if pretraining else _course(snapshot, curves, self.what)
        if not series:
            return
        if partner is not None and partner.snapshot is not None and not pretraining:
            series += _before(partner.snapshot, self.what)
        plot = await self.plot()
        self._pretraining, self._newest = pretraining, snapshot.step
        if pretraining:
            plot.travels, plot.cursor, plot.window = False, None, None
            plot.update(series)
        else:
            self._first = int(snapshot.curves[self.what].step[0])
            plot.travels, plot.cursor, plot.window = True, watching.at, watching.look.window
            plot.update(series, x_end=snapshot.steps or None, marks=self._marks(watching, snapshot))
        self._entitle()
        self._tell()

    async def plot(self) -> CurvePlot:
        """The chart; it is mounted when there is something to show."""
        from gradtui.ui.widgets.curve_plot import CurvePlot

        if not self.query(CurvePlot):
            accuracy = self.what == "accuracy"
            plot = CurvePlot(
                logarithmic=self.logarithmic,
                smoothing=self.smoothing,
                complement=accuracy,
                y_range=(0.0, 1.0) if accuracy else None,
            )
            await self.mount(plot)
        return self.query_one(CurvePlot)

    def _marks(self, watching: Watching, snapshot: Snapshot) -> CurveMarks:
        from gradtui.ui.screens.lab.event_marks import EventMarks

        if self._event_marks is None:
            self._event_marks = EventMarks()
        return self._event_marks.marks(
            snapshot, [(found.code, found.step) for found in watching.standing or ()]
        )

    def _plots(self) -> list[CurvePlot]:
        """The chart, once there is one; without importing what it needs before."""
        return list(self.query("CurvePlot"))  # type: ignore[arg-type]

    def _entitle(self) -> None:
        """What is drawn, and how."""
        name = self.what.capitalize()
        if self._pretraining:
            name = "Reconstruction error by epoch"
        elif self.logarithmic and self.what == "accuracy":
            name = "Error (1 − accuracy)"
        how = (self.logarithmic, "log"), (self.smoothing != "off", "smoothed")
        self.heading = " · ".join([name, *(word for yes, word in how if yes)])

    def watch_heading(self, heading: str) -> None:
        """Above the chart."""
        self.border_title = Content(heading)

    def watch_caption(self, caption: str) -> None:
        """Beneath it."""
        self.border_subtitle = Content(caption)

    def _tell(self) -> None:
        """Say what happened at the cursor, or else what the signs mean."""
        for plot in self._plots():
            self.caption = " · ".join(plot.said) or "  ".join(" ".join(sign) for sign in plot.signs)

    def on_curve_plot_redrawn(self) -> None:
        """Columns stand for other steps now."""
        self._tell()

    def watch_logarithmic(self, logarithmic: bool) -> None:
        """The other axis, in place."""
        for plot in self._plots():
            plot.logarithmic = logarithmic
        self._entitle()

    def watch_smoothing(self, smoothing: str) -> None:
        """More or less of the noise, in place."""
        for plot in self._plots():
            plot.smoothing = smoothing
        self._entitle()

    def action_log(self) -> None:
        """Linear or logarithmic."""
        self.logarithmic = not self.logarithmic

    def action_smooth(self) -> None:
        """Off, light, strong, and off again."""
        from gradtui.charts.series import next_level

        self.smoothing = next_level(self.smoothing)

    # -- time

    def action_time(self, columns: int) -> None:
        """So many columns later (earlier)."""
        for plot in self._plots():
            if self._travels:
                here = self._newest if plot.cursor is None else round(plot.cursor)
                self._go(plot.step_beside(here, columns))

    def action_first(self) -> None:
        """To the first recorded step."""
        if self._travels:
            self._go(self._first)

    def action_newest(self) -> None:
        """As it is now."""
        if self._travels:
            self._go(None)

    @property
    def _travels(self) -> bool:
        return self._newest > 0 and not self._pretraining

    def _go(self, step: int | None) -> None:
        """Say it to who looks at the run; and point there at once, for the next key counts from here."""
        step = None if step is None or step >= self._newest else max(self._first, step)
        for plot in self._plots():
            if step is not None or plot.cursor is not None:
                plot.cursor = step
                self.post_message(Travelled(step))

    @on(Travelled)
    def _travelled(self) -> None:
        """Also by a click on the chart, which points there itself."""
        self._tell()


def _course(snapshot: Snapshot, curves: Mapping[str, Summary], what: str) -> list[CurveData]:
    """The batch of each step, and what was evaluated of train and test."""
    from gradtui.charts.series import CurveData

    if what not in curves:
        return []
    batch = curves[what]
    if not len(batch):
        # The net is built, and its first step is not over.
        return []
    series = [CurveData("batch", batch.step, batch.mean, batch.min, batch.max)]
    for part in ("train", "test"):
        key = f"{part}_{what}"
        known = [event for event in snapshot.evaluations if event.get(key) is not None]
        if len(known) > 1:
            steps = [event["step"] for event in known]
            series.append(CurveData(part, steps, [event[key] for event in known], noisy=False))
    return series


def _before(snapshot: Snapshot, what: str) -> list[CurveData]:
    """The batches of the run that this one is held against."""
    from gradtui.charts.series import CurveData

    curve = snapshot.curves.get(what)
    return (
        [] if curve is None or not len(curve) else [CurveData("without", curve.step, curve.mean, guest=True)]
    )


def _reconstruction(snapshot: Snapshot) -> list[CurveData]:
    """What layer-wise pretraining makes of its inputs: one curve, layer after layer."""
    from gradtui.charts.series import CurveData

    # A run that was taken up again in mid-pretraining began that anew.
    taken_up = max(
        (i for i, event in enumerate(snapshot.events) if event.get("event") == "rewound"), default=0
    )
    said = [event for event in snapshot.events[taken_up:] if event.get("event") == "pretrain"]
    if len(said) < 2:
        return []
    errors = [event["reconstruction_error"] for event in said]
    return [CurveData(str(said[-1].get("name", "layer")), list(range(1, len(errors) + 1)), errors)]
