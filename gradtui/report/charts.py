"""The charts of a run's page, as lines of text drawn like those on the screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.text import Text

from gradtui.charts.scale import Scale, log10_of
from gradtui.charts.series import Series
from gradtui.charts.text import text_chart, text_profile
from gradtui.metrics import gradient_headline

if TYPE_CHECKING:
    from gradtui.runs.reader import Run

BARS_HEIGHT = 9
CURVES_HEIGHT = 9
LEAST_FOR_TWO = 72
"""Columns from which on two charts stand side by side."""
GAP = 2


@dataclass(frozen=True)
class Paper:
    """What is written on."""

    width: int
    colour: bool
    ascii: bool
    """Whether it takes nothing but ASCII."""


def gradient_charts(layers: Sequence[dict[str, Any]], paper: Paper) -> Iterator[Text]:
    """The gradient of each layer at the first and at the last step, on one scale.

    layers: of the summary. Nothing where no gradient was recorded.
    """
    if not layers or layers[0]["grad_norm"]["first"] is None:
        return
    rows = {end: np.array([layer["grad_norm"][end] for layer in layers]) for end in ("first", "last")}
    scale = Scale("log")
    scale.include(np.concatenate([log10_of(row) for row in rows.values()]))
    for end, norms in rows.items():
        yield Text(f"Gradient of each layer at the {end} step (norm)", "bold")
        yield Text(gradient_headline([layer["name"] for layer in layers], norms.tolist()).text)
        yield from profile(log10_of(norms), paper, scale)


def profile(
    values: np.ndarray, paper: Paper, scale: Scale | None = None, theory: np.ndarray | None = None
) -> list[Text]:
    """Upright bars of log10 numbers, (layers,); `theory`: what is expected of them, NaN where it says nothing."""
    chart = text_profile(
        values,
        width=paper.width,
        height=BARS_HEIGHT,
        theory=theory,
        scale=scale,
        colour=paper.colour,
        ascii=paper.ascii,
    )
    return _lines(chart)


def curves(run: Run, evaluations: Sequence[Any], paper: Paper) -> Iterator[Text]:
    """Loss and accuracy over the steps, side by side where there is room."""
    two = paper.width >= LEAST_FOR_TWO
    each = Paper((paper.width - GAP) // 2, paper.colour, paper.ascii) if two else paper
    charts = [
        chart
        for name, y_range in (("loss", None), ("accuracy", (0.0, 1.0)))
        if (chart := _curve(run, name, evaluations, y_range, each))
    ]
    if two and len(charts) == 2:
        for left, right in zip(*charts, strict=True):
            left.align("left", each.width + GAP)
            yield left + right
    else:
        for chart in charts:
            yield from chart


def _curve(
    run: Run, name: str, evaluations: Sequence[Any], y_range: tuple[float, float] | None, paper: Paper
) -> list[Text]:
    table = run.scalar_table(name)
    # A curve needs two points; and of a figure that the task does not have, every value is NaN.
    if name not in table.columns or table.rows < 2:
        return []
    batches = table.summary(0, table.rows, 2 * paper.width).column(table.columns.index(name))
    if np.isnan(batches.min).all():
        return []
    series = [Series("batch", batches.step, batches.mean)]
    for part in ("train", "test"):
        known = [event for event in evaluations if isinstance(event.get(f"{part}_{name}"), int | float)]
        if len(known) > 1:
            steps = [event["step"] for event in known]
            series.append(Series(part, steps, [event[f"{part}_{name}"] for event in known]))
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
