"""The histograms of the gradients, in so few rows that they cost next to nothing on the disk."""

from __future__ import annotations

import numpy as np

from gradtui.probe.histograms import GradientSizes
from gradtui.runs.histograms import TABLE, columns_of, to_row
from gradtui.runs.meta import TableMeta
from gradtui.training.rows import TakesRows
from gradtui.training.session import Session

EVERY = 128
"""Steps between two rows of a long run. A row is 32 times as long as one of `grad_norm`, which has one at
every step: so the histograms take a quarter of what that takes."""
ROWS = 25
"""Of a run too short for that, over the planned steps."""
GROWTH = 4
"""At the beginning, rows are as far apart as the steps so far over this: slow trainings have a picture soon."""


def gap_after(step: int, planned: int) -> int:
    """How many steps after one whose histograms were recorded the next shall be."""
    return max(1, min(EVERY, planned // ROWS, step // GROWTH))


class Histograms:
    """Records the sizes of all layers' gradients at some of the steps that are looked at."""

    def __init__(self, session: Session, writer: TakesRows) -> None:
        self._sizes = GradientSizes(session.flat)
        self._writer = writer
        self._planned = session.exp.run.steps
        self._last = 0
        """The last step recorded. Who takes up a run begins with a row."""
        self._row: np.ndarray | None = None

    def look(self, step: int, *, asked: bool) -> None:
        """After the gradients of a step are measured, and before they are clipped: count them where that is
        due or `asked` for."""
        if asked or not self._last or step - self._last >= gap_after(self._last, self._planned):
            self._row = to_row(self._sizes.count())

    def write(self, step: int, moment: float) -> None:
        """Write what was counted of that step, if anything was."""
        if self._row is not None:
            self._writer.append(TABLE, step, self._row, moment)
            self._row, self._last = None, step


def histogram_table(layers: tuple[str, ...]) -> dict[str, TableMeta]:
    """The table, as it stands in run.json."""
    return {TABLE: TableMeta(columns=columns_of(layers), kind="histograms")}
