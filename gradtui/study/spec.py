"""A study as plain frozen data: one TOML file, read by ``parse.py``, made into experiments by ``plan.py``.

Each field is described beneath it. A small one::

    name = "depth"
    base = "plain-21"
    seeds = [0, 1]

    [grid]
    net.1.repeat = [2, 10, 28]

    [[change]]
    name = "plain"

    [[change]]
    name = "residual"
    set = { net.1.shortcut = "identity", net.1.branch_gain = "depth" }

    [compare]
    x = "depth"
    y = ["train_accuracy", "test_accuracy"]
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, field

from gradtui.experiment.spec import Part

Kind = Literal["lines", "bars", "map"]
Quantity = Literal["train_accuracy", "test_accuracy", "loss", "drop", "lag_drop", "step_time", "outcome"]

DEPTH, CHANGE = "depth", "change"
"""Axes that are no field: weight layers without the output layer, and the name of the change."""

MOST = 10_000
"""Experiments in one study."""


class Change(Part, frozen=True):
    """One named way in which an experiment differs from the base."""

    name: str = ""
    """What tables and charts call it; by default the cure's name, or what is set."""
    set: dict[str, Any] = field(default_factory=dict)
    """New values by dotted path, put in place before those of the grid."""
    cure: str = ""
    """Key of a cure (gradtui.experiment.edits.CURES), applied after the grid."""


class Compare(Part, frozen=True):
    """What is drawn of the results."""

    kind: Kind = "lines"
    """lines: y over x; bars: y of each change; map: the outcome, or another y, of each pair of x and series."""
    x: str = DEPTH
    """A path of the grid, depth, or change."""
    series: str = CHANGE
    """What tells lines apart; of a map, its upright axis."""
    y: Annotated[tuple[Quantity, ...], Meta(min_length=1, max_length=4)] = ("train_accuracy",)
    """What is measured, a chart each. drop: log10 of the first hidden layer's gradient ÷ the last's at the start;
    lag_drop: the same over time lags; step_time: seconds of a step."""
    log_x: bool = False
    """A logarithmic x axis."""
    log_y: bool = False
    """A logarithmic y axis; of a map, of its upright axis."""


class StudySpec(Part, frozen=True):
    """Many experiments that answer one question: every change × every point of the grid × every seed."""

    name: Annotated[str, Meta(min_length=1, max_length=100)] = "study"
    """What it is called; the same name is the same study, which is gone on with."""
    description: str = ""
    """One line on what it shows."""
    base: str | dict[str, Any] = field(default_factory=dict)
    """The experiment that is changed: a preset's name, a TOML file, or a table of its fields."""
    set: dict[str, Any] = field(default_factory=dict)
    """New values of the base by dotted path, put in place first."""
    seeds: Annotated[
        tuple[Annotated[int, Meta(ge=0, lt=2**32)], ...], Meta(min_length=1, max_length=1000)
    ] = (0,)
    """Each experiment is trained once with each."""
    grid: dict[str, Any] = field(default_factory=dict)
    """Lists of values by dotted path; every combination is trained."""
    change: tuple[Change, ...] = (Change(),)
    """Sets of values, each crossed with the grid."""
    compare: Compare = Compare()
    """What is drawn; of a file that does not say, curves over the first axis of numbers, else bars."""
