"""Describe a study on a page to share: its charts, its findings, its ranking and its runs."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence

from gradtui.experiment.errors import ExperimentError
from gradtui.report.output import Paper
from gradtui.report.page import Block, Columns, Folding, Grid, Heading, Notice, Picture, Prose, Source
from gradtui.report.run_blocks import TEXT_WIDTH, TITLES
from gradtui.report.run_svg import WIDTH
from gradtui.report.study_charts import study_chart
from gradtui.report.study_page import ranking_of, table_rows
from gradtui.report.study_svg import drawing_of
from gradtui.study.chart_data import Chart
from gradtui.study.spec import dumps
from gradtui.study.state import StudyState
from gradtui.words import figure, percent, several


def study_blocks(state: StudyState) -> Iterator[Block]:
    """Yield all blocks of a study's page after its name."""
    ended = (
        f"{state.ended:,} of {several(state.total, 'run')}"
        if state.ended < state.total
        else several(state.total, "run")
    )
    yield Prose(f"Study · {state.status} · {ended}", "weak")
    if state.spec.description:
        yield Prose(state.spec.description, "lead")
    if state.charts:
        pictures = [_picture(chart) for chart in state.charts]
        yield Columns(pictures[::2], pictures[1::2])
    if state.findings:
        yield Heading("Findings")
    for finding in state.findings:
        where = f"critical{finding.series and f', {finding.series}'}"
        yield Notice("critical", finding.code, TITLES.get(finding.code, ""), where, finding.evidence)
    yield from _results(state)
    yield Heading("Runs")
    yield Folding(f"All {state.total:,} runs", [Grid(list(_runs(state)))])
    # The experiment of a study cannot be written out if its base was a file that no longer exists.
    with contextlib.suppress(ExperimentError):
        source = dumps(state.spec).rstrip()
        yield Heading("Study")
        yield Folding("The study as TOML (gradtui study FILE.toml trains it again)", [Source(source)])


def _picture(chart: Chart) -> Picture:
    paper = Paper(TEXT_WIDTH, colour=False, ascii=False)
    lines = [line.plain.rstrip() for line in study_chart(chart, paper)]
    return Picture(chart.title, "", drawing_of(chart, WIDTH), "\n".join(lines[1:]))


def _results(state: StudyState) -> Iterator[Block]:
    rows: Sequence[Sequence[str]] = ranking_of(state) if state.ranked else table_rows(state)
    if rows:
        yield Heading(f"Ranked against {state.rows[0].member.change}" if state.ranked else "Results")
        yield Grid(rows, numbers=not state.ranked)


def _runs(state: StudyState) -> Iterator[tuple[str, ...]]:
    yield "run", "status", "steps", "loss", "training", "test", "findings"
    for row in state.rows:
        outcome = row.outcome
        values = () if outcome is None else (outcome.accuracy, outcome.test_accuracy)
        shares = [percent(None if math.isnan(value) else value) for value in values]
        numbers = ("–",) * 3 if outcome is None else (figure(outcome.loss), *shares)
        found = ", ".join(row.codes) or ("none" if row.completed else "–")
        yield row.name, row.reason or row.state, f"{row.step:,}", *numbers, found
