"""Keep the state of the list of runs without a widget: its columns, filter, order, cursor and marks."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from textual.content import Content

from gradtui import words
from gradtui.runs.filter import Filter
from gradtui.runs.library import BINS
from gradtui.runs.run_groups import RunGroup, StudyRow, grouped, study_rows
from gradtui.runs.run_info import RunInfo
from gradtui.ui.widgets.status_bar import STATE_MARKS
from gradtui.ui.widgets.table_columns import Column, in_order

NEWEST_FIRST = "started"
"""The column that is sorted with the largest values first."""


class RunList:
    """A RunList filters and sorts runs; its cursor and marks stay with their runs."""

    def __init__(self) -> None:
        self.columns = {column.key: column for column in columns(self._name)}
        self.runs: Sequence[RunInfo] = ()
        """All runs."""
        self.rows: Sequence[RunInfo] = ()
        """The runs that fit the filter, sorted."""
        self.filter = Filter()
        self.by, self.descending = NEWEST_FIRST, True
        self.at = 0
        """The index of the row under the cursor."""
        self.marked: set[Path] = set()
        self.names: dict[Path, str] = {}
        """The names of the runs, with a number where several have the same."""
        self.studies: Mapping[Path, str] = {}
        """The study of each run that belongs to one."""
        self.opened: set[str] = set()
        """The studies whose runs are shown beneath their row."""
        self.fitting = 0
        """The number of runs that fit the filter, also those in a row of several."""
        self._cursor_run: tuple[Path, bool] | None = None
        """The run under the cursor, and whether it stands for its study."""

    def _name(self, info: RunInfo) -> str:
        if isinstance(info, RunGroup | StudyRow):
            return info.title
        name = self.names.get(info.run, info.name)
        # Beneath the row of its study, a run needs no other name than its own.
        beneath = self.studies.get(info.run) in self.opened and not self.filter.tests
        return f"  {name.partition(': ')[2] or name}" if beneath else name

    @property
    def here(self) -> RunInfo | None:
        """Return the run under the cursor."""
        return self.rows[self.at] if self.rows else None

    @property
    def chosen(self) -> list[RunInfo]:
        """Return the marked runs, also hidden ones; if there are none, the run or the group under the cursor."""
        marked = [run for run in self.runs if run.run in self.marked]
        return marked or ([] if self.here is None else members_of(self.here))

    @property
    def chosen_rows(self) -> list[RunInfo]:
        """Return the marked runs and groups, also hidden ones; if there are none, what is under the cursor."""
        marked = [row for row in grouped(self.runs, self.runs) if self._is_marked(row)]
        if not marked and isinstance(self.here, StudyRow):
            return members_of(self.here)
        return marked or ([] if self.here is None else [self.here])

    def _is_marked(self, row: RunInfo) -> bool:
        return self.marked.issuperset(run.run for run in members_of(row))

    @property
    def marked_count(self) -> int:
        """Return how many runs are marked; a deleted run keeps its mark for the case that it is restored."""
        return sum(run.run in self.marked for run in self.runs)

    @property
    def marked_rows(self) -> set[int]:
        """Return the indices of the rows with marked runs."""
        return {at for at, row in enumerate(self.rows) if self._is_marked(row)}

    def take(self, runs: Sequence[RunInfo]) -> None:
        """Take over a new reading of the folder."""
        self.runs = runs
        self.names.clear()
        self.names.update(numbered(runs))
        self.sift()

    def sift(self, chosen: Filter | None = None) -> None:
        """Filter and sort; if the run under the cursor is no longer shown, the cursor stays in its row."""
        self.filter = self.filter if chosen is None else chosen
        fitting = [run for run in self.runs if self.filter.matches(run)]
        self.fitting = len(fitting)
        self.rows = self._ordered(grouped(fitting, self.runs))
        if not self.filter.tests:
            # A search is for the runs themselves.
            rows, members = study_rows(self.rows, self.studies, self.opened)
            self.rows = [
                shown
                for row in self._ordered(rows)
                for shown in (row, *(self._ordered(members[row.name]) if is_opened(row) else ()))
            ]
        places = {(run.run, isinstance(run, StudyRow)): at for at, run in enumerate(self.rows)}
        at = places.get(self._cursor_run, self.at) if self._cursor_run is not None else self.at
        self.choose(at, stay=self._cursor_run in places or self._cursor_run is None)

    def choose(self, at: int, *, stay: bool = True) -> None:
        """Move the cursor to a row. stay: whether it stays with the run of that row from now on."""
        self.at = max(0, min(at, len(self.rows) - 1))
        if stay and self.here is not None:
            self._cursor_run = self.here.run, isinstance(self.here, StudyRow)

    def _ordered(self, rows: Sequence[RunInfo]) -> Sequence[RunInfo]:
        return in_order(rows, self.columns[self.by], descending=self.descending)

    def open_study(self, row: StudyRow) -> None:
        """Show the runs of a study beneath its row, or hide them again."""
        self.opened ^= {row.name}
        self.sift()

    def sort(self, by: str, descending: bool | None = None) -> None:
        """Sort by a column; None is the usual direction of that column."""
        self.by, self.descending = by, by == NEWEST_FIRST if descending is None else descending
        self.sift()

    def sort_beside(self, columns: int) -> None:
        """Sort by the column this many to the right, or to the left if negative."""
        keys = list(self.columns)
        self.sort(keys[(keys.index(self.by) + columns) % len(keys)])

    def mark(self) -> None:
        """Mark or unmark the run under the cursor, and go to the next."""
        if self.here is not None:
            runs = {run.run for run in members_of(self.here)}
            self.marked = self.marked - runs if runs <= self.marked else self.marked | runs
            self.choose(self.at + 1)

    def mark_all(self) -> None:
        """Mark all runs that are shown; if all are marked, unmark them."""
        shown = {run.run for row in self.rows for run in members_of(row)}
        self.marked = self.marked - shown if shown <= self.marked else self.marked | shown


def members_of(row: RunInfo) -> list[RunInfo]:
    """Return the runs that a row stands for."""
    return list(row.members) if isinstance(row, RunGroup | StudyRow) else [row]


def is_opened(row: RunInfo) -> bool:
    """Return whether a row is a study whose runs follow it."""
    return isinstance(row, StudyRow) and row.opened


def numbered(runs: Sequence[RunInfo]) -> dict[Path, str]:
    """Return the name of each run; from the second of a name on, the older ones first, with its number."""
    counts: Counter[str] = Counter()
    names = {}
    for info in sorted(runs, key=lambda info: (info.started, info.id)):
        counts[info.name] += 1
        names[info.run] = info.name if counts[info.name] == 1 else f"{info.name} #{counts[info.name]}"
    return names


def columns(name: Callable[[RunInfo], str]) -> tuple[Column[RunInfo], ...]:
    """Return the columns of the list from left to right. name: returns what a run is called in the list."""
    return (
        Column("state", "state", _state, 10, rank=1, value=lambda info: info.status.state),
        Column("name", "name", lambda info: words.printable(name(info)), 23, 80, rank=0,
               value=lambda info: info.name.lower(), beside="tags", middle=True),
        Column("gradient", "gradient in▸out", _gradient, BINS, rank=6, value=_drop),
        Column("findings", "findings", _findings, 15, 24, rank=2, value=_codes),
        Column("depth", "depth", _depth, 5, rank=4, right=True, value=lambda info: info.summary.depth or None),
        Column("step", "step", lambda info: f"{info.steps:,}", 7, rank=7, right=True, value=lambda info: info.steps),
        _figure("train", 6, 8, words.percent, lambda info: info.summary.train),
        _figure("test", 6, 5, words.percent, lambda info: info.summary.test),
        _figure("loss", 8, 9, words.number, lambda info: info.summary.loss),
        _figure("seconds", 8, 10, words.duration, lambda info: info.summary.seconds, title="took"),
        Column("started", "started", _started, 10, rank=3, right=True, value=lambda info: info.started or None),
        Column("tags", "tags", _tags, 12, 16, rank=11, value=lambda info: info.label.tags or None),
    )  # fmt: skip


def _figure(
    key: str,
    width: int,
    rank: int,
    form: Callable[[float | None], str],
    get: Callable[[RunInfo], float | None],
    title: str = "",
) -> Column[RunInfo]:
    return Column(key, title or key, lambda info: form(get(info)), width, rank=rank, right=True, value=get)


def _state(info: RunInfo) -> Content:
    if isinstance(info, StudyRow) and not info.status.live:
        return Content.styled("study", "$secondary")
    mark, colour = STATE_MARKS[info.status.state]
    return Content.styled(f"{mark} {info.status.state}", colour)


def _tags(info: RunInfo) -> Content:
    return Content.styled(" ".join(f"#{tag}" for tag in info.label.tags), "$primary")


def _gradient(info: RunInfo) -> Content:
    return Content.styled(
        words.blocks(info.summary.profile),
        "$error" if info.summary.judgement.state == "problem" else "$primary",
    )


def _drop(info: RunInfo) -> float | None:
    """Return how many decades the gradient grows from the output to the input."""
    profile = info.summary.profile
    return profile[0] - profile[-1] if len(profile) > 1 else None


def _codes(info: RunInfo) -> tuple[int, tuple[str, ...]] | None:
    codes = info.summary.findings
    return (len(codes), codes) if codes else None


def _findings(info: RunInfo) -> Content:
    judgement = info.summary.judgement
    if isinstance(info, RunGroup) and info.diverged:
        # The column is as wide as this; the line beneath the list says it in words.
        return Content.styled(info.diverged.replace(" of ", "/"), "$error")
    if isinstance(info, StudyRow):
        found = info.with_problems
        return Content.styled(f"✖ {found} of {len(info.members)}" if found else "", "$error")
    if not info.steps:
        return Content("")
    mark, colour = judgement.mark
    quiet = judgement.state == "checking"
    return Content.styled(f"{mark} {words.printable(judgement.words)}", "$secondary" if quiet else colour)


def _depth(info: RunInfo) -> str:
    return f"{info.summary.depth:,}" if info.summary.depth else "–"


def _started(info: RunInfo) -> Content:
    return Content.styled(words.ago(time.time() - info.started) if info.started else "–", "$secondary")
