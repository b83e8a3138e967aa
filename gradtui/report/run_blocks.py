"""Describe a run on a page to share: findings, gradient over depth and time, curves, experiment and cost."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from gradtui import metrics
from gradtui.absent import ABSENT, absent_in, log10_of
from gradtui.charts.series import CurveData
from gradtui.charts.text import text_chart, text_heat, text_plane, text_profile
from gradtui.diagnosis.evidence import last_hidden_layer
from gradtui.diagnosis.findings import REGISTRY, when_found
from gradtui.diagnosis.monitor import RunDiagnosis, diagnose_run
from gradtui.diagnosis.profile import growth, healthy_range
from gradtui.experiment.errors import ExperimentError
from gradtui.experiment.overrides import as_options
from gradtui.headlines import gradient_headline, lag_headline
from gradtui.report.divergences import divergences
from gradtui.report.page import Advice, Block, Columns, Folding, Grid, Heading, Notice, Picture, Prose, Source
from gradtui.report.run_json import run_object
from gradtui.report.run_svg import (
    MOST_ROWS,
    DrawnProfile,
    curves_svg,
    plane_svg,
    profile_svg,
    wants_log,
    waterfall_svg,
)
from gradtui.runs.plane import Plane, read_plane
from gradtui.runs.summary import Summary
from gradtui.words import figure, net_in_words, percent, seconds, several, which_layers

if TYPE_CHECKING:
    from gradtui.runs.reader import Run

MOST_LAYERS = 2000
"""The most layers in the table of numbers; `gradtui diagnose --json` has all."""
FIXES_SHOWN = 3
"""The number of fixes that are shown without unfolding."""
CURVE_POINTS = 200
TEXT_WIDTH, TEXT_HEIGHT = 80, 11
TITLES = {row.code: row.title for row in REGISTRY}


@dataclass(frozen=True)
class SharedRun:
    """A SharedRun is a run with the data of its page, read once so that all parts of the page agree."""

    run: Run
    summary: dict[str, Any]
    """The run's `run_object`, as `gradtui diagnose --json` prints it."""
    diagnosis: RunDiagnosis

    @classmethod
    def read(cls, run: Run) -> SharedRun:
        """Read a run in its present state."""
        diagnosis = diagnose_run(run)
        return cls(run, run_object(run, [*diagnosis.findings, *diagnosis.information]), diagnosis)

    @property
    def name(self) -> str:
        """Return the run's name."""
        return str(self.summary["name"])

    def norms(self, end: str) -> np.ndarray:
        """Return the gradient norm of each layer at the "first" or "last" step, (layers,)."""
        values = [layer["grad_norm"][end] for layer in self.summary["layers"]]
        return np.array([ABSENT if value is None else value for value in values], np.float64)

    @property
    def recorded(self) -> bool:
        """Return whether the gradient of any layer was recorded."""
        return bool(self.summary["layers"]) and not absent_in(self.norms("last")).all()

    @cached_property
    def evaluations(self) -> list[Any]:
        """Return the events of evaluations over whole data sets."""
        return [event for event in self.run.events() if event["event"] == "evaluation"]


def run_blocks(shared: SharedRun) -> Iterator[Block]:
    """Yield all blocks of a run's page after its name."""
    yield from _headline(shared)
    yield Heading("Findings")
    yield from finding_blocks(shared)
    yield from _charts(shared)
    yield from _plane(shared)
    yield from _cures(shared)
    yield from _experiment(shared)
    yield Heading("Cost")
    yield Grid(_cost(shared), numbers=False)
    yield from _layer_table(shared)


def _headline(shared: SharedRun) -> Iterator[Block]:
    summary = shared.summary
    layers = summary["layers"]
    if shared.recorded:
        if (lags := _newest_lags(shared)) is not None:
            text = lag_headline(lags[1], lags[2].tolist()).text
        else:
            text = gradient_headline([layer["name"] for layer in layers], shared.norms("last").tolist()).text
        # Some headlines are sentences; others are only a comparison, which needs a beginning.
        compared = text[0].isdigit() or text.startswith("as strong")
        sentence = f"the gradient is {text}" if compared else text
        # The finding comes first: units that saturate hide an explosion from the end of a run.
        found = next((one for one in summary["findings"] if one["severity"] != "info"), None)
        if found is not None:
            sentence = f"{found['code']} {when_found(found['code'], found['step'])}; at the end {sentence}"
        yield Prose(f"{sentence[0].upper()}{sentence[1:]}.", "lead")
    parts = [several(len(layers), "layer"), several(_parameters(shared), "parameter")] if layers else []
    parts.append(f"{summary['status']} after {summary['steps']:,} steps in {seconds(summary['seconds'])}")
    yield Prose(" · ".join(parts), "weak")
    if reason := shared.run.status.reason:
        yield Prose(reason, "weak")
    if parent := shared.run.parent:
        whose = f"step {parent.step:,} of {parent.run}" if parent.step else f"the beginning of {parent.run}"
        yield Prose(f"Started from {whose}{parent.cure and f', with the change {parent.cure}'}.", "weak")
    figures = [
        ("loss", summary["loss"]["last"], figure),
        ("training accuracy", summary["accuracy"]["train"], percent),
    ]
    figures.append(("test accuracy", summary["accuracy"]["test"], percent))
    if known := [f"{name} {written(value)}" for name, value, written in figures if value is not None]:
        yield Prose(f"At the last step: {', '.join(known)}.")


def _parameters(shared: SharedRun) -> int:
    return sum(layer["parameters"] for layer in shared.summary["layers"])


def finding_blocks(shared: SharedRun) -> Iterator[Block]:
    """Yield the findings of a run with their evidence, or that there are none."""
    if not shared.summary["layers"] or not shared.summary["steps"]:
        yield Prose("Nothing was recorded.")
        return
    if not shared.diagnosis.findings:
        judgement = shared.diagnosis.judgement
        yield Prose(judgement.without_finding, "good" if judgement.state == "clean" else "")
    for finding in (*shared.diagnosis.findings, *shared.diagnosis.remarks):
        where = f"{finding.severity}, {finding.when}{which_layers(finding.layers)}"
        yield Notice(finding.severity, finding.code, TITLES.get(finding.code, ""), where, finding.evidence)


def _cures(shared: SharedRun) -> Iterator[Block]:
    # An explosion and the NaN that follows it have the same cures, which are shown once.
    offers = [cure for finding in shared.diagnosis.findings for cure in finding.cures] or list(
        shared.diagnosis.advice
    )
    cures = list({cure.name: cure for cure in offers}.values())
    if cures:
        found = bool(shared.diagnosis.findings)
        yield Heading("Possible cures, best first" if found else "Changes that may help it learn more")
    advice = [Advice(cure.name, cure.why, cure.price, as_options(cure.set)) for cure in cures]
    yield from advice[:FIXES_SHOWN]
    if more := advice[FIXES_SHOWN:]:
        yield Folding(f"{len(more)} more", more)


# -- charts


def _charts(shared: SharedRun) -> Iterator[Block]:
    left = [*_profile(shared), *_lags(shared), *_waterfall(shared)]
    right = [picture for name in ("loss", "accuracy") for picture in _curve(shared, name)]
    if left or right:
        yield Heading("Gradient and learning")
        yield Columns(left, right)


def _profile(shared: SharedRun) -> Iterator[Picture]:
    if not shared.recorded:
        return
    first, last = shared.norms("first"), shared.norms("last")
    layers = shared.run.meta.layers if shared.run.meta else ()
    level = last_hidden_layer([layer.kind for layer in layers])
    norms = _scalar(shared, "grad_norm")
    healthy = healthy_range("grad_norm", last, [layer.parameters for layer in layers], level, growth(norms))
    line = None if np.array_equal(first, last, equal_nan=True) else DrawnProfile("first step", first)
    yield Picture(
        "Gradient of each layer",
        f"Norm of the gradient of the layer's parameters at step {shared.summary['steps']:,}, "
        "on a logarithmic axis" + ("." if healthy is None else "; bars of equal height are healthy."),
        profile_svg(DrawnProfile("last step", last), line, healthy),
        text_profile(log10_of(last), width=TEXT_WIDTH, height=TEXT_HEIGHT),
    )


def _lags(shared: SharedRun) -> Iterator[Picture]:
    """Yield the gradient by time lag of a recurrent net, where a gradient that vanishes over time is seen."""
    if (lags := _newest_lags(shared)) is None:
        return
    step, _, newest = lags
    yield Picture(
        metrics.get("hidden_grad").title,
        f"At step {step:,}, on a logarithmic axis; where bars are low, the net hardly learns from inputs "
        "so far back.",
        profile_svg(DrawnProfile("last sample", newest), across="steps back in time", start=0),
        text_profile(log10_of(newest), width=TEXT_WIDTH, height=TEXT_HEIGHT, of="lag"),
    )


def _newest_lags(shared: SharedRun) -> tuple[int, list[str], np.ndarray] | None:
    """Return the newest step of a recurrent net with the names and gradients of its time lags, (lags,)."""
    table = shared.run.table_or_empty("hidden_grad")
    if not table.rows:
        return None
    steps, _, values = table.values(table.rows - 1)
    return int(steps[0]), list(table.columns), values[0].astype(np.float64)


def _waterfall(shared: SharedRun) -> Iterator[Picture]:
    table = shared.run.table_or_empty("grad_norm")
    if not shared.recorded or table.rows < 2 or len(table.columns) != len(shared.summary["layers"]):
        return
    history = table.summary(0, table.rows, MOST_ROWS)
    # A single NaN among the steps of a row must be visible; a row that has no number at all stays ABSENT.
    broken = np.isnan(history.mean) & ~absent_in(history.mean)
    norms = np.where(broken | absent_in(history.mean), history.mean, history.max).astype(np.float64)
    steps = history.step.tolist()
    yield Picture(
        "Gradient over the steps",
        (
            "Each row stands for some steps, from the first (at the top) to the last; the colour shows "
            "the largest norm among them."
        ),
        waterfall_svg(steps, norms),
        text_heat(steps, log10_of(norms), width=TEXT_WIDTH),
    )


def _curve(shared: SharedRun, name: str) -> Iterator[Picture]:
    curves = [*batch_curve(shared, name), *_evaluations(shared, name)]
    if not curves:
        return
    ends = (0.0, 1.0) if name == "accuracy" else None
    log = name != "accuracy" and wants_log(curves)
    marks = [(float(one.step), one.kind) for one in divergences(shared.run.events())][:1]
    text = text_chart(curves, width=TEXT_WIDTH, height=TEXT_HEIGHT, log=log, y_range=ends)
    yield Picture(name.capitalize(), "", curves_svg(curves, ends=ends, log=log, marks=marks), text)


def _plane(shared: SharedRun) -> Iterator[Block]:
    """Yield what the net computed over the plane at the first and at the last recorded step."""
    last = read_plane(shared.run)
    if last is None:
        return
    first = read_plane(shared.run, last.steps[0]) if len(last.steps) > 1 else None
    yield Heading("What the net computes")
    pictures = [_plane_picture(plane) for plane in (first, last) if plane is not None]
    yield Columns(pictures[:1], pictures[1:])


def _plane_picture(plane: Plane) -> Picture:
    about = "The number that the net gives at each place of the plane."
    if plane.about.classes:
        right = (
            f"{percent(plane.accuracy)} of the {len(plane.about.x):,} training points shown lie in the "
            "region of their class."
        )
        about = f"The class that the net gives at each place of the plane. {right}"
    return Picture(f"At step {plane.step:,}", about, plane_svg(plane), text_plane(plane))


def _scalar(shared: SharedRun, name: str) -> Summary | None:
    table = shared.run.scalar_table(name)
    if name not in table.columns or table.rows < 2:
        return None
    return table.summary(0, table.rows, CURVE_POINTS).column(table.columns.index(name))


def batch_curve(shared: SharedRun, name: str, called: str = "batch") -> list[CurveData]:
    """Return a scalar over the steps as a curve of that name; an empty list where it was not recorded."""
    found = _scalar(shared, name)
    if found is None or not np.isfinite(found.mean).any():
        return []
    return [CurveData(called, found.step, found.mean, low=found.min, high=found.max)]


def _evaluations(shared: SharedRun, name: str) -> Iterator[CurveData]:
    for part in ("train", "test"):
        known = [
            event for event in shared.evaluations if isinstance(event.get(f"{part}_{name}"), int | float)
        ]
        if len(known) > 1:
            values = np.array([event[f"{part}_{name}"] for event in known], np.float64)
            if np.isfinite(values).any():
                yield CurveData(f"{part} set", [event["step"] for event in known], values, noisy=False)


# -- experiment, cost and numbers


def _experiment(shared: SharedRun) -> Iterator[Block]:
    meta, experiment = shared.run.meta, shared.run.experiment
    yield Heading("Experiment")
    if meta is not None and meta.experiment is not None and (words := net_in_words(meta.experiment)):
        yield Prose(words)
    if experiment is not None:
        from gradtui.experiment.short_string import to_short_string
        from gradtui.experiment.toml import dumps

        yield Prose("Open it in gradtui:")
        yield Source(f"gradtui {to_short_string(experiment)}")
        title = "The experiment as TOML (gradtui run FILE.toml trains it again)"
        yield Folding(title, [Source(dumps(experiment).rstrip())])
    elif meta is not None:
        yield Prose("This is the training of a script, recorded by gradtui.")
        gradient = meta.data.get("gradient")
        if isinstance(gradient, str):
            yield Prose(f"Gradient: {gradient}", "weak")
    for step, kind, what, batch in divergences(shared.run.events()):
        yield Prose(f"{kind[:1].upper()}{kind[1:]} at step {step:,}: {what}, {batch}.")


def _cost(shared: SharedRun) -> list[tuple[str, str]]:
    summary, meta = shared.summary, shared.run.meta
    rows = [("", ""), ("steps", f"{summary['steps']:,}"), ("time", seconds(summary["seconds"]))]
    taken = summary["steps"] - (shared.run.parent.step if shared.run.parent else 0)
    if summary["seconds"] > 0:
        rows.append(("steps per second", f"{taken / summary['seconds']:,.0f}"))
    if summary["overhead"] is not None:
        rows.append(("recording", f"{percent(summary['overhead'])} of the step time"))
    if (memory := _memory(shared)) is not None:
        rows.append(("memory, estimated", memory))
    if meta is not None:
        versions = ", ".join(f"{name} {version}" for name, version in meta.versions.items())
        rows += [(name, text) for name, text in (("device", meta.device), ("versions", versions)) if text]
    return rows


def _memory(shared: SharedRun) -> str | None:
    """Return the memory that the training needs in words; None where it is not known."""
    from gradtui.experiment.memory import memory_of
    from gradtui.experiment.recorded_shape import shape_in
    from gradtui.ordinary_files import in_bytes

    meta, experiment = shared.run.meta, shared.run.experiment
    shape = shape_in(meta.data) if meta is not None else None
    # Without the recorded shape, the files that an experiment names would be opened, and these may be any files.
    if meta is None or experiment is None or shape is None:
        return None
    with contextlib.suppress(ExperimentError):
        return in_bytes(memory_of(experiment, meta.parameters or None, shape).total)
    return None


def _layer_table(shared: SharedRun) -> Iterator[Block]:
    layers = shared.summary["layers"]
    if not layers:
        return
    chosen = metrics.in_json()
    heads = ["layer", "parameters"]
    for metric in chosen:
        ends = (" first", " last") if metric.json == "first and last" else ("",)
        heads += [f"{metric.name}{end}" for end in ends]
    rows = [tuple(heads)]
    for layer in layers[:MOST_LAYERS]:
        cells = [layer["name"], str(layer["parameters"])]
        for metric in chosen:
            value = layer[metric.name]
            values = (value["first"], value["last"]) if isinstance(value, dict) else (value,)
            cells += ["–" if one is None else str(one) for one in values]
        rows.append(tuple(cells))
    blocks: list[Block] = [Grid(rows)]
    if len(layers) > MOST_LAYERS:
        text = f"{len(layers) - MOST_LAYERS:,} more layers are left out; gradtui diagnose --json lists all."
        blocks.append(Prose(text, "weak"))
    yield Folding(f"The numbers of all layers ({len(layers):,})", blocks)
