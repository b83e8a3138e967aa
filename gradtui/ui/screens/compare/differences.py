"""Show the figures of several runs, and the fields in which their experiments differ, in a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean, pstdev
from textwrap import wrap
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from gradtui import words
from gradtui.experiment import Experiment, to_dict
from gradtui.experiment.overrides import diff
from gradtui.judgement import MARKS, Judgement
from gradtui.runs.meta import config_of
from gradtui.ui.field_values import show, value_at
from gradtui.ui.screens.compare.runs_legend import ComparedRun

if TYPE_CHECKING:
    from gradtui.diagnosis import Evidence, Finding

MAX_FIELD_WIDTH = 24
"""The most columns of a field's path."""
MOST_LINES = 3
"""The most lines that one value takes."""
ABSENT = "–"


@dataclass(frozen=True)
class Difference:
    """A Difference is one line: a figure or a field, and its value in each run."""

    field: str
    values: tuple[str, ...]
    bad: tuple[bool, ...] = ()
    """The values that are bad."""


class Degradations:
    """A Degradations remembers which of the compared runs are worse than a shallower one: that shows only here."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[Evidence, Evidence, Finding | None]] = {}
        """By the letters of both runs, the evidence that was compared, and what was found."""

    def among(self, entries: Sequence[ComparedRun]) -> dict[str, tuple[str, str]]:
        """Return by the letter of each such run what is found, and the letter of the best shallower run."""
        from gradtui.diagnosis.shallower import degradation_beside

        single = [entry for entry in entries if not entry.group]
        # The one that has learned most comes first.
        single.sort(key=lambda entry: -_accuracy(entry))
        found: dict[str, tuple[str, str]] = {}
        for entry in single:
            for other in single:
                run, shallower = entry.followed.evidence, other.followed.evidence
                if run is None or shallower is None or other is entry or entry.letter in found:
                    continue
                pair = entry.letter, other.letter
                known = self._known.get(pair)
                if known is None or known[0] is not run or known[1] is not shallower:
                    known = self._known[pair] = run, shallower, degradation_beside(run, shallower)
                if (finding := known[2]) is not None:
                    found[entry.letter] = f"{MARKS[finding.severity][0]} {finding.code}", other.letter
        return found


def _accuracy(entry: ComparedRun) -> float:
    outcome = entry.followed.outcome
    return 0.0 if outcome is None or math.isnan(outcome.accuracy) else outcome.accuracy


def outcomes(
    entries: Sequence[ComparedRun], degraded: Mapping[str, tuple[str, str]] = MappingProxyType({})
) -> list[Difference]:
    """Return the findings and figures of each run.

    degraded: what `Degradations.among` returned.
    """
    judgements = [entry.followed.diagnosis.newest_judgement for entry in entries]

    def words_of(entry: ComparedRun, judgement: Judgement) -> str:
        if entry.diverged:
            return f"✖ {entry.diverged}"
        if entry.letter in degraded:
            what, other = degraded[entry.letter]
            return f"{what}: deeper than {other}, and worse"
        return f"{judgement.mark[0]} {judgement.words}"

    found = [
        Difference(
            "found",
            tuple(map(words_of, entries, judgements)),
            tuple(
                bool(entry.diverged) or judgement.state == "problem" or entry.letter in degraded
                for entry, judgement in zip(entries, judgements, strict=True)
            ),
        )
    ]
    figures: dict[str, Callable[[ComparedRun], str]] = {
        "step": lambda entry: f"{entry.newest:,}",
        "mean loss": partial(_figure, name="loss", form=words.number),
        "train": partial(_figure, name="accuracy", form=words.percent),
        "test": partial(_figure, name="test_accuracy", form=words.percent),
        "step time": partial(_figure, name="seconds", form=words.step_time),
        "input ÷ output": partial(_figure, name="drop", form=words.ratio),
    }
    return found + [Difference(name, tuple(map(figure, entries))) for name, figure in figures.items()]


def _figure(entry: ComparedRun, name: str, form: Callable[[float], str]) -> str:
    if entry.group:
        of_all = [getattr(run.outcome, name) for run in entry.counted if run.outcome is not None]
        finite = [number for number in of_all if math.isfinite(number)]
        if not finite:
            return ABSENT
        mean, deviation = fmean(finite), pstdev(finite)
        if name == "drop":
            # The deviation of a logarithm is a factor, up and down.
            return f"{form(mean)} ×÷ {form(deviation)}"
        return words.with_deviation(mean, deviation, form)
    outcome = entry.followed.outcome
    value: float = math.nan if outcome is None else getattr(outcome, name)
    # A loss of NaN is shown; for other figures, NaN means that there is none.
    known = outcome is not None and (name == "loss" or not math.isnan(value))
    return form(value) if known else ABSENT


def differing(experiments: Sequence[Experiment | None]) -> list[Difference]:
    """Return the fields in which the experiments differ, in the order of the file; None is a watched script.

    If the nets have different numbers of groups, each group is one line, in words.
    """
    known = [experiment for experiment in experiments if experiment is not None]
    paths: dict[str, None] = {}
    for other in known[1:]:
        paths.update(dict.fromkeys(diff(known[0], other)))
    for shown_above in ("name", "description"):
        paths.pop(shown_above, None)
    if "net" in paths:
        paths = {path: None for path in paths if path.partition(".")[0] != "net"}
        most = max(len(experiment.net) for experiment in known)
        groups = [f"net.{index}" for index in range(most)]
        return [*_group_lines(experiments, groups), *(_field_line(experiments, path) for path in paths)]
    return [_field_line(experiments, path) for path in paths]


def differing_configs(configs: Sequence[Mapping[str, Any]]) -> list[Difference]:
    """Return the fields in which the configurations of watched scripts differ, in the order of the first."""
    paths = dict.fromkeys(path for config in configs for path in config)
    lines = [
        (path, tuple(str(config[path]) if path in config else ABSENT for config in configs)) for path in paths
    ]
    return [Difference(f"config.{path}", values) for path, values in lines if len(set(values)) > 1]


def _config(entry: ComparedRun) -> Mapping[str, Any]:
    snapshot = entry.followed.snapshot
    return config_of(snapshot.meta) if snapshot is not None else {}


def _field_line(experiments: Sequence[Experiment | None], path: str) -> Difference:
    return Difference(
        path, tuple(ABSENT if e is None else show(path, value_at(e, path)) for e in experiments)
    )


def _group_lines(experiments: Sequence[Experiment | None], paths: Sequence[str]) -> list[Difference]:
    nets = [to_dict(experiment)["net"] if experiment is not None else [] for experiment in experiments]
    lines = [
        Difference(
            path, tuple(words.group_in_words(net[index]) if index < len(net) else ABSENT for net in nets)
        )
        for index, path in enumerate(paths)
    ]
    return [line for line in lines if len(set(line.values)) > 1]


class DifferenceTable(Widget):
    """A DifferenceTable shows the names of the runs, their figures, and the fields that differ."""

    DEFAULT_CSS = "DifferenceTable { height: auto; text-wrap: nowrap; }"

    heads: reactive[tuple[str, ...]] = reactive((), layout=True)
    figures: reactive[tuple[Difference, ...]] = reactive((), layout=True)
    fields: reactive[tuple[Difference, ...]] = reactive((), layout=True)
    note: reactive[str] = reactive("", layout=True)

    def render(self) -> Content:
        """Return the lines of the table."""
        width, count = self.container_size.width - 2, max(1, len(self.heads))
        lines = [*self.figures, *self.fields]
        field = min(MAX_FIELD_WIDTH, max((len(line.field) for line in lines), default=8))
        each = max(6, (width - field) // count - 1)
        table = [_line("", self.heads, field, each, "bold")]
        table += [_line(line.field, line.values, field, each, bad=line.bad) for line in self.figures]
        table.append(Content.styled("─" * width, "$border"))
        table += [_line(line.field, line.values, field, each) for line in self.fields]
        if self.note:
            table.append(Content.styled(self.note, "$secondary"))
        return Content("\n").join(table)


def _line(
    field: str, values: Sequence[str], width: int, each: int, style: str = "", bad: Sequence[bool] = ()
) -> Content:
    """Return the line of a field; values that are too long for their columns continue beneath, up to MOST_LINES."""
    cells = [wrap(words.printable(value), each, max_lines=MOST_LINES, placeholder="…") for value in values]
    lines = []
    for part in range(max(1, *map(len, cells)) if cells else 1):
        line = Content.styled("" if part else field, "$secondary").truncate(width, ellipsis=True, pad=True)
        for index, cell in enumerate(cells):
            tone = "$error" if index < len(bad) and bad[index] else style
            text = cell[part] if part < len(cell) else ""
            styled = Content.styled(text, tone) if tone else Content(text)
            line += Content(" ") + styled.truncate(each, ellipsis=True, pad=True)
        lines.append(line)
    return Content("\n").join(lines)


class Differences(VerticalScroll, can_focus=True):
    """Differences is the pane in which the table scrolls."""

    HELP = (
        "## Differences\n\n"
        "At the top is the result of each run, with the mean loss of its last 20 steps, and the "
        "accuracies on the training and the test set. Of two runs that differ only in depth, the deeper one has "
        "**degradation** if its gradients are even and its training accuracy is clearly lower. Below it "
        "are the fields of the experiments that are not the same in all runs. `↑ ↓` scroll, and "
        "`z` shows the table on the full screen."
    )
    ALLOW_MAXIMIZE = True
    DEFAULT_CSS = "Differences { scrollbar-size-vertical: 1; padding: 0 1; }"

    def __init__(self) -> None:
        super().__init__(classes="pane", id="differences-pane")
        self.border_title = "Differences"
        self._degradations = Degradations()

    def compose(self) -> ComposeResult:
        """Yield the table."""
        yield DifferenceTable()

    def overlay(self, entries: Sequence[ComparedRun]) -> None:
        """Show the state of all runs."""
        table = self.query_one(DifferenceTable)
        table.heads = tuple(f"{entry.letter} {entry.title}" for entry in entries)
        table.figures = tuple(outcomes(entries, self._degradations.among(entries)))
        experiments = [entry.followed.experiment for entry in entries]
        configs = [_config(entry) for entry in entries]
        fields = [*differing(experiments), *differing_configs(configs)]
        table.fields = tuple(fields)
        known = sum(experiment is not None for experiment in experiments)
        if fields:
            table.note = ""
        elif len(entries) == 1:
            table.note = "Only one is shown, so there is nothing to compare."
        elif known < 2:
            given = sum(map(bool, configs)) > 1
            table.note = (
                "the configurations are the same" if given else "A script has no experiment to compare."
            )
        else:
            table.note = "the experiments are the same"
