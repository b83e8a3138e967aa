"""Loss or accuracy of several runs over each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gradtui.ui.compare.entry import Entry, newest_of
from gradtui.ui.panes.curves import CurvePane

if TYPE_CHECKING:
    from gradtui.ui.charts.plot import Series

PARTS = ("batch", "train", "test")
"""What of a run is drawn: its batches, or what was evaluated of the training or the test set."""

EXPLODED = frozenset({"exploding", "nonfinite"})


class OverlaidCurves(CurvePane):
    """One curve a run, its letter at its end."""

    HELP = (
        "## Loss and accuracy of all runs\n\nThe letter at the end of a curve says whose it is. `e` draws the batches "
        "that were trained on, or what was **evaluated** on the training or the test set. `y` a logarithmic axis; of "
        "the accuracy it shows the error. `v` smooths. `← →` move through **time** in all charts; a run that had ended "
        "by then shows its last step. Where a run explodes, it leaves a linear axis to the others."
    )

    part = PARTS[0]
    """What of each run is drawn."""

    async def overlay(self, entries: Sequence[Entry], part: str, at: int | None) -> None:
        """Show what all of them have by now; at: the step that is looked at."""
        series = [one for entry in entries if (one := curve(entry, self.what, part)) is not None]
        plot = await self.plot()
        self._newest, self._first = newest_of(entries), 1
        plot.travels, plot.cursor = True, at
        ends = [entry.watching.snapshot.steps for entry in entries if entry.watching.snapshot is not None]
        plot.update(series, x_end=max(ends, default=0) or None)
        self.part = part
        self._entitle()

    def point_at(self, step: int | None) -> None:
        """The cursor at a step, before the runs were read for it."""
        for plot in self._plots():
            plot.cursor = step

    def step_beside(self, step: int, columns: int) -> int:
        """The step so many columns to the right (left) of another."""
        return next((plot.step_beside(step, columns) for plot in self._plots()), step)

    def _entitle(self) -> None:
        super()._entitle()
        said = {"batch": "of each batch", "train": "on the training set", "test": "on the test set"}[
            self.part
        ]
        head, *rest = self.heading.split(" · ")
        self.heading = " · ".join([f"{head} {said}", *rest])

    def _tell(self) -> None:
        """Nothing besides: what happened to each of many runs would be a forest of signs."""


def curve(entry: Entry, what: str, part: str) -> Series | None:
    """What is drawn of a run; None where it has nothing of the kind."""
    from gradtui.ui.charts.plot import Series

    snapshot = entry.watching.snapshot
    if snapshot is None:
        return None
    guest = not EXPLODED.isdisjoint(entry.codes)
    if part == "batch":
        batch = snapshot.curves.get(what)
        if batch is None or not len(batch):
            return None
        return Series("", batch.step, batch.mean, guest=guest, sign=entry.letter)
    key = f"{part}_{what}"
    known = [event for event in snapshot.evaluations if event.get(key) is not None]
    if not known:
        return None
    values = [event[key] for event in known]
    return Series("", [event["step"] for event in known], values, noisy=False, guest=guest, sign=entry.letter)
