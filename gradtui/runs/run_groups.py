"""Put runs that differ only in their seed into groups, which lists and charts show as one. It imports no numpy."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from gradtui.runs.label import Label
from gradtui.runs.run_info import RunInfo, RunSummary
from gradtui.words import common_beginning, with_deviation

SEEDS = frozenset({"seed", "random_seed", "manual_seed", "rng_seed", "random_state"})
"""The names that the field of a seed has in the configurations of scripts."""


@dataclass(frozen=True)
class RunGroup(RunInfo):
    """A RunGroup is a row of a list that stands for several runs: its numbers are means over those that have not
    diverged, and everything else is its newest run's."""

    members: tuple[RunInfo, ...] = ()
    """The runs that are shown, the newest first."""
    size: int = 0
    """How many runs the group has, also those that a filter hides."""

    @property
    def title(self) -> str:
        """Return the name of the group, and how many runs are in it."""
        count = len(self.members)
        return f"{self.name} ×{self.size}" + (f" ({count} shown)" if count < self.size else "")

    @property
    def counted(self) -> tuple[RunInfo, ...]:
        """Return the runs over which the means are taken."""
        return tuple(run for run in self.members if not has_diverged(run))

    @property
    def diverged(self) -> str:
        """Return in words how many of the runs have diverged; "" if none has."""
        return diverged_of(len(self.members) - len(self.counted), len(self.members))


def diverged_of(diverged: int, of: int) -> str:
    """Return in words how many runs of a group have diverged; "" if none has."""
    return f"{diverged} of {of} diverged" if diverged else ""


def has_diverged(info: RunInfo) -> bool:
    """Return whether a run has diverged, so that its numbers would spoil a mean."""
    loss = info.summary.loss
    return info.status.state == "diverged" or (loss is not None and not math.isfinite(loss))


def grouped(shown: Iterable[RunInfo], every: Iterable[RunInfo]) -> list[RunInfo]:
    """Return rows of a list, in which the runs of one group are one row.

    Args:
        shown: the runs that fit a filter. Of a group with one of them, that run is shown itself.
        every: all runs.
    """
    sizes: dict[str, int] = {}
    for info in every:
        sizes[info.label.group] = sizes.get(info.label.group, 0) + 1
    members: dict[str, list[RunInfo]] = {}
    rows: list[RunInfo] = []
    for info in shown:
        if info.label.group:
            members.setdefault(info.label.group, []).append(info)
        else:
            rows.append(info)
    for name, runs in members.items():
        rows.append(_group_row(name, runs, sizes[name]) if len(runs) > 1 else runs[0])
    return rows


def _group_row(name: str, runs: Sequence[RunInfo], size: int) -> RunGroup:
    members = tuple(sorted(runs, key=lambda run: (run.started, run.id), reverse=True))
    first = next((run for run in members if run.status.live), members[0])
    plain = {field.name: getattr(first, field.name) for field in fields(RunInfo)}
    group = RunGroup(**plain, members=members, size=size)
    loss, train, test, seconds = (
        mean_and_spread(group, key)[0] for key in ("loss", "train", "test", "seconds")
    )
    summary = replace(first.summary, loss=loss, train=train, test=test, seconds=seconds)
    return replace(group, name=name, note="", run=members[0].run, summary=summary)


@dataclass(frozen=True)
class StudyRow(RunInfo):
    """A StudyRow is a row of a list that stands for the runs of a study, which train different nets."""

    members: tuple[RunInfo, ...] = ()
    """Its runs, the newest first."""
    opened: bool = False
    """Whether its runs follow in the list."""

    @property
    def title(self) -> str:
        """Return the name of the study, and how many runs it has."""
        return f"{'▾' if self.opened else '▸'} {self.name}: {len(self.members)} runs"

    @property
    def with_problems(self) -> int:
        """Return how many of its runs have a problem."""
        return sum(run.summary.judgement.state == "problem" for run in self.members)

    @property
    def states(self) -> str:
        """Return how many of its runs are in each state, in words."""
        counts: dict[str, int] = {}
        for run in self.members:
            counts[run.status.state] = counts.get(run.status.state, 0) + 1
        return ", ".join(f"{count} {state}" for state, count in counts.items())


def study_rows(
    rows: Iterable[RunInfo], studies: Mapping[Path, str], opened: Collection[str]
) -> tuple[list[RunInfo], dict[str, list[RunInfo]]]:
    """Return rows of a list, in which the runs of each study are one row, and the runs of each study that is opened.

    Args:
        rows: the rows with every run by itself or in its group.
        studies: the study of each run that belongs to one.
        opened: the studies whose runs are to follow in the list.
    """
    kept: list[RunInfo] = []
    members: dict[str, list[RunInfo]] = {}
    for row in rows:
        study = studies.get(row.run, "") if not isinstance(row, RunGroup) else ""
        members.setdefault(study, []).append(row) if study else kept.append(row)
    for study, runs in members.items():
        kept += [_study_row(study, runs, study in opened)] if len(runs) > 1 else runs
    return kept, {study: runs for study, runs in members.items() if study in opened and len(runs) > 1}


def _study_row(study: str, runs: Sequence[RunInfo], opened: bool) -> StudyRow:
    members = tuple(sorted(runs, key=lambda run: (run.started, run.id), reverse=True))
    first = next((run for run in members if run.status.live), members[0])
    taken = [run.summary.seconds for run in members if run.summary.seconds is not None]
    # A mean over different nets would say nothing.
    summary = RunSummary(seconds=sum(taken) if taken else None)
    status = replace(first.status, step=sum(run.steps for run in members))
    return StudyRow(members[0].run, study, status, members[0].started, None, Label(), summary, None, members=members,
                    opened=opened)  # fmt: skip


def mean_and_spread(group: RunGroup, key: str) -> tuple[float | None, float | None]:
    """Return mean and standard deviation of a number of RunSummary over the runs that have it and have not diverged."""
    values = [
        value
        for run in group.counted
        if (value := getattr(run.summary, key)) is not None and math.isfinite(value)
    ]
    return (statistics.fmean(values), statistics.pstdev(values)) if values else (None, None)


def figures_of(group: RunGroup, forms: Mapping[str, Callable[[float], str]]) -> list[str]:
    """Return the mean with its spread in words, for each number of RunSummary that has a form."""
    parts = []
    for key, form in forms.items():
        mean, spread = mean_and_spread(group, key)
        if mean is not None and spread is not None:
            parts.append(f"{'time' if key == 'seconds' else key} {with_deviation(mean, spread, form)}")
    return parts


def siblings(info: RunInfo, runs: Iterable[RunInfo]) -> list[RunInfo]:
    """Return the runs that differ from one only in their seed, with that one; none if there are no two seeds."""
    key, _ = _without_seed(info)
    if not key or info.label.group:
        return []
    found = [(run, _without_seed(run)) for run in runs if not run.label.group]
    alike = [(run, seed) for run, (other, seed) in found if other == key]
    return [run for run, _ in alike] if len({seed for _, seed in alike}) > 1 else []


def common_name(runs: Sequence[RunInfo]) -> str:
    """Return a name for a group: that of the group that all runs are in, else what their names begin with."""
    groups = {run.label.group for run in runs}
    if len(groups) == 1 and "" not in groups:
        return groups.pop()
    names = [run.name for run in runs]
    beginning = common_beginning(names)
    if len(set(names)) > 1:
        beginning = beginning.rstrip(" -_#.,:=(0123456789")
    for word in sorted(SEEDS):
        beginning = beginning.removesuffix(word).rstrip(" -_#.,:=(")
    return beginning or min(names, default="")


_KNOWN: dict[tuple[Path, bool, bool], tuple[str, str]] = {}
"""What `_without_seed` has returned: a list is painted often, and what a run trains does not change."""


def _without_seed(info: RunInfo) -> tuple[str, str]:
    """Return what a run trains without its seed, as text, and the seed; "" where it is not known or has no seed."""
    key = info.run, info.experiment is None, not info.config
    if key not in _KNOWN:
        _KNOWN[key] = _split(info.experiment, info.config)
    return _KNOWN[key]


def _split(experiment: Mapping[str, Any] | None, config: Mapping[str, Any]) -> tuple[str, str]:
    if experiment is not None:
        plain = {
            key: value for key, value in experiment.items() if key not in ("name", "description", "seed")
        }
        return json.dumps(plain, sort_keys=True, default=str), str(experiment.get("seed", 0))
    seeds = {path: value for path, value in config.items() if _is_seed(path)}
    if not seeds:
        return "", ""
    others = {path: value for path, value in config.items() if path not in seeds}
    return json.dumps(others, sort_keys=True, default=str), json.dumps(seeds, sort_keys=True, default=str)


def _is_seed(path: str) -> bool:
    return path.rpartition(".")[2].lower() in SEEDS
