"""What a list shows of a run besides its status: small numbers from the ends of its files. No numpy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from gradtui.experiment.shapes import BESIDE_THE_PATH
from gradtui.runs.events import Event, EventLog
from gradtui.runs.meta import RunMeta
from gradtui.runs.tail import Row, last_row

BINS = 16
"""Stretches of layers that a profile is folded to at most."""


@dataclass(frozen=True)
class RunSummary:
    """Figures are None where nothing of the kind is known (yet); NaN and infinity are values like others."""

    findings: tuple[str, ...] = ()
    """Codes, in the order in which they came up."""
    depth: int = 0
    """Layers without projections and gates, the output layer counted; 0 until the net is built."""
    loss: float | None = None
    """Of the last batch."""
    train: float | None = None
    """Accuracy on the training set, by the last evaluation …"""
    test: float | None = None
    """… and on the test set."""
    seconds: float | None = None
    """Wall time of the training, without the time in which nobody trained it."""
    profile: tuple[float, ...] = ()
    """log10 of the gradient's norm at the last step, from input to output: the median of each of at most BINS
    stretches of layers; NaN and infinity where one layer of it is, -inf where it is exactly 0."""


def summary_of(folder: Path, meta: RunMeta, events: EventLog) -> RunSummary:
    """The figures by a run.json and events that were read just now."""
    scalars, gradients = (_last(folder, meta, name) for name in ("scalars", "grad_norm"))
    evaluations = events.evaluations
    return RunSummary(
        findings=tuple(str(event.get("code", "")) for event in events.findings()),
        depth=sum(layer.kind not in BESIDE_THE_PATH for layer in meta.layers),
        loss=_loss(folder, meta),
        train=_newest(evaluations, "train_accuracy"),
        test=_newest(evaluations, "test_accuracy"),
        seconds=_seconds(events.entries, scalars or gradients),
        profile=profile_of(gradients.values) if gradients else (),
    )


def _last(folder: Path, meta: RunMeta, table: str) -> Row | None:
    about = meta.tables.get(table)
    return last_row(folder, table, len(about.columns)) if about and about.columns else None


def _loss(folder: Path, meta: RunMeta) -> float | None:
    for name, about in meta.tables.items():
        if about.kind == "scalars" and "loss" in about.columns and (row := _last(folder, meta, name)):
            return _plain(row.values[about.columns.index("loss")])
    return None


def _plain(value: float) -> float:
    """A float32 without the digits that it cannot know."""
    return float(f"{value:.7g}")


def _newest(evaluations: Sequence[Event], key: str) -> float | None:
    for event in reversed(evaluations):
        value = event.get(key)
        if isinstance(value, int | float) and not math.isnan(value):
            return float(value)
    return None


def _seconds(events: Sequence[Event], last: Row | None) -> float | None:
    """From the start of each process's training to the last that is known of it."""
    total, began, before, known = 0.0, None, 0.0, False
    for event in events:
        time = event.get("time")
        if not isinstance(time, int | float):
            continue
        phase = event.get("phase") if event["event"] == "phase" else None
        if phase == "importing" and began is not None:
            # Another process takes the run up: until then nobody trained it.
            total, began = total + max(0.0, before - began), None
        elif phase == "training" and began is None:
            began, known = float(time), True
        before = float(time)
    if began is not None and last is not None:
        total += max(0.0, last.time - began)
    return total if known else None


def profile_of(norms: Sequence[float], bins: int = BINS) -> tuple[float, ...]:
    """log10 of norms (layers,), folded to at most so many stretches of layers."""
    logs = [math.log10(norm) if norm > 0 else -math.inf if norm == 0 else math.nan for norm in norms]
    count = min(bins, len(logs))
    edges = [len(logs) * at // count for at in range(count + 1)] if count else []
    return tuple(_typical(logs[low:high]) for low, high in pairwise(edges))


def _typical(logs: Sequence[float]) -> float:
    for bad in (math.isnan, lambda value: value == math.inf):
        worst = next(filter(bad, logs), None)
        if worst is not None:
            return worst
    finite = sorted(value for value in logs if value > -math.inf)
    return finite[len(finite) // 2] if finite else -math.inf
