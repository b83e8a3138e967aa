"""The picture of the net: its groups as blocks, one of them opened, and what is known before a step is taken."""

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

PATIENCE = 0.15
"""Seconds without another edit after which theory is asked: it imports numpy, and takes 20 ms for 1,000 layers."""


class NetPane(VerticalScroll, can_focus=True):
    """Draws the net of an experiment; posts which group the person chooses, and which they wish to edit."""

    ALLOW_MAXIMIZE = True
    HELP = (
        "## Picture of the net\n\nThe groups from input to output, and one block of the chosen group from within: "
        "what the signal goes through, and what goes around it.\n\n"
        "`↑ ↓` choose a group · `⏎` change its fields · `PgUp PgDn` scroll"
    )
    BINDINGS = [
        Binding("up,k", "choose(-1)", "group before", show=False),
        Binding("down,j", "choose(1)", "next group", show=False),
        Binding(
            "enter",
            "edit",
            "edit group",
            key_display="⏎",
            tooltip="Change every field of the group.",
            id="blocks.edit",
        ),
        Binding("home,g", "choose(-1000)", "first group", show=False),
        Binding("end,G", "choose(1000)", "last group", show=False),
    ]
    DEFAULT_CSS = """
    NetPane { padding: 0 0 0 1; scrollbar-size-vertical: 1; scrollbar-gutter: stable; }
    """

    experiment: reactive[Experiment | None] = reactive(None)
    """What is drawn."""
    before: reactive[Experiment | None] = reactive(None)
    """What was trained last; None if nothing yet."""
    chosen: reactive[int] = reactive(0)
    """The group that is opened, from 0."""

    @dataclass
    class Chosen(Message):
        """The person chose a group."""

        index: int

    @dataclass
    class Edit(Message):
        """The person wishes to change the fields of a group."""

        index: int

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._sheet = NetDrawing()
        self._theory: tuple[Experiment, str] | None = None
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        """One sheet."""
        yield self._sheet

    def on_mount(self) -> None:
        """The frame's title."""
        self.border_title = "The net"

    def validate_chosen(self, chosen: int) -> int:
        """A group that is there."""
        last = 0 if self.experiment is None else len(self.experiment.net) - 1
        return max(0, min(chosen, last))

    def watch_experiment(self, experiment: Experiment | None) -> None:
        """Draw another net."""
        self.chosen = self.validate_chosen(self.chosen)
        self._sheet.show(experiment, self.before, self.chosen)
        self._ask_theory()

    def watch_before(self, before: Experiment | None) -> None:
        """Compare with another run."""
        self._sheet.show(self.experiment, before, self.chosen)

    def watch_chosen(self, chosen: int) -> None:
        """Open another group, and have it in view."""
        self._sheet.show(self.experiment, self.before, chosen)
        self.call_after_refresh(self._in_view)

    def _in_view(self) -> None:
        rows = self._sheet.rows_of(self.chosen)
        if rows is not None:
            # With a line above and below it, where the wires are.
            region = Region(0, rows.start - 1, 1, len(rows) + 2)
            self.scroll_to_region(region, animate=False, force=True, top=region.height > self.size.height)

    def action_choose(self, by: int) -> None:
        """Another group."""
        was, self.chosen = self.chosen, self.validate_chosen(self.chosen + by)
        if self.chosen != was:
            self.post_message(self.Chosen(self.chosen))

    def action_edit(self) -> None:
        """Wish to change the chosen group."""
        if self.experiment is not None:
            self.post_message(self.Edit(self.chosen))

    def on_click(self, event: events.Click) -> None:
        """A click chooses a group, twice edits it."""
        offset = event.get_content_offset(self._sheet)
        index = None if offset is None else self._sheet.group_at(offset.y)
        if index is None:
            return
        self.action_choose(index - self.chosen)
        if event.chain == 2:
            self.action_edit()

    # -- theory

    def on_show(self) -> None:
        """Seen for the first time, or again."""
        self._ask_theory()

    def _ask_theory(self) -> None:
        """Once the frame is painted and no further edit comes; not while nobody sees it."""
        if not self.is_attached or not self.size or self.experiment is None:
            return
        if self._theory is not None and self._theory[0] == self.experiment:
            self._sheet.theory = self._theory[1]
            return
        self._sheet.theory = ""
        self.call_after_refresh(self._wait)

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(PATIENCE, self._predict)

    def _predict(self) -> None:
        if self.experiment is not None:
            self._think(self.experiment)

    @work(thread=True, exclusive=True, exit_on_error=False, group="theory")
    def _think(self, experiment: Experiment) -> None:
        from gradtui.diagnosis import predict

        worker = get_current_worker()
        prediction = predict(experiment)
        if not worker.is_cancelled:
            self.post_message(self._Predicted(experiment, prediction))

    @dataclass
    class _Predicted(Message):
        experiment: Experiment
        prediction: Prediction

    def on_net_pane__predicted(self, event: _Predicted) -> None:
        """An answer to a question that may be out of date by now."""
        event.stop()
        self._theory = event.experiment, expectation(event.prediction)
        if event.experiment == self.experiment:
            self._sheet.theory = self._theory[1]


class NetDrawing(Widget):
    """The drawing and what is said beneath it, for whatever width there is."""

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

    def show(self, experiment: Experiment | None, before: Experiment | None, chosen: int) -> None:
        """Other contents."""
        if experiment is not self._experiment:
            self._outline, self._memory, self._problem = None, None, ""
            try:
                if experiment is not None:
                    self._outline = Outline(experiment)
                    self._memory = memory_of(experiment, self._outline.shape.parameters, self._outline.data)
            except ExperimentError as error:
                # A file that is not there: the fields are right, and the net cannot be drawn.
                self._problem = str(error)
        self._experiment, self._before, self._chosen = experiment, before, chosen
        self._drawn = None
        self.refresh(layout=True)

    def rows_of(self, index: int) -> range | None:
        """Where a group stands."""
        _, groups = self._draw(self.size.width)
        return groups[index] if index < len(groups) else None

    def group_at(self, row: int) -> int | None:
        """The group that stands in a row."""
        _, groups = self._draw(self.size.width)
        return next((index for index, rows in enumerate(groups) if row in rows), None)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as the drawing has."""
        return max(1, len(self._draw(width)[0]))

    def render(self) -> Content:
        """The lines."""
        return Content("\n").join(self._draw(self.size.width)[0])

    def _draw(self, width: int) -> tuple[list[Content], tuple[range, ...]]:
        key = width, self.theory
        if self._drawn is None or self._drawn[0] != key:
            self._drawn = key, *self._lines(width)
        return self._drawn[1], self._drawn[2]

    def _lines(self, width: int) -> tuple[list[Content], tuple[range, ...]]:
        if self._problem:
            return [
                Content.styled(line.plain, "$error") for line in Content(self._problem).wrap(max(1, width))
            ], ()
        if self._experiment is None or self._outline is None or self._memory is None:
            return [], ()
        picture = draw(self._outline, self._chosen, width)
        lines = [*picture.lines, Content(""), figures(self._outline, self._memory, width)]
        theory = Content.styled(self.theory or "theory: …", "$secondary")
        lines += [*theory.wrap(max(1, width - 1)), Content("")]
        return lines + differences(self._before, self._experiment, width), picture.groups
