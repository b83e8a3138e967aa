"""The sheet on which the net is drawn, with what is said beneath."""

from __future__ import annotations

from textual.content import Content
from textual.geometry import Size
from textual.reactive import reactive
from textual.widget import Widget

from gradtui.experiment import Experiment, ExperimentError
from gradtui.experiment.memory import Memory, memory_of
from gradtui.ui.drawing.net import draw
from gradtui.ui.drawing.notes import differences, figures
from gradtui.ui.drawing.outline import Outline


class BlockSheet(Widget):
    """The drawing and what is said beneath it, for whatever width there is."""

    DEFAULT_CSS = """
    BlockSheet { height: auto; text-wrap: nowrap; text-overflow: clip; }
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
