"""Compare several runs on a page to share: one table, and their gradients and losses in the same charts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from gradtui.charts.series import CurveData
from gradtui.charts.svg import COLOURS
from gradtui.charts.text import text_chart
from gradtui.diagnosis.outcome import outcome_of
from gradtui.report.page import Block, Columns, Grid, Heading, Picture
from gradtui.report.run_blocks import TEXT_HEIGHT, TEXT_WIDTH, SharedRun, batch_curve
from gradtui.report.run_svg import curves_svg, wants_log
from gradtui.words import figure, percent, ratio, seconds


def compared_blocks(runs: Sequence[SharedRun]) -> Iterator[Block]:
    """Yield the table and the charts of several runs."""
    yield Heading("Comparison")
    yield Grid([_HEADS, *(_row(number, run) for number, run in enumerate(runs, 1))])
    left, right = list(_profiles(runs)), list(_losses(runs))
    if left or right:
        yield Columns(left, right)


_HEADS = ("run", "status", "steps", "time", "loss", "training", "test", "input ÷ output", "findings")


def _row(number: int, run: SharedRun) -> tuple[str, ...]:
    summary = run.summary
    findings = ", ".join(finding.code for finding in run.diagnosis.findings) or "none"
    return (
        _called(number, run),
        summary["status"],
        f"{summary['steps']:,}",
        seconds(summary["seconds"]),
        figure(summary["loss"]["last"]),
        percent(summary["accuracy"]["train"]),
        percent(summary["accuracy"]["test"]),
        _input_to_output(run),
        findings,
    )


def _called(number: int, run: SharedRun) -> str:
    return f"{number}  {run.name}"


def _input_to_output(run: SharedRun) -> str:
    """Return the gradient of the first hidden layer ÷ that of the last one, as everywhere else."""
    return ratio(outcome_of(run.diagnosis.evidence, run.diagnosis.findings, math.nan).drop)


def _profiles(runs: Sequence[SharedRun]) -> Iterator[Picture]:
    curves = []
    for number, run in enumerate(runs, 1):
        norms = run.norms("last")
        if np.isfinite(norms).any():
            depth = np.linspace(0, 100, len(norms)) if len(norms) > 1 else np.array([100.0])
            curves.append((number, CurveData(_called(number, run), depth, norms, noisy=False)))
    yield from _picture(
        "Gradient of each layer",
        "Norm at the last step of each run, from the input (0) to the output (100).",
        curves,
        "depth in percent, input → output",
        log=True,
    )


def _losses(runs: Sequence[SharedRun]) -> Iterator[Picture]:
    curves = [
        (number, curve)
        for number, run in enumerate(runs, 1)
        for curve in batch_curve(run, "loss", _called(number, run))
    ]
    yield from _picture("Loss", "Shaded: the range within each stretch of steps.", curves, "step", log=None)


def _picture(
    title: str, caption: str, numbered: Sequence[tuple[int, CurveData]], label: str, *, log: bool | None
) -> Iterator[Picture]:
    """Yield a picture of the curves of runs, each in the colour of its run; none where there are no curves."""
    if not numbered:
        return
    curves = [curve for _, curve in numbered]
    log = wants_log(curves) if log is None else log
    colours = [COLOURS[number - 1] for number, _ in numbered]
    drawn = curves_svg(curves, label=label, log=log, colours=colours)
    yield Picture(title, caption, drawn, text_chart(curves, width=TEXT_WIDTH, height=TEXT_HEIGHT, log=log))
