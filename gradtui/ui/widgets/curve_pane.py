"""The CurvePane draws the loss, the accuracy, the norm of the whole gradient or the learning rate over the steps."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.reactive import reactive

from gradtui.ui.keys import PAGE, ZOOM_TIME_KEYS
from gradtui.ui.settings_store import settings_of, store_of
from gradtui.ui.view import NO_VALUES, StepChanged, TimeZoomed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gradtui.charts.marks import CurveMarks
    from gradtui.runs.follower import Snapshot
    from gradtui.ui.followed_run import FollowedRun
    from gradtui.ui.settings_store import SettingsStore
    from gradtui.ui.widgets.curve_plot import CurvePlot
    from gradtui.ui.widgets.event_marks import EventMarks

TITLES = {"loss": "Loss", "accuracy": "Accuracy", "grad_norm": "Gradient norm", "lr": "Learning rate"}
"""What a pane can draw, with its title."""

SAVED = {"loss": "log_loss", "accuracy": "log_accuracy"}
"""The settings that say whether the axis is logarithmic."""

X_AXIS_KEY = Binding(
    "X",
    "x_axis",
    "x axis",
    show=False,
    tooltip="Choose the horizontal axis: step, time or a logged number, linear or logarithmic.",
    id="curves.axis",
)
"""The key that every screen with curves over the steps has."""

CURVE_KEYS: list[BindingType] = [
    Binding("left,h", "time(-1)", "time", key_display="←→", tooltip="Change the step.", id="curves.earlier"),
    Binding("right,l", "time(1)", "later", show=False, tooltip="Go to a later step.", id="curves.later"),
    Binding("shift+left", f"time(-{PAGE})", "10 steps back", show=False, id="curves.far-back"),
    Binding("shift+right", f"time({PAGE})", "10 steps forward", show=False, id="curves.far-on"),
    Binding("home,circumflex_accent", "first", "first step", show=False, id="curves.first"),
    Binding("end,dollar_sign", "newest", "newest step", show=False, id="curves.newest"),
    Binding("y", "log", "log", tooltip="Switch between a logarithmic and a linear axis.", id="curves.log"),
    Binding("v", "smooth", "smooth", tooltip="Smooth the curve: off, light, strong.", id="curves.smooth"),
    X_AXIS_KEY,
]
"""The keys of the curves of one run and of several."""


class CurvePane(Vertical, can_focus=True):
    """A CurvePane draws the curves of one run; ``what`` is a key of `TITLES`, and `m` changes it.

    The chart is mounted with the first numbers, so that plotext is not imported before.
    """

    HELP = (
        "## Loss, accuracy, gradient norm and learning rate\n\n"
        "`m` shows **another curve** in this pane, such as the norm of the whole gradient or the learning rate.\n\n"
        "**batch** is the value of the batch of each step; **train** and **test** are evaluations on the whole sets. "
        "Where a point stands for many steps, it is their mean, and the mesh behind it is their range. `×` on the "
        "axis means NaN or infinity.\n\n"
        "`y` draws a **logarithmic** axis; for the accuracy it shows the error, 1 − accuracy. A loss that spans more "
        "than three powers of ten is drawn so automatically, and a norm always is.\n\n"
        "`v` **smooths** the batch curve: each point becomes the mean of itself and the steps before it.\n\n"
        "`X` changes the **horizontal axis**: the step, the **time** with all pauses, or a logged number that never "
        "falls.\n\n"
        "Signs **above** the curves are events: `η` the learning rate changed, `Δ` another setting changed, `▁ ▂ ▃ ▄` "
        "few to most of the steps were clipped, `◆` a checkpoint was saved, `‖` paused, `▸` resumed, `«` rolled back "
        "to here, `✖` NaN or a jump, `!` a finding began. If several fall together, the most important is shown; the "
        "cursor names all of them.\n\n"
        "`← →` move through **time**, with shift by ten columns; all charts show that step. A click does the same. "
        "`]` shows a shorter time, `[` a longer one, `0` the whole run."
    )
    BINDINGS = [
        *CURVE_KEYS,
        Binding("m", "curve(1)", "another curve", tooltip="Show another curve here.", id="lab.measure"),
        Binding("M", "curve(-1)", "previous curve", tooltip="Go back.", show=False, id="lab.measure-back"),
        *ZOOM_TIME_KEYS,
        Binding("0", "whole", "whole run", tooltip="Show it again.", show=False, id="gradient.whole"),
    ]
    ALLOW_MAXIMIZE = True
    DEFAULT_CSS = "CurvePane { content-align: center middle; text-align: center; }"

    logarithmic: reactive[bool] = reactive(False, repaint=False)
    """Whether the axis is logarithmic."""
    smoothing: reactive[str] = reactive("off", repaint=False)
    """The degree to which the batch curve is smoothed: off, light or strong."""
    heading: reactive[Content] = reactive(Content(""), repaint=False)
    """The title of the frame: what is drawn, and the names of the curves where the chart is too low for them."""
    caption: reactive[str] = reactive("", repaint=False)
    """The lower line of the frame: events. Writing on the frame paints the whole pane, so only new text is written."""
    note: reactive[str] = reactive("")
    """The text in the middle as long as no chart was mounted; a chart has its own."""
    spans_decades: reactive[bool] = reactive(False, repaint=False)
    """Whether the loss of the run spans so many decades that a linear axis would show a vertical line."""

    def __init__(self, what: str) -> None:
        super().__init__(id=f"{what.replace('_', '-')}-pane", classes="pane")
        self.what = what
        """What is drawn now."""
        self.set_reactive(CurvePane.note, f"{TITLES[what]} appears here\nonce training has started.")
        self._known: tuple[str, ...] = ()
        """What the run has recorded."""
        self._missed: tuple[FollowedRun, FollowedRun | None] | None = None
        """The data that arrived while the pane was hidden."""
        self._asked_linear = False
        """Whether the person wants a linear axis for this run although its loss spans decades."""
        self._pretraining = False
        self._first, self._newest = 1, 0
        self._plot: CurvePlot | None = None
        self._event_marks: EventMarks | None = None
        self._axis_words = ""
        self._choices: Callable[[], list[str]] = list
        """Returns the axes to choose from. Only the key needs them, and not each painting."""
        self._again: Callable[[], Awaitable[None]] | None = None
        """Paints the same data once more."""

    def on_mount(self) -> None:
        """Write the title of the frame."""
        self._write_title()

    def render(self) -> Content:
        """Return the note, which a chart covers."""
        return Content.styled("" if self._plot is not None else self.note, "$secondary")

    def keep_settings(self, store: SettingsStore) -> None:
        """Draw as the person's settings say, and keep what is changed from now on."""

        def keep_axis(logarithmic: bool) -> None:
            # A norm belongs on a logarithmic axis, so a linear one is not saved.
            if self.what in SAVED:
                store.change(**{SAVED[self.what]: logarithmic})

        self.smoothing = store.settings.smoothing
        self._take_axis()
        self.watch(self, "smoothing", lambda value: store.change(smoothing=value), init=False)
        self.watch(self, "logarithmic", keep_axis, init=False)

    def _take_axis(self) -> None:
        """Take the axis that the person chose for what is drawn."""
        settings = settings_of(self.app)
        self.logarithmic = self.what in SAVED and bool(getattr(settings, SAVED[self.what]))

    def clear(self, says: str = NO_VALUES) -> None:
        """Show only a few words, until the next run is read."""
        self._newest, self._axis_words, self.caption, self.note = 0, "", "", says
        self._asked_linear = self.spans_decades = False
        self._missed = self._event_marks = self._again = None
        for plot in self._plots():
            plot.cursor, plot.placeholder = None, says
            plot.update([])

    async def paint(self, followed: FollowedRun, partner: FollowedRun | None = None) -> None:
        """Show the curves of a run's state, the cursor at the step that is shown.

        partner: the run that it is compared with, one more curve.
        """
        snapshot = followed.snapshot
        if not self.display:
            self._missed = followed, partner
            return
        self._missed = None
        if snapshot is None:
            return
        from gradtui.ui import run_curves

        self._again = partial(self.paint, followed, partner)
        pretraining = self.what == "loss" and not snapshot.step
        # Over a stretch of time the data of the view have finer curves than the snapshot of the whole run.
        curves = followed.data.curves if followed.data is not None else snapshot.curves
        self._known = tuple(name for name in TITLES if name in snapshot.curves)
        other = partner.snapshot if partner is not None else None
        whole, others = run_curves.finer(snapshot.curves, curves), None if other is None else other.curves
        self._choices = partial(run_curves.common_choices, whole, others)
        axis, other_axis = run_curves.shared_axes(whole, others, settings_of(self.app).x_axis)
        self._axis_words = axis.words
        series = (
            run_curves.pretraining_curve(snapshot)
            if pretraining
            else run_curves.by_axis(run_curves.curves_of_run(snapshot, curves, self.what), axis)
        )
        if not series:
            if followed.data is not None:
                name = TITLES[self.what].lower()
                self.clear(NO_VALUES if followed.live else f"This run has no {name}.")
            return
        if other is not None and not pretraining:
            series += run_curves.by_axis(run_curves.partner_curve(other, self.what), other_axis)
        plot = await self.plot()
        self._pretraining, self._newest = pretraining, snapshot.step
        if pretraining:
            plot.steps_on_x, plot.cursor, plot.window = False, None, None
            plot.update(series)
        else:
            self._first = int(snapshot.curves[self.what].step[0])
            self.spans_decades = self.what == "loss" and run_curves.spans_decades(snapshot.curves["loss"])
            plot.steps_on_x, plot.cursor, plot.window = True, followed.at, followed.request.window
            x_end = run_curves.end_of_axis([snapshot, *([other] if other is not None else [])])
            plot.update(series, x_end=x_end, marks=self._marks(followed, snapshot))
        self._write_title()
        self._write_caption()

    async def on_show(self) -> None:
        """Draw what came while the pane was hidden."""
        if self._missed is not None:
            await self.paint(*self._missed)

    async def plot(self) -> CurvePlot:
        """Return the chart; it is mounted when there is something to show."""
        from gradtui.ui.widgets.curve_plot import CurvePlot

        if self._plot is None:
            accuracy = self.what == "accuracy"
            self._plot = CurvePlot(
                logarithmic=self.shown_logarithmic,
                smoothing=self.smoothing,
                complement=accuracy,
                y_range=(0.0, 1.0) if accuracy else None,
            )
            await self.mount(self._plot)
        return self._plot

    def _marks(self, followed: FollowedRun, snapshot: Snapshot) -> CurveMarks:
        from gradtui.ui.widgets.event_marks import EventMarks

        if self._event_marks is None:
            self._event_marks = EventMarks()
        return self._event_marks.marks(
            snapshot, [(found.code, found.step) for found in followed.newest_findings or ()]
        )

    @property
    def rest(self) -> float:
        """Return the seconds until the chart may be drawn again."""
        return self._plot.rest if self._plot is not None else 0.0

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether a key does anything now: without values there is at most another curve to show."""
        return bool(self._known if action == "curve" else self._newest or self._pretraining)

    def _plots(self) -> list[CurvePlot]:
        """Return the chart in a list, empty before it is mounted; this imports nothing that a chart needs."""
        return [] if self._plot is None else [self._plot]

    def _title(self) -> list[str]:
        """Return what is drawn, and how."""
        name = TITLES[self.what]
        if self._pretraining:
            name = "Reconstruction error by epoch"
        elif self.logarithmic and self.what == "accuracy":
            name = "Error (1 − accuracy)"
        axis = "" if self._pretraining else self._axis_words
        return [word for word in (name, axis, "log" if self.shown_logarithmic else "") if word]

    def _write_title(self) -> None:
        names = [name for plot in self._plots() for name in plot.names_without_room]
        title = Content(" · ".join(self._title()))
        if self.smoothing != "off":
            # It holds for every run, and may hide the swings of this one.
            title += Content.styled(" · smoothed", "bold $warning")
        self.heading = Content("  ").join([title, *names])

    def watch_heading(self) -> None:
        """Write on the frame what is drawn, and which events."""
        self.border_title, self.border_subtitle = self.heading, Content(self.caption)

    watch_caption = watch_heading

    def _write_caption(self) -> None:
        """Write which events lie at the cursor, or else what the signs mean."""
        for plot in self._plots():
            self.caption = " · ".join(plot.cursor_texts) or "  ".join(" ".join(sign) for sign in plot.signs)

    def on_curve_plot_redrawn(self) -> None:
        """Name the events again, because the columns stand for other steps now, and the curves if there is room."""
        self._write_caption()
        self._write_title()

    @property
    def shown_logarithmic(self) -> bool:
        """Return whether the axis is logarithmic now: by choice, or because the loss spans decades."""
        if self.what == "grad_norm":
            return not self._asked_linear
        return self.logarithmic or (self.spans_decades and not self._asked_linear)

    def watch_logarithmic(self) -> None:
        """Draw on the other axis."""
        for plot in self._plots():
            plot.logarithmic = self.shown_logarithmic
        self._write_title()

    watch_spans_decades = watch_logarithmic

    def watch_smoothing(self, smoothing: str) -> None:
        """Draw with another smoothing."""
        for plot in self._plots():
            plot.smoothing = smoothing
        self._write_title()

    def action_log(self) -> None:
        """Change between a linear and a logarithmic axis."""
        if self.spans_decades or self.what == "grad_norm":
            # This holds for this run only; the saved setting is for ordinary runs.
            self._asked_linear = self.shown_logarithmic
            self.logarithmic = self.logarithmic and not self._asked_linear
            self.watch_logarithmic()
        else:
            self.logarithmic = not self.logarithmic

    def action_smooth(self) -> None:
        """Smooth the batch curve more: off, light, strong, and off again."""
        from gradtui.charts.series import next_level

        self.smoothing = next_level(self.smoothing)

    async def action_curve(self, by: int) -> None:
        """Draw the next curve (-1: the one before) that the run has and no other pane shows."""
        shown = {pane.what for pane in self.screen.query(CurvePane) if pane is not self and pane.display}
        choices = [name for name in TITLES if name in self._known and name not in shown]
        if not choices:
            return
        at = choices.index(self.what) + by if self.what in choices else 0
        self.what = choices[at % len(choices)]
        self._asked_linear = self.spans_decades = False
        for plot in self._plots():
            self._plot = None
            await plot.remove()
        self._take_axis()
        await self.paint_again()

    def action_zoom_time(self, factor: float) -> None:
        """Show a shorter or longer stretch of time."""
        self.post_message(TimeZoomed(factor))

    def action_whole(self) -> None:
        """Show the whole run."""
        self.post_message(TimeZoomed(0.0))

    async def action_x_axis(self) -> None:
        """Draw the curves of this screen over the next axis: step, time or a logged number, linear or logarithmic."""
        from gradtui.ui.run_curves import next_choice

        store = store_of(self.app)
        choices = self._choices()
        if store is None or not choices:
            return
        store.change(x_axis=next_choice(store.settings.x_axis, choices))
        for pane in self.screen.query(CurvePane):
            await pane.paint_again()

    async def paint_again(self) -> None:
        """Draw the same data over the axis that is chosen now."""
        if self._again is not None:
            await self._again()
            for plot in self._plots():
                plot.draw_at_once()

    # -- time

    def action_time(self, columns: int) -> None:
        """Show a step that is later by some columns, or earlier if negative."""
        for plot in self._plots():
            here = self._newest if plot.cursor is None else round(plot.cursor)
            self._go(plot.step_beside(here, columns))

    def action_first(self) -> None:
        """Show the first recorded step."""
        self._go(self._first)

    def action_newest(self) -> None:
        """Show the newest step."""
        self._go(None)

    def _go(self, step: int | None) -> None:
        """Request a step, and put the cursor there at once: the next key counts from it."""
        if not self._newest or self._pretraining:
            return
        step = None if step is None or step >= self._newest else max(self._first, step)
        for plot in self._plots():
            if step is not None or plot.cursor is not None:
                plot.cursor = step
                self.post_message(StepChanged(step))

    @on(StepChanged)
    def _step_changed(self) -> None:
        """Name the events at the step of a clicked column, where the chart has put the cursor."""
        self._write_caption()
