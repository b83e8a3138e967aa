"""Plan a study: every change × grid point × seed becomes an experiment, all checked before any is trained."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from gradtui.experiment import Experiment, ExperimentError, from_dict, resolve, set_fields, to_dict
from gradtui.experiment.cures import CURES, cure
from gradtui.experiment.errors import nearest
from gradtui.experiment.net_plan import hidden_depth
from gradtui.study.spec import CHANGE, DEPTH, MOST_EXPERIMENTS, Change, StudySpec
from gradtui.words import several

DEFAULT_CHECKPOINTS = 4
"""Checkpoints of a run whose experiment asks for none, so that a power failure costs a quarter of it at most."""

KEY_LENGTH = 12
"""The number of hexadecimal digits of a key."""


@dataclass(frozen=True)
class Member:
    """A Member is one experiment of a study."""

    key: str
    """The key identifies it within the study: a digest of what is trained (equal keys are equal trainings, whatever
    their names), or the key of its cure where every cure of a run is tried."""
    name: str
    """The words that distinguish it from the other members."""
    change: str
    """The name of its change; empty if the study has none."""
    point: tuple[tuple[str, Any], ...] = field(hash=False)
    """Its values on the grid by dotted path: words, numbers or truth values."""
    seed: int
    experiment: Experiment
    cure: str = ""
    """The key of its cure in gradtui.experiment.cures.CURES; empty if it has none."""
    why: str = ""
    """The reason why the cure should help; empty if there is no cure."""
    price: str = ""
    """The cost of the cure in words."""

    @property
    def depth(self) -> int:
        """Return the number of weight layers from input to output, without the output layer."""
        return hidden_depth(self.experiment)

    @property
    def changes(self) -> dict[str, Any]:
        """Return what distinguishes it from the other members, by axis: its change, its grid point, its seed."""
        named = {CHANGE: self.change} if self.change else {}
        return {**named, **dict(self.point), "seed": self.seed}

    def on(self, axis: str) -> Any:
        """Return its position on an axis of a chart; the axis is depth, change or a dotted path."""
        if axis == CHANGE:
            return self.change
        if axis == DEPTH:
            return self.depth
        found = dict(self.point)
        return found[axis] if axis in found else value_at(self.experiment, axis)

    def label(self, *without: str) -> str:
        """Return in words what distinguishes it, without its seed and the axes in `without`; it may be empty."""
        point = {path: value for path, value in self.point if path not in without}
        change = "" if CHANGE in without else self.change
        return " · ".join(filter(None, (change, _in_words(point, self.depth))))


def plan(spec: StudySpec) -> tuple[Member, ...]:
    """Return the experiments of a study in the order in which they are trained.

    Seeds change last, so that a study that is stopped early has trained every change and grid point once. Raises
    ExperimentError, which names the field: an invalid base or experiment, a cure that is unknown or changes nothing, a
    grid without values, or two equal experiments.
    """
    base = _base(spec)
    _check_size(spec)
    _check_axes(spec, base)
    _check_seeds(spec)
    members = [
        _member(spec, base, index, point, seed)
        for seed in spec.seeds
        for index in range(len(spec.change))
        for point in _points(spec.grid)
    ]
    _refuse_duplicates(members)
    x = spec.compare.x
    if spec.compare.kind == "lines" and not all(isinstance(member.on(x), int | float) for member in members):
        raise ExperimentError("compare.x", x, 'an axis of numbers; for words kind = "bars"')
    return tuple(members)


def axes_of(axis: str, spec: StudySpec) -> tuple[str, ...]:
    """Return the paths of the grid that an axis stands for: those that change the depth, or the axis itself."""
    if axis != DEPTH:
        return (axis,)
    return tuple(path for path in spec.grid if _changes_depth(path))


def value_at(experiment: Experiment, path: str) -> Any:
    """Return the value at a dotted path of an experiment. Raises KeyError."""
    here: Any = to_dict(experiment)
    try:
        for key in path.split("."):
            here = here[int(key)] if isinstance(here, list) else here[key]
    except (LookupError, ValueError, TypeError):
        raise KeyError(path) from None
    return here


def key_of(experiment: Experiment) -> str:
    """Return a digest of what is trained, without names and the interval of checkpoints."""
    bare = replace(experiment, name="", description="", run=replace(experiment.run, checkpoint_every=0))
    text = json.dumps(to_dict(bare), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_LENGTH]


def name_of(change: Change) -> str:
    """Return the name of a change; if it has none, one made from its cure or from the values that it sets."""
    if change.name or not (change.cure or change.set):
        return change.name
    return cure(change.cure).name if change.cure else _in_words(change.set)


def _base(spec: StudySpec) -> Experiment:
    base = from_dict(spec.base) if isinstance(spec.base, dict) else resolve(spec.base)
    base = set_fields(base, spec.set)
    return with_one_thread(base)


def with_one_thread(experiment: Experiment) -> Experiment:
    """Return the experiment with one thread where it leaves the number to torch, which would take every core and slow
    down the trainers beside it."""
    run = experiment.run
    return experiment if run.threads else replace(experiment, run=replace(run, threads=1))


def _check_size(spec: StudySpec) -> None:
    for path, values in spec.grid.items():
        plain = isinstance(values, list) and all(isinstance(one, bool | int | float | str) for one in values)
        if not plain or not values:
            raise ExperimentError(f"grid.{path}", values, "a list of words or numbers")
    for index, change in enumerate(spec.change):
        if change.cure and change.cure not in (known := [one.key for one in CURES]):
            hint = nearest(change.cure, known) or f"; expected one of {', '.join(known)}"
            raise ExperimentError(f"change.{index}.cure", change.cure, problem=f"no such cure{hint}")
    count = len(spec.change) * len(spec.seeds) * math.prod(len(values) for values in spec.grid.values())
    if count > MOST_EXPERIMENTS:
        raise ExperimentError(
            "grid", problem=f"gives {count:,} experiments; expected at most {MOST_EXPERIMENTS:,}"
        )
    names = [name_of(change) for change in spec.change]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise ExperimentError(f"change.{index}.name", name, "a name that no other change has")


def _check_axes(spec: StudySpec, base: Experiment) -> None:
    known = [DEPTH, CHANGE, *spec.grid]
    for field_name in ("x", "series"):
        axis = getattr(spec.compare, field_name)
        if axis in known:
            continue
        try:
            value_at(base, axis)
        except KeyError:
            hint = nearest(axis, known) or f"; expected one of {', '.join(known)}, or a field's dotted path"
            raise ExperimentError(f"compare.{field_name}", axis, problem=f"no such axis{hint}") from None


def _check_seeds(spec: StudySpec) -> None:
    tables = {"set": spec.set, "grid": spec.grid}
    tables |= {f"change.{index}.set": change.set for index, change in enumerate(spec.change)}
    for name, table in tables.items():
        if "seed" in table:
            raise ExperimentError(f"{name}.seed", table["seed"], problem="seeds are listed under seeds alone")


def _points(grid: Mapping[str, list[Any]]) -> Iterator[tuple[tuple[str, Any], ...]]:
    for values in itertools.product(*grid.values()):
        yield tuple(zip(grid, values, strict=True))


def _member(
    spec: StudySpec, base: Experiment, index: int, point: tuple[tuple[str, Any], ...], seed: int
) -> Member:
    change = spec.change[index]
    experiment = set_fields(base, {**change.set, **dict(point), "seed": seed})
    if change.cure:
        cured = cure(change.cure).apply(experiment)
        if cured == experiment:
            raise ExperimentError(f"change.{index}.cure", change.cure, problem="changes nothing in this net")
        experiment = cured
    parts = [
        name_of(change),
        _in_words(dict(point), hidden_depth(experiment)),
        f"seed {seed}" if len(spec.seeds) > 1 else "",
    ]
    name = " · ".join(filter(None, parts)) or experiment.name
    run = experiment.run
    if not run.checkpoint_every:
        run = replace(run, checkpoint_every=max(1, run.steps // DEFAULT_CHECKPOINTS))
    experiment = replace(experiment, name=f"{spec.name}: {name}"[:200], run=run)
    return Member(key_of(experiment), name, name_of(change), point, seed, experiment, change.cure)


def _refuse_duplicates(members: list[Member]) -> None:
    seen: dict[str, Member] = {}
    for member in members:
        first = seen.setdefault(member.key, member)
        if first is not member:
            raise ExperimentError("study", problem=f"{member.name} is the same experiment as {first.name}")


def _changes_depth(path: str) -> bool:
    return path.startswith("net.") and path.endswith((".repeat", ".layers"))


def _in_words(values: Mapping[str, Any], depth: int | None = None) -> str:
    """Return values in words. depth: that of the experiment, which stands for the one value that changes it."""
    deeper = [path for path in values if _changes_depth(path)]
    return ", ".join(
        several(depth, "layer")
        if depth is not None and deeper == [path]
        else f"{path.rpartition('.')[2].replace('_', ' ')} {value}"
        for path, value in values.items()
    )
