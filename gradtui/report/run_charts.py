"""Draw the charts of a run's page as lines of text, like those on the screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.text import Text

from gradtui.absent import ABSENT, log10_of
from gradtui.charts.factor_bars import SLOPE_INK, WEIGHTS_INK, WHOLE_INK, FactorBars, bar_sign
from gradtui.charts.palette import text_palette
from gradtui.charts.scale import Scale
from gradtui.charts.series import CurveData
from gradtui.charts.text import text_chart, text_factors, text_profile
from gradtui.headlines import gradient_headline
from gradtui.report.output import Paper

if TYPE_CHECKING:
    from gradtui.diagnosis.factors import Factors
    from gradtui.runs.reader import Run

PROFILE_HEIGHT = 9
CURVES_HEIGHT = 9
SIDE_BY_SIDE_FROM = 72
"""The least width at which two charts are drawn side by side."""
GAP = 2
"""The columns between two charts."""


def gradient_charts(layers: Sequence[dict[str, Any]], paper: Paper) -> Iterator[Text]:
    """Yield the gradient of each layer at the first and at the last step, on one scale.

    layers: the layers of `run_object`. Nothing is drawn where no gradient was recorded.
    """
    ends = ("first", "last")
    if all(layer["grad_norm"][end] is None for layer in layers for end in ends):
        return
    rows = {end: np.array([_or_none(layer["grad_norm"][end]) for layer in layers]) for end in ends}
    scale = Scale("log")
    scale.include(np.concatenate([log10_of(row) for row in rows.values()]))
    for end, norms in rows.items():
        yield Text(f"Gradient of each layer at the {end} step (norm)", "bold")
        yield Text(gradient_headline([layer["name"] for layer in layers], norms.tolist()).text)
        yield from profile_chart(log10_of(norms), paper, scale)


def _or_none(norm: float | None) -> float:
    return ABSENT if norm is None else norm


def profile_chart(
    values: np.ndarray,
    paper: Paper,
    scale: Scale | None = None,
    theory: np.ndarray | None = None,
    of: str = "layer",
) -> list[Text]:
    """Return upright bars of log10 values, (layers,) or, of each "lag", (lags,).

    theory: the predicted values, NaN where there are none.
    """
    chart = text_profile(
        values,
        width=paper.width,
        height=PROFILE_HEIGHT,
        theory=theory,
        scale=scale,
        of=of,
        colour=paper.colour,
        ascii=paper.ascii,
    )
    return _lines(chart)


def factor_chart(factors: Factors, paper: Paper) -> list[Text]:
    """Return factors of layers or time steps as bars up or down from 1, with the product over them."""
    chart = text_factors(
        FactorBars(factors.total, factors.slope, factors.weights, factors.running, factors.theory),
        width=paper.width,
        height=PROFILE_HEIGHT,
        of="lag" if factors.over_time else "layer",
        colour=paper.colour,
        ascii=paper.ascii,
    )
    palette = text_palette(paper.colour, paper.ascii)
    parted = factors.slope == factors.slope
    signs = [
        (parted.any(), bar_sign(SLOPE_INK, palette), "bright_blue", "derivative ×"),
        (parted.any(), bar_sign(WEIGHTS_INK, palette), "yellow", "weights"),
        ((~parted & (factors.total == factors.total)).any(), bar_sign(WHOLE_INK, palette), "green", "whole"),
        (True, "o" if paper.ascii else "•", "", "product"),
        ((factors.theory == factors.theory).any(), "-" if paper.ascii else "─", "magenta", "theory"),
    ]
    shown = [Text.assemble((sign, style), f" {words}") for there, sign, style, words in signs if there]
    legend = Text("  ").join(shown)
    return [*_lines(chart), legend, *([Text(factors.note, "dim")] if factors.note else [])]


def curve_charts(run: Run, evaluations: Sequence[Any], paper: Paper) -> Iterator[Text]:
    """Yield loss and accuracy over the steps, side by side where there is room."""
    two = paper.width >= SIDE_BY_SIDE_FROM
    each = Paper((paper.width - GAP) // 2, paper.colour, paper.ascii) if two else paper
    charts = [
        chart
        for name, y_range in (("loss", None), ("accuracy", (0.0, 1.0)))
        if (chart := _curve_chart(run, name, evaluations, y_range, each))
    ]
    if two and len(charts) == 2:
        for left, right in zip(*charts, strict=True):
            left.align("left", each.width + GAP)
            yield left + right
    else:
        for chart in charts:
            yield from chart


def _curve_chart(
    run: Run, name: str, evaluations: Sequence[Any], y_range: tuple[float, float] | None, paper: Paper
) -> list[Text]:
    table = run.scalar_table(name)
    # A curve needs two points, and a figure that the task does not have is NaN at every step.
    if name not in table.columns or table.rows < 2:
        return []
    batches = table.summary(0, table.rows, 2 * paper.width).column(table.columns.index(name))
    if np.isnan(batches.min).all():
        return []
    series = [CurveData("batch", batches.step, batches.mean)]
    for part in ("train", "test"):
        known = [event for event in evaluations if isinstance(event.get(f"{part}_{name}"), int | float)]
        if len(known) > 1:
            steps = [event["step"] for event in known]
            series.append(CurveData(part, steps, [event[f"{part}_{name}"] for event in known]))
    chart = text_chart(
        series,
        width=paper.width,
        height=CURVES_HEIGHT,
        y_range=y_range,
        colour=paper.colour,
        ascii=paper.ascii,
    )
    lines = _lines(chart)
    return [Text(name.capitalize(), "bold"), *lines, *[Text()] * (CURVES_HEIGHT - len(lines))]


def _lines(chart: str) -> list[Text]:
    return [Text.from_ansi(line) for line in chart.split("\n")]
