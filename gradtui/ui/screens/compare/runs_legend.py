"""Show the compared runs under their letters, and the first line that names them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.cells import get_character_cell_size

from gradtui.absent import absent_in
from gradtui.charts.cells import Cells
from gradtui.charts.palette import AXIS, RUN, RUNS, TEXT, Palette
from gradtui.runs.run_groups import diverged_of
from gradtui.ui.followed_run import FollowedRun
from gradtui.ui.widgets.cell_chart import CellChart
from gradtui.ui.widgets.status_bar import STATE_MARKS

LETTERS = "ABCDEFGH"
"""The letters that name runs in charts, also without colours; each letter has its own colour."""


@dataclass(frozen=True)
class ComparedRun:
    """A ComparedRun is a followed run with its letter, or a group of runs that is drawn as one."""

    letter: str
    followed: FollowedRun
    """The run; of a group its first, for what is not drawn of all."""
    group: str = ""
    """The name of the group; empty for one run."""
    others: tuple[FollowedRun, ...] = ()
    """The other runs of the group."""

    @property
    def runs(self) -> tuple[FollowedRun, ...]:
        """Return all runs that it stands for."""
        return (self.followed, *self.others)

    @property
    def counted(self) -> tuple[FollowedRun, ...]:
        """Return the runs that are drawn: of a group those that have not diverged, over which means are taken."""
        return tuple(run for run in self.runs if not (self.group and _has_diverged(run)))

    @property
    def diverged(self) -> str:
        """Return in words how many runs of a group have diverged; "" if none has."""
        return diverged_of(len(self.runs) - len(self.counted), len(self.runs))

    @property
    def title(self) -> str:
        """Return the name of the run, or of the group with the number of its runs."""
        return f"{self.group} ×{len(self.runs)}" if self.group else self.followed.title

    @property
    def newest(self) -> int:
        """Return the last recorded step of all its runs; 0 before the first."""
        return max(run.snapshot.step if run.snapshot is not None else 0 for run in self.runs)

    @property
    def codes(self) -> tuple[str, ...]:
        """Return the codes of its findings, without those that are only information."""
        return self.followed.diagnosis.newest_judgement.codes


def _has_diverged(run: FollowedRun) -> bool:
    """Return whether a run has diverged, or its loss has a value that is not finite."""
    if run.state == "diverged":
        return True
    loss = run.snapshot.curves.get("loss") if run.snapshot is not None else None
    return loss is not None and bool((~np.isfinite(loss.mean) & ~absent_in(loss.mean)).any())


def newest_of(entries: Sequence[ComparedRun]) -> int:
    """Return the last step that any of the runs has recorded."""
    return max((entry.newest for entry in entries), default=0)


Part = tuple[str, str, str]
"""Letter, name and state of a run."""


class RunsLegend(CellChart):
    """The RunsLegend is the first line: the letter, name and state of each run, shortened to what fits."""

    DEFAULT_CSS = """
    RunsLegend { height: 1; padding: 0 1; background: $panel; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._parts: tuple[Part, ...] = ()

    def update(self, entries: Sequence[ComparedRun]) -> None:
        """Show the state of the runs."""
        parts = tuple((entry.letter, one_wide(entry.title), _state(entry)) for entry in entries)
        if parts != self._parts:
            self._parts = parts
            self.repaint()

    def stale(self) -> object:
        """Return the values from which the line was drawn; another value means that it must be drawn again."""
        return self._parts

    def draw(self, height: int, width: int, palette: Palette) -> Cells:
        """Return the letter, name and state of each run, as far as they fit."""
        cells = Cells(height, width)
        if not self._parts:
            return cells
        each = width // len(self._parts)
        longest = max(len(name) + len(state) for _, name, state in self._parts) + 7
        for index, (letter, name, state) in enumerate(self._parts):
            start = index * min(each, longest)
            ink = RUN + LETTERS.index(letter) % RUNS
            # Without colours, and in ASCII, the letters themselves are the curve.
            line = palette.glyphs.line if palette.depth != "none" and not palette.ascii else ""
            cells.write(0, start, f"{letter} {line}", ink)
            room = each - 5
            if len(name) + len(state) + 1 > room:
                state = state[:1]
            if len(name) > room - len(state) - 1:
                name = name[: max(0, room - len(state) - 2)] + "…"
            cells.write(0, start + 4, name, TEXT)
            cells.write(0, start + 5 + len(name), state, AXIS)
        return cells


def _state(entry: ComparedRun) -> str:
    if entry.diverged:
        return f"{STATE_MARKS['diverged'][0]} {entry.diverged}"
    state, snapshot = entry.followed.state, entry.followed.snapshot
    mark = STATE_MARKS[state][0]
    if entry.followed.live and snapshot is not None:
        of = f"/{snapshot.steps:,}" if snapshot.steps else ""
        return f"{mark} {snapshot.step:,}{of}"
    return f"{mark} {state}"


def one_wide(text: str) -> str:
    """Return a name in which every character takes one cell, as charts need it."""
    return "".join(
        character if character.isprintable() and get_character_cell_size(character) == 1 else "·"
        for character in text
    )
