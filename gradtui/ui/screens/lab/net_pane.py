"""Draw the net: its groups as blocks, one of them opened, and the prediction of theory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import events, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.timer import Timer
from textual.widget import Widget
from textual.worker import get_current_worker

from gradtui.experiment import Experiment, ExperimentError
from gradtui.experiment.memory import Memory, memory_of
from gradtui.ui.drawing.net import draw
from gradtui.ui.drawing.notes import differences, expectation, figures
from gradtui.ui.drawing.outline import Outline

if TYPE_CHECKING:
    from gradtui.diagnosis import Prediction

THEORY_DELAY = 0.15
"""The seconds without an edit before theory is computed: it imports numpy, and takes 20 ms for 1,000 layers."""


class NetPane(VerticalScroll, can_focus=True):
    """The NetPane draws the net of an experiment, and posts which group is chosen and which is to be edited."""

    ALLOW_MAXIMIZE = True
    HELP = (
        "## Picture of the net\n\n"
        "The groups from input to output, and the inside of one block of the chosen group: what the signal passes "
        "through, and what goes around it."
    )
    BINDINGS = [
        Binding("up,k", "choose(-1)", "previous group", show=False),
        Binding("down,j", "choose(1)", "next group", show=False),
        Binding(
            "enter",
            "edit",
            "edit group",
            key_display="⏎",
            tooltip="Change the fields of the group.",
            id="blocks.edit",
        ),
        Binding("home,g", "choose(-1000)", "first group", show=False),
        Binding("end,G", "choose(1000)", "last group", show=False),
    ]
    DEFAULT_CSS = """
    NetPane { padding: 0 0 0 1; scrollbar-size-vertical: 1; scrollbar-gutter: stable; }
    """

    experiment: reactive[Experiment | None] = reactive(None)
    """The experiment whose net is drawn."""
    before: reactive[Experiment | None] = reactive(None)
    """The experiment that was trained last; None before the first."""
    chosen: reactive[int] = reactive(0)
    """The index of the opened group."""

    @dataclass
    class Chosen(Message):
        """A group was chosen."""

        index: int

    @dataclass
    class Edit(Message):
        """Request to edit the fields of a group."""

        index: int

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._drawing = NetDrawing()
        self._theory: tuple[Experiment, str] | None = None
        self._timer: Timer | None = None
        self.needed = True
        """Whether theory is computed even if this pane is hidden: before there is a run, another pane draws it."""

    def compose(self) -> ComposeResult:
        """Yield the drawing."""
        yield self._drawing

    def on_mount(self) -> None:
        """Write the title of the frame."""
        self.border_title = "The net"

    def validate_chosen(self, chosen: int) -> int:
        """Return the nearest group that exists."""
        last = 0 if self.experiment is None else len(self.experiment.net) - 1
        return max(0, min(chosen, last))

    def watch_experiment(self, experiment: Experiment | None) -> None:
        """Draw another net."""
        self.chosen = self.validate_chosen(self.chosen)
        self._drawing.show(experiment, self.before, self.chosen)
        self._ask_theory()

    def watch_before(self, before: Experiment | None) -> None:
        """Show how the net differs from another one that was trained."""
        self._drawing.show(self.experiment, before, self.chosen)

    def watch_chosen(self, chosen: int) -> None:
        """Open another group, and bring it into view."""
        self._drawing.show(self.experiment, self.before, chosen)
        self.call_after_refresh(self._bring_into_view)

    def _bring_into_view(self) -> None:
        rows = self._drawing.rows_of(self.chosen)
        if rows is not None:
            # The region includes a line above and below the group, where the wires are.
            region = Region(0, rows.start - 1, 1, len(rows) + 2)
            self.scroll_to_region(region, animate=False, force=True, top=region.height > self.size.height)

    def action_choose(self, by: int) -> None:
        """Choose the group this many places further down, or up if negative."""
        was, self.chosen = self.chosen, self.validate_chosen(self.chosen + by)
        if self.chosen != was:
            self.post_message(self.Chosen(self.chosen))

    def action_edit(self) -> None:
        """Request to edit the chosen group."""
        if self.experiment is not None:
            self.post_message(self.Edit(self.chosen))

    def on_click(self, event: events.Click) -> None:
        """Choose the clicked group; edit it after a double click."""
        offset = event.get_content_offset(self._drawing)
        index = None if offset is None else self._drawing.group_at(offset.y)
        if index is None:
            return
        self.action_choose(index - self.chosen)
        if event.chain == 2:
            self.action_edit()

    # -- theory

    def on_show(self) -> None:
        """Compute theory when the drawing becomes visible."""
        self._ask_theory()

    def _ask_theory(self) -> None:
        """Compute theory once the frame is painted and no further edit comes, but not while the pane is hidden."""
        wanted = bool(self.size) or self.needed
        if not self.is_attached or not wanted or self.experiment is None:
            return
        if self._theory is not None and self._theory[0] == self.experiment:
            self._drawing.theory = self._theory[1]
            return
        self._drawing.theory = ""
        self.call_after_refresh(self._schedule_theory)

    def _schedule_theory(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(THEORY_DELAY, self._predict)

    def _predict(self) -> None:
        if self.experiment is not None:
            self._compute_theory(self.experiment)

    @work(thread=True, exclusive=True, exit_on_error=False, group="theory")
    def _compute_theory(self, experiment: Experiment) -> None:
        from gradtui.diagnosis import predict

        worker = get_current_worker()
        prediction = predict(experiment)
        if not worker.is_cancelled:
            self.post_message(self.Predicted(experiment, prediction))

    @dataclass
    class Predicted(Message):
        """Theory was computed for an experiment; the message also goes to the screen."""

        experiment: Experiment
        prediction: Prediction

    def on_net_pane_predicted(self, event: Predicted) -> None:
        """Show a prediction, unless the experiment has changed meanwhile."""
        self._theory = event.experiment, expectation(event.prediction)
        if event.experiment == self.experiment:
            self._drawing.theory = self._theory[1]


class NetDrawing(Widget):
    """A NetDrawing shows the drawing of a net with its figures, its theory and its changes, for any width."""

    DEFAULT_CSS = """
    NetDrawing { height: auto; text-wrap: nowrap; text-overflow: clip; }
    """

    theory: reactive[str] = reactive("", layout=True)

    def __init__(self) -> None:
        super().__init__()
        self._experiment: Experiment | None = None
        self._before: Experiment | None = None
        self._chosen = 0
        self._outline: Outline | None = None
        self._memory: Memory | None = None
        self._problem = ""
        self._drawn: tuple[object, list[Content], tuple[range, ...]] | None = None
        self._visible = False

    def show(self, experiment: Experiment | None, before: Experiment | None, chosen: int) -> None:
        """Draw an experiment with its changes since `before`, and one group opened; while hidden, only once shown."""
        if experiment is not self._experiment:
            self._outline = self._memory = None
            self._problem = ""
        self._experiment, self._before, self._chosen = experiment, before, chosen
        rows = None if self._drawn is None else len(self._drawn[1])
        self._drawn = None
        if self._visible:
            # A layout of the whole screen takes longer than the drawing, so it is made only for another height.
            self.refresh(layout=len(self._draw(self.size.width)[0]) != rows)

    def on_show(self) -> None:
        """Draw what has changed while it was hidden."""
        self._visible = True
        if self._drawn is None:
            self.refresh(layout=True)

    def on_hide(self) -> None:
        """Draw nothing until it is shown again."""
        self._visible = False

    def rows_of(self, index: int) -> range | None:
        """Return the rows of a group, or None if there is no such group."""
        _, groups = self._draw(self.size.width)
        return groups[index] if index < len(groups) else None

    def group_at(self, row: int) -> int | None:
        """Return the index of the group that is drawn in a row, or None."""
        _, groups = self._draw(self.size.width)
        return next((index for index, rows in enumerate(groups) if row in rows), None)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the number of lines of the drawing."""
        return max(1, len(self._draw(width)[0]))

    def render(self) -> Content:
        """Return the lines of the drawing."""
        return Content("\n").join(self._draw(self.size.width)[0])

    def _draw(self, width: int) -> tuple[list[Content], tuple[range, ...]]:
        key = width, self.theory
        if self._drawn is None or self._drawn[0] != key:
            self._drawn = key, *self._lines(width)
        return self._drawn[1], self._drawn[2]

    def _plan(self) -> None:
        """Work out what is drawn of the experiment."""
        if self._experiment is None or self._outline is not None or self._problem:
            return
        try:
            self._outline = Outline(self._experiment)
            self._memory = memory_of(
                self._experiment, self._outline.shape.parameters, self._outline.plan.data
            )
        except ExperimentError as error:
            # If a file of data does not exist, the fields are valid but the net cannot be drawn.
            self._outline, self._problem = None, str(error)

    def _lines(self, width: int) -> tuple[list[Content], tuple[range, ...]]:
        self._plan()
        if self._problem:
            return [
                Content.styled(line.plain, "$error") for line in Content(self._problem).wrap(max(1, width))
            ], ()
        if self._experiment is None or self._outline is None or self._memory is None:
            return [], ()
        picture = draw(self._outline, self._chosen, width)
        lines = [*picture.lines, Content(""), figures(self._outline, self._memory, width)]
        theory = Content.styled(self.theory or "Theory: …", "$secondary")
        lines += [*theory.wrap(max(1, width - 1)), Content("")]
        return lines + differences(self._before, self._experiment, width), picture.groups
