"""Turn a run into one JSON object, as `gradtui run --json` and `gradtui diagnose --json` print it.

A value is None (``null``) where it was not recorded, and where a layer has no such value, as a frozen layer has no
gradient. NaN and infinity are values, which come from a failed calculation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import to_builtins

from gradtui import metrics
from gradtui.absent import is_absent
from gradtui.runs.costs import newest_costs
from gradtui.runs.meta import config_of

if TYPE_CHECKING:
    from gradtui.diagnosis.findings import Finding
    from gradtui.diagnosis.judged import AnsweredQuestions
    from gradtui.metrics import Metric
    from gradtui.runs.events import Event
    from gradtui.runs.reader import Run


def run_object(
    run: Run, findings: Sequence[Finding], judged: AnsweredQuestions | None = None
) -> dict[str, Any]:
    """Return the run in its present state, its layers from input to output. It is fast for runs of any length.

    Only a trial of `gradtui watch --try` has `change`, which is empty for the unchanged one; only a run with a note has
    `note`; only a script that logs a number as its progress has `metric`; only watched scripts have `costs`; and
    `judged` is present only where something could not be judged.
    """
    status = run.status
    events = run.events()
    return {
        "run": str(run.folder),
        "name": run.name,
        **({"change": change} if (change := run.change) is not None else {}),
        # A trainer that was killed has not recorded an end; for the caller, its training failed.
        "status": "failed" if status.state == "died" else status.state,
        "steps": status.step,
        "seconds": _seconds(run, events),
        "loss": _course(run, "loss"),
        **_metric(run),
        "accuracy": _accuracy(events),
        **({"note": note} if (note := run.note) else {}),
        **({"config": config} if (config := config_of(run.meta)) else {}),
        "layers": _layers(run),
        "overhead": _last_of(events, "cost", "overhead"),
        **({"costs": to_builtins(costs)} if (costs := newest_costs(events)).known else {}),
        **({"judged": judged.to_json()} if judged is not None and judged.why else {}),
        "findings": [finding.to_json() for finding in findings],
    }


def _seconds(run: Run, events: Sequence[Event]) -> float:
    """Return the wall time from the start of training to the last recorded step.

    For a run that was resumed, the time between its stretches of training does not count.
    """
    scalars = run.table_or_empty("scalars")
    rows = scalars.rows
    if not rows:
        return 0.0
    # An old run may name no phases; its first row, which is written after the first step, is the start.
    stretches = _stretches(events) or [(0, float(scalars.read(0, 1)["time"][0]))]
    total = 0.0
    for index, (_, began) in enumerate(stretches):
        following = stretches[index + 1 :]
        end = scalars.row_of(following[0][0] + 1) if following else rows
        last = float(scalars.read(end - 1, end)["time"][0]) if end else began
        if not following and run.meta and run.meta.kind == "script" and events:
            # The last steps may have left no row.
            last = max(last, float(events[-1]["time"]))
        total += max(0.0, last - began)
    return total


def _stretches(events: Sequence[Event]) -> list[tuple[int, float]]:
    """Return (the step before it, its start time) of each stretch of training that no rollback has undone."""
    stretches: list[tuple[int, float]] = []
    step: int | None = 0
    for event in events:
        if event["event"] == "rewound":
            step = int(event["step"])
            stretches = [stretch for stretch in stretches if stretch[0] < step]
        elif event.get("phase") == "training" and step is not None:
            stretches.append((step, event["time"]))
            step = None
    return stretches


def _metric(run: Run) -> dict[str, dict[str, Any]]:
    progress = run.meta.data.get("progress") if run.meta else None
    if not isinstance(progress, dict) or not isinstance(name := progress.get("name"), str):
        return {}
    higher = progress.get("higher_is_better") is not False
    course = _course(run, name, higher_is_better=higher)
    return {"metric": {"name": name, "higher_is_better": higher, **course}}


def _course(run: Run, name: str, *, higher_is_better: bool = False) -> dict[str, float | None]:
    scalars = run.scalar_table(name)
    if name not in scalars.columns or not scalars.rows:
        return {"first": None, "last": None, "best": None}
    column = scalars.columns.index(name)
    ends = [shortest(scalars.read(row, row + 1)["values"][0, column]) for row in (0, scalars.rows - 1)]
    # A summary leaves NaN out, so a NaN here means that no step had a number.
    summary = scalars.summary(0, scalars.rows, 400)
    extremes = (summary.max if higher_is_better else summary.min)[:, column]
    numbers = extremes[~np.isnan(extremes)]
    best = (
        numbers.max()
        if higher_is_better and len(numbers)
        else numbers.min()
        if len(numbers)
        else np.float32(np.nan)
    )
    return {"first": ends[0], "last": ends[1], "best": shortest(best)}


def _accuracy(events: Sequence[Event]) -> dict[str, float | None]:
    return {
        "train": _last_of(events, "evaluation", "train_accuracy"),
        "test": _last_of(events, "evaluation", "test_accuracy"),
    }


def _last_of(events: Sequence[Event], kind: str, key: str) -> float | None:
    """Return the newest value of a key; None where no event of the kind has it, or where it is NaN (no such figure)."""
    values = [event[key] for event in events if event["event"] == kind and key in event]
    if not values or not isinstance(values[-1], int | float) or math.isnan(values[-1]):
        return None
    return float(values[-1])


def _layers(run: Run) -> list[dict[str, Any]]:
    meta = run.meta
    if meta is None:
        return []
    count = len(meta.layers)
    found: list[dict[str, Any]] = [
        {"name": layer.name, "parameters": layer.parameters} for layer in meta.layers
    ]
    for metric in metrics.in_json():
        first, last = _ends(run, metric.name, count)
        for layer, earliest, newest in zip(found, first, last, strict=True):
            both = {"first": earliest, "last": newest}
            layer[metric.name] = both if metric.json == "first and last" else _known(metric, newest)
    return found


def _known(metric: Metric, value: float | None) -> float | None:
    """Return a value, but None for a share that is NaN: the layer has no such share, as a sigmoid has no dead units."""
    return None if value is not None and metric.scale == "linear" and math.isnan(value) else value


def _ends(run: Run, metric: str, layers: int) -> tuple[list[Any], list[Any]]:
    """Return the metric of each layer at its first and at its last recorded step; None where there is none."""
    table = run.table_or_empty(metric)
    if not table.rows or len(table.columns) != layers:
        nothing = [None] * layers
        return nothing, nothing
    first, last = table.read(0, 1), table.read(table.rows - 1)
    return [_number(value) for value in first["values"][0]], [_number(value) for value in last["values"][-1]]


def _number(value: np.float32) -> float | None:
    """Return the shortest number that is this float32; None where it is ABSENT."""
    return None if is_absent(float(value)) else shortest(value)


def shortest(value: np.float32) -> float:
    """Return the number with the fewest digits that is this float32, because a plain cast adds meaningless digits."""
    return float(str(value))
