"""Read the evidence of a diagnosis from a run folder: a bounded amount for a run of any length."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gradtui.absent import absent_in
from gradtui.diagnosis.evidence import Evaluation, Evidence, Series
from gradtui.experiment.errors import ExperimentError
from gradtui.experiment.net_plan import net_shape
from gradtui.experiment.spec import Experiment
from gradtui.runs.errors import RunError
from gradtui.runs.events import Event
from gradtui.runs.meta import LayerMeta
from gradtui.runs.reader import Run, open_run
from gradtui.runs.script_facts import newest_facts
from gradtui.runs.script_training import training_of
from gradtui.runs.shallower_run import read_shallower_run
from gradtui.runs.table import Table

MOST_NUMBERS = 100_000
"""The most numbers that are read of one table: 1,000 rows of 100 layers."""
FEWEST_ROWS = 400
"""The fewest rows that are read of one table, for any number of layers."""
END_SHARE = 0.125
"""The share of those rows that is read one by one at the beginning, and again at the end; between them, each row is one
of the table's summaries of many steps."""
FEWEST_TARGETS = 1024
"""The fewest examples from which the loss of the best constant answer is taken: the variance of so many normal numbers
is known to 4 %, less than half of what a net must fall below it."""
TRAINED = "trained"
"""What run.json says of weights that had been trained before they were watched."""
LOSS_NAME = re.compile(r"[Ll]oss|LOSS|^[Ee]rr([A-Z_/.]|$)|(^|[_/.])(nll|bce|mse)($|[_/.])")
"""The names of numbers that are losses: val_loss, errD, loss/policy."""
TRAINING_LOSS = re.compile(
    r"(train(ing)?|total|batch|mean)[_/. -]?loss|loss[_/. -]?(train(ing)?|total)", re.IGNORECASE
)
"""The names of numbers that are the loss of the whole training, though they are not called "loss"."""
SAME_LOSS = 1e-3
"""Two numbers are the same loss if they differ by less than this share: one may have been rounded to bfloat16."""
ROWS_BEFORE_BREAK = 32
"""The number of rows that are read one by one before the first number that is not finite."""


def evidence_of(run: Run) -> Evidence:
    """Return the evidence of a run as it stands on disk now, live or finished; empty before its first step."""
    meta, experiment, events = run.meta, run.experiment, run.events()
    layers = meta.layers if meta else ()
    # Read the status first: a run that ends meanwhile must not be judged as finished without its last rows.
    finished = not run.status.live
    read: dict[str, Series] = {}

    def scalar(name: str) -> Series:
        table = run.scalar_table(name)
        if name not in table.columns:
            return Series.none()
        if table.name not in read:
            read[table.name] = _series(table)
        scalars, column = read[table.name], table.columns.index(name)
        return Series(scalars.steps, scalars.values[:, column], scalars.highest[:, column])

    def metric(name: str) -> Series:
        about = meta.tables.get(name) if meta else None
        if about is not None and about.kind == "layers" and len(about.columns) != len(layers):
            # A damaged description: the numbers cannot be given to the layers.
            return Series.none()
        return _series(run.table_or_empty(name))

    others = tuple(name for name in run.scalar_names if name != "loss" and LOSS_NAME.search(name))
    loss, whole = scalar("loss"), [name for name in others if TRAINING_LOSS.fullmatch(name)]
    if not len(loss) and len(whole) == 1:
        loss = scalar(whole[0])
    evidence = Evidence(
        layers=tuple(layer.name for layer in layers),
        kinds=tuple(layer.kind for layer in layers),
        parameters=tuple(layer.parameters for layer in layers),
        positions=_positions(experiment, layers),
        forms=tuple(layer.form for layer in layers) if any(layer.form for layer in layers) else (),
        paths=meta.paths if meta else (),
        loss=loss,
        other_losses=others,
        accuracy=scalar("accuracy"),
        grad_norm=metric("grad_norm"),
        total_norm=scalar("grad_norm"),
        clipped_norm=scalar("grad_norm_clipped"),
        output_grad_rms=metric("output_grad_rms"),
        update_ratio=metric("update_ratio"),
        weight_norm=metric("weight_norm"),
        rate=scalar("lr"),
        optimizer=_optimizer(meta.data.get("optimizer")) if meta else "",
        dead_fraction=metric("dead_fraction"),
        saturated_fraction=metric("saturated_fraction"),
        nonfinite=metric("nonfinite"),
        hidden_grad=metric("hidden_grad"),
        evaluations=_evaluations(events),
        clip_threshold=_clip_threshold(experiment, events),
        chance_loss=_number(meta.chance_loss) if meta else math.nan,
        constant_loss=_constant_loss(meta.data.get("constant")) if meta else math.nan,
        loss_kind=_loss_kind(meta.data.get("loss_kind")) if meta else "",
        loss_terms=_count(meta.data.get("loss_terms")) if meta else 1,
        target_growth=_growth(meta.data.get("targets")) if meta else math.nan,
        trained_before=bool(meta and meta.data.get("weights") == TRAINED),
        progress=_progress(meta.data.get("progress") if meta else None, scalar),
        skipped=scalar("skipped"),
        experiment=experiment,
        parent=_parent_experiment(run),
        finished=finished,
        steps_planned=meta.steps if meta else 0,
        facts=newest_facts(events),
        script=training_of(meta),
        batches=_batches(events),
        computed_in="float16" if meta and meta.data.get("computed_in") == "float16" else "",
        number_format=_smallest_format([layer.dtype for layer in layers]),
    )
    if meta is None or meta.kind != "script":
        return evidence
    return without_untrained_layers(_with_root(evidence, meta.data.get("root")))


def evidence_of_shallower(run: Run) -> Evidence | None:
    """Return the evidence of the run with fewer layers that an ended run is compared with, if there is one."""
    folder = read_shallower_run(run.folder)
    try:
        return evidence_of(open_run(folder)) if folder is not None else None
    except (RunError, OSError, ValueError):
        return None


def _with_root(evidence: Evidence, root: object) -> Evidence:
    """Return the evidence, completed by what is known of the first loss from its graph, if the script logged that loss.

    What is logged may be another number than that on which `backward()` is called: a sum without a penalty, a mean of
    many steps.
    """
    unknown = replace(evidence, constant_loss=math.nan, target_growth=math.nan)
    if not isinstance(root, Mapping):
        return evidence if evidence.loss_kind else unknown
    at = np.flatnonzero(evidence.loss.steps == root.get("step"))
    if not len(at) or not math.isclose(
        evidence.loss.values[at[0]], _number(root.get("loss")), rel_tol=SAME_LOSS
    ):
        return unknown
    return replace(
        evidence,
        chance_loss=_number(root.get("chance")),
        loss_kind=_loss_kind(root.get("kind")),
        loss_terms=_count(root.get("terms")),
    )


def _constant_loss(recorded: object) -> float:
    """Return the loss of the best constant answer; NaN if it was taken from too few examples."""
    if not isinstance(recorded, Mapping) or not _number(recorded.get("examples")) >= FEWEST_TARGETS:
        return math.nan
    loss = _number(recorded.get("loss"))
    return loss if loss > 0 else math.nan


def _growth(recorded: object) -> float:
    """Return how far the newest targets are from the first ones (`Evidence.target_growth`)."""
    parts = [recorded.get(name) for name in ("first", "newest")] if isinstance(recorded, Mapping) else []
    known = [
        (_number(part.get("mean")), _number(part.get("variance")))
        for part in parts
        if isinstance(part, Mapping)
    ]
    if len(known) < 2 or not known[0][1] > 0:
        return math.nan
    (mean, variance), (new_mean, new_variance) = known
    return (new_variance + (new_mean - mean) ** 2) / variance


def _count(recorded: object) -> int:
    return recorded if isinstance(recorded, int) and recorded > 1 else 1


def _loss_kind(recorded: object) -> Literal["", "bounded", "free"]:
    return recorded if recorded == "bounded" or recorded == "free" else ""


def _progress(recorded: object, scalar: Callable[[str], Series]) -> Series:
    """Return the number that a script logs as its progress, its sign changed where less of it is better."""
    if not isinstance(recorded, Mapping) or not isinstance(name := recorded.get("name"), str):
        return Series.none()
    logged = scalar(name)
    known = np.isfinite(logged.values)
    sign = -1.0 if recorded.get("higher_is_better") is False else 1.0
    return Series.of(logged.steps[known], sign * logged.values[known])


def _parent_experiment(run: Run) -> Experiment | None:
    """Return the experiment of the run's parent if its folder is still beside the run's and can be read."""
    parent = run.parent
    # In a run from somebody else, the parent's name may point outside of the folder of runs.
    if parent is None or parent.run in (".", "..") or Path(parent.run).name != parent.run:
        return None
    try:
        return open_run(run.folder.parent / parent.run).experiment
    except (RunError, ExperimentError, OSError, ValueError):
        return None


# -- one table


def _series(table: Table) -> Series:
    """Return all rows of a short table; of a long one both ends, summaries between them, and the rows around the
    first number that is not finite."""
    columns, rows = len(table.columns), table.rows
    if not columns:
        return Series.none()
    most = max(FEWEST_ROWS, MOST_NUMBERS // columns)
    if rows <= most:
        return _ascending(_one_by_one(table, 0, rows))
    end = int(most * END_SHARE)
    parts = [
        _one_by_one(table, 0, end),
        *_summarised(table, end, rows - end, most - 2 * end),
        _one_by_one(table, rows - end, rows),
    ]
    series = Series(
        np.concatenate([part.steps for part in parts]),
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.highest for part in parts]),
    )
    return _ascending(series)


def _ascending(series: Series) -> Series:
    """Leave out the rows of a damaged table whose step is not above all earlier ones; the rules need rising steps."""
    if not (np.diff(series.steps) <= 0).any():
        return series
    before = np.maximum.accumulate(np.concatenate([[-1], series.steps[:-1]]))
    kept = series.steps > before
    return Series(series.steps[kept], series.values[kept], series.highest[kept])


def _one_by_one(table: Table, start: int, stop: int) -> Series:
    records = table.read(start, stop)
    return Series.of(records["step"], records["values"])


def _summarised(table: Table, start: int, stop: int, buckets: int) -> list[Series]:
    summary = table.summary(start, stop, buckets)
    series = Series.of(summary.step, summary.mean, summary.max)
    broken = np.flatnonzero(~np.isfinite(series.values).all(axis=1))
    if not len(broken):
        return [series]
    bucket = int(broken[0])
    first = table.row_of(int(series.steps[bucket]))
    last = table.row_of(int(series.steps[bucket + 1])) if bucket + 1 < len(series) else stop
    inside = _one_by_one(table, first, last)
    bad = np.flatnonzero(~np.isfinite(inside.values).all(axis=1))
    at = int(bad[0]) if len(bad) else 0
    return [
        series.part(0, bucket),
        inside.part(max(0, at - ROWS_BEFORE_BREAK), at + 1),
        series.part(bucket + 1, None),
    ]


# -- what run.json, the experiment and the events say


def _positions(experiment: Experiment | None, layers: Sequence[LayerMeta]) -> tuple[float, ...]:
    if experiment is None or not layers:
        return tuple(layer.places for layer in layers) if any(layer.places for layer in layers) else ()
    try:
        shapes = net_shape(experiment).layers
    except ExperimentError:
        # The data's file may be on another machine.
        return ()
    if len(shapes) != len(layers):
        return ()
    return tuple(math.prod(_places(layer.output)) for layer in shapes)


def _places(output: tuple[int, ...]) -> tuple[int, ...]:
    """Return the axes of places: the last ones of (channels, height, width), the first of (steps, features)."""
    return output[1:] if len(output) == 3 else output[:-1]


def _evaluations(events: Sequence[Event]) -> tuple[Evaluation, ...]:
    figures = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")
    return tuple(
        Evaluation(int(event.get("step") or 0), *(_number(event.get(name)) for name in figures))
        for event in events
        if event.get("event") == "evaluation"
    )


def _optimizer(recorded: object) -> str:
    names = list(recorded.values()) if isinstance(recorded, Mapping) else []
    return names[0] if len(names) == 1 and isinstance(names[0], str) else ""


def _batches(events: Sequence[Event]) -> dict[int, tuple[int | float | str, ...]]:
    """Return the ids of the examples of those steps of which a script's recording kept them."""
    return {
        int(event["step"]): tuple(one for one in event["ids"] if isinstance(one, int | float | str))
        for event in events
        if event.get("event") == "batch"
        and event.get("step") is not None
        and isinstance(event.get("ids"), list)
    }


def _clip_threshold(experiment: Experiment | None, events: Sequence[Event]) -> float:
    threshold = experiment.cures.clip_norm if experiment else 0.0
    for event in events:
        changes = event.get("set")
        if event.get("event") == "control" and isinstance(changes, Mapping):
            threshold = _number(changes.get("cures.clip_norm", threshold))
    return threshold


def _smallest_format(formats: Sequence[str]) -> str:
    """Return the smallest number format of all layers; empty where there is none."""
    return next((one for one in ("float16", "bfloat16", *formats) if one in formats), "")


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


# -- layers that a script does not train


def without_untrained_layers(evidence: Evidence) -> Evidence:
    """Return the evidence without the layers of a script that never had a gradient.

    A layer that is frozen, left out of a step, or trained by another optimizer in turn has none (`gradtui.absent`).
    Runs of early versions have NaN there, as for a gradient that contains NaN; the norm of all parameters distinguishes
    the two cases, since it is NaN only in the second. If a layer had no gradient for a while, its last (or first) one
    fills the gap, since the gap says nothing about its health.
    """
    norms = evidence.grad_norm
    if not len(norms):
        return evidence
    absent = absent_in(norms.values)
    if len(evidence.total_norm):
        absent |= np.isnan(norms.values) & _total_is_finite(evidence)[:, None]
    if not absent.any():
        return evidence
    # A layer without gradients while the total was finite is taken to have none later, when the total is NaN too.
    absent |= np.isnan(norms.values).all(axis=0) & absent.any(axis=0)
    trained = np.flatnonzero(~absent.all(axis=0))
    values, highest = (_filled(rows, absent)[:, trained] for rows in (norms.values, norms.highest))
    new = np.full(len(evidence.layers), -1)
    new[trained] = np.arange(len(trained))
    others: dict[str, Any] = {
        name: Series(series.steps, series.values[:, trained], series.highest[:, trained])
        for name in evidence.__dataclass_fields__
        if isinstance(series := getattr(evidence, name), Series)
        and series.values.ndim == 2
        and series.values.shape[1] == len(evidence.layers)
        and name != "hidden_grad"
    }
    return replace(
        evidence,
        **{**others, "grad_norm": Series(norms.steps, values, highest)},
        layers=tuple(evidence.layers[index] for index in trained),
        kinds=tuple(evidence.kinds[index] for index in trained),
        parameters=tuple(evidence.parameters[index] for index in trained),
        positions=tuple(evidence.positions[index] for index in trained) if evidence.positions else (),
        forms=tuple(evidence.forms[index] for index in trained) if evidence.forms else (),
        paths=tuple(tuple(int(new[index]) for index in path if new[index] >= 0) for path in evidence.paths),
    )


def _total_is_finite(evidence: Evidence) -> NDArray[np.bool_]:
    """Return (rows,): whether the norm of all parameters was finite at the step of each row of `grad_norm`."""
    total = evidence.total_norm
    at = np.searchsorted(total.steps, evidence.grad_norm.steps, side="right") - 1
    finite: NDArray[np.bool_] = np.isfinite(total.values[np.maximum(at, 0)])
    return finite


def _filled(values: NDArray[np.float64], absent: NDArray[np.bool_]) -> NDArray[np.float64]:
    rows = np.arange(len(values))[:, None]
    last = np.maximum.accumulate(np.where(absent, -1, rows), axis=0)
    following = np.minimum.accumulate(np.where(absent, len(values), rows)[::-1], axis=0)[::-1]
    source = np.where(last >= 0, last, np.minimum(following, len(values) - 1))
    filled: NDArray[np.float64] = np.take_along_axis(values, source, axis=0)
    return filled
