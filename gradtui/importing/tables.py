"""Sort the numbers of a log into the tables of a run."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gradtui.importing.log import Floats, Log, Steps
from gradtui.importing.names import (
    evaluation_of,
    forward_order,
    gradient_of,
    layer_of,
    measured,
    scalar_of,
)
from gradtui.words import several

LEAST_SHARE = 0.5
"""A layer is left out if it has less than this share of the steps of the layer logged most often, because a row needs
all layers."""

FIRST_SCALARS = ("loss", "accuracy", "lr", "grad_norm")
"""The scalars that come before all others, as in every run."""

Entries = tuple[Steps, Floats, Floats]
"""Steps, times, values, each (n,), steps ascending."""


@dataclass(frozen=True, eq=False)
class TableRows:
    """A TableRows holds the rows of one table."""

    columns: tuple[str, ...]
    steps: Steps
    """The shape is (n,)."""
    times: Floats
    """Seconds since the epoch, of the shape (n,)."""
    values: Floats
    """The shape is (n, columns)."""


@dataclass
class Tables:
    """A Tables holds all numbers that a log contributes to a run."""

    layers: dict[str, TableRows] = field(default_factory=dict)
    """The tables of layers by metric, all with the same columns."""
    scalars: TableRows | None = None
    evaluations: list[tuple[int, float, dict[str, float]]] = field(default_factory=list)
    """Each evaluation: its step, its time and what was measured."""
    sizes: dict[str, int] = field(default_factory=dict)
    """The number of parameters by layer, where the log has it."""
    source: str = ""
    """A text that says from what the norms of the gradients were computed."""
    left: list[str] = field(default_factory=list)
    """Texts that say which entries were left out."""


def tables_of(log: Log) -> Tables:
    """Return a log's numbers, sorted into those of layers, of the whole training and of evaluations.

    `layers` is empty if the log says nothing about single layers.
    """
    tables = Tables()
    by_metric, rest = _by_metric(log)
    _take_layers(tables, log, by_metric)
    rest = _take_evaluations(tables, rest)
    tables.scalars = _scalars(rest, tables.layers.get("grad_norm"))
    tables.left += [f"{what} ({count:,})" for what, count in sorted(log.left.items())]
    return tables


def _by_metric(log: Log) -> tuple[dict[str, dict[str, Entries]], dict[str, Entries]]:
    by_metric: dict[str, dict[str, Entries]] = {}
    rest: dict[str, Entries] = {}
    for tag, column in log.scalars.items():
        place = measured(tag)
        if place is None:
            rest[tag] = column.ascending()
        else:
            by_metric.setdefault(place[0], {})[place[1]] = column.ascending()
    return by_metric, rest


def _take_layers(tables: Tables, log: Log, by_metric: dict[str, dict[str, Entries]]) -> None:
    if "grad_norm" in by_metric:
        tables.source = "norms that were logged"
        if log.norms:
            tables.left.append("histograms of gradients, since norms were logged too")
    elif log.norms:
        by_metric["grad_norm"] = {
            gradient_of(tag) or tag: column.ascending() for tag, column in log.norms.items()
        }
        for tag, size in log.sizes.items():
            layer = layer_of(gradient_of(tag) or tag)
            tables.sizes[layer] = tables.sizes.get(layer, 0) + size
        tables.source = f"{'estimated from bins' if log.estimated else 'from sums of squares'} of histograms"
    gradients = _folded(by_metric.pop("grad_norm", {}))
    if not gradients:
        return
    order = list(gradients) if log.ordered else forward_order(list(gradients))
    most = max(len(steps) for steps, _, _ in gradients.values())
    kept = [layer for layer in order if len(gradients[layer][0]) >= LEAST_SHARE * most]
    tables.layers["grad_norm"] = _together({layer: gradients[layer] for layer in kept})
    if len(kept) < len(order):
        tables.left.append(
            f"{several(len(order) - len(kept), 'layer')} that "
            f"{'was' if len(order) - len(kept) == 1 else 'were'} rarely logged"
        )
    if lost := most - len(tables.layers["grad_norm"].steps):
        tables.left.append(f"{several(lost, 'step')} at which not every layer was logged")
    for metric, entries in by_metric.items():
        if set(entries) >= set(kept):
            tables.layers[metric] = _together({layer: entries[layer] for layer in kept})
        else:
            tables.left.append(f"{metric} of other layers")


def _folded(parameters: dict[str, Entries]) -> dict[str, Entries]:
    """Combine parameters into layers: a layer's norm is the root of the sum of its parameters' squares."""
    layers: dict[str, list[Entries]] = {}
    for parameter, entries in parameters.items():
        layers.setdefault(layer_of(parameter), []).append(entries)
    return {layer: parts[0] if len(parts) == 1 else _summed(parts) for layer, parts in layers.items()}


def _summed(parts: list[Entries]) -> Entries:
    steps = np.unique(np.concatenate([part[0] for part in parts]))
    times, squares = np.zeros(len(steps)), np.zeros(len(steps))
    for at, when, values in parts:
        where = np.searchsorted(steps, at)
        times[where] = when
        squares[where] += np.square(values)
    return steps, times, np.sqrt(squares)


def _together(layers: dict[str, Entries]) -> TableRows:
    """Join layers at the steps at which all of them have a number."""
    every = list(layers.values())
    steps = every[0][0]
    for at, _, _ in every[1:]:
        steps = np.intersect1d(steps, at, assume_unique=True)
    values = np.column_stack([numbers[np.searchsorted(at, steps)] for at, _, numbers in every])
    times = every[0][1][np.searchsorted(every[0][0], steps)]
    return TableRows(tuple(layers), steps, times, values)


def _take_evaluations(tables: Tables, scalars: dict[str, Entries]) -> dict[str, Entries]:
    """Take out the evaluations, and return the other scalars."""
    rest: dict[str, Entries] = {}
    found: dict[int, tuple[float, dict[str, float]]] = {}
    for tag, entries in scalars.items():
        name = evaluation_of(tag)
        if name is None:
            rest[tag] = entries
            continue
        for step, time, value in zip(*(part.tolist() for part in entries), strict=True):
            found.setdefault(step, (time, {}))[1][name] = value
    tables.evaluations = [(step, *what) for step, what in sorted(found.items())]
    return rest


def _scalars(tags: dict[str, Entries], gradients: TableRows | None) -> TableRows | None:
    """Return one row for each step at which the loss was logged; without a loss, at which any scalar was.

    A scalar that was not logged at a step has its last value there, because a missing value would look like NaN.
    """
    named: dict[str, Entries] = {}
    for tag, entries in tags.items():
        name = scalar_of(tag)
        # If two scalars may be the loss, the one that was logged more often is taken.
        if name is None or (name in named and len(named[name][0]) >= len(entries[0])):
            named.setdefault(tag, entries)
        else:
            named[name] = entries
    if gradients is not None and len(gradients.steps) and "grad_norm" not in named:
        total = np.sqrt(np.square(gradients.values).sum(axis=1))
        named["grad_norm"] = gradients.steps, gradients.times, total
    if not named:
        return None
    leading = [named["loss"]] if "loss" in named else list(named.values())
    steps = np.unique(np.concatenate([at for at, _, _ in leading]))
    times = np.zeros(len(steps))
    for at, when, _ in reversed(leading):
        times[np.searchsorted(steps, at)] = when
    columns = {name: _newest(entries, steps) for name, entries in named.items()}
    order = sorted(
        columns,
        key=lambda name: FIRST_SCALARS.index(name) if name in FIRST_SCALARS else len(FIRST_SCALARS),
    )
    return TableRows(tuple(order), steps, times, np.column_stack([columns[name] for name in order]))


def _newest(entries: Entries, steps: Steps) -> Floats:
    at, _, values = entries
    found: Floats = values[np.maximum(np.searchsorted(at, steps, side="right") - 1, 0)]
    return found
