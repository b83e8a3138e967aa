"""A study on one page of text: what it is, its charts, what was found, the table, the ranking."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Any

from rich.text import Text

from gradtui.diagnosis.outcome import Outcome
from gradtui.report.output import Paper, aligned, print_sections, stdout_paper
from gradtui.report.study_charts import chart_lines
from gradtui.runs.library import profile_of
from gradtui.study.charts import spread
from gradtui.study.results import table
from gradtui.study.study_state import StudyRow, StudyState
from gradtui.words import blocks, seconds

MOST_ROWS = 60
"""Of the table; --csv has them all."""


def print_study(state: StudyState) -> None:
    """Print the page to stdout."""
    paper = stdout_paper()
    print_sections(
        paper,
        headline(state),
        chart_lines(state.charts, paper),
        _findings(state, paper),
        _ranking(state, paper) if state.ranked else _table(state),
        _remarks(state),
        _where(state),
    )


def headline(state: StudyState) -> Iterator[Text]:
    """What it is, and how it ended."""
    ended = f"{state.ended} of {state.total} runs" if state.ended < state.total else f"{state.total} runs"
    yield Text(f"{state.name}  {state.status}, {ended}, {seconds(state.seconds)}", "bold")
    if state.spec.description:
        yield Text(state.spec.description)


def _findings(state: StudyState, paper: Paper) -> Iterator[Text]:
    for finding in state.findings:
        yield Text(f"✖ {finding.code}{f', {finding.series}' if finding.series else ''}", "bold red")
        for line in wrap(finding.evidence, paper.width, initial_indent="  ", subsequent_indent="  "):
            yield Text(line)


def _ranking(state: StudyState, paper: Paper) -> Iterator[Text]:
    changes: dict[str, list[StudyRow]] = {}
    for row in state.rows:
        changes.setdefault(row.member.change, []).append(row)
    first = next(iter(changes))
    yield Text(f"Ranked by what was measured, against {first}", "bold")
    heads = ("", "", "training", "test", "1st÷last", "a step", "gradient, input → output", "")
    before = state.ranked[0].verdict.before
    rows = [heads, ("", first, *_figures(before, changes[first], paper), ", ".join(before.codes))]
    for place, one in enumerate(state.ranked, 1):
        after = one.verdict.after
        figures = _figures(after, changes[one.change], paper, one.verdict.price)
        found = ", ".join(after.codes)
        rows.append((str(place), one.change, *figures, one.verdict.word + (f": {found}" if found else "")))
    yield from _aligned(rows)


def _figures(outcome: Outcome, rows: Sequence[StudyRow], paper: Paper, price: float = 1.0) -> tuple[str, ...]:
    """1st÷last at the start, and the gradient over depth at the last step of the first seed, as a small chart."""
    gradients = next((row.gradients for row in rows if row.gradients is not None), None)
    drawn = "" if gradients is None or paper.ascii else blocks(profile_of(gradients.tolist()))
    return (
        _number(outcome.accuracy),
        _number(outcome.test_accuracy),
        _power(spread(rows, "drop")[0]),
        f"× {price:.2f}",
        drawn,
    )


def _table(state: StudyState) -> Iterator[Text]:
    """Means over the seeds, with their least and greatest; of a map, whose picture says the same, nothing."""
    if state.spec.compare.kind == "map":
        return
    points = table(state)
    figures = [name for name in state.spec.compare.y if name != "outcome"]
    figures += [name for name in ("train_accuracy", "drop") if name not in figures]
    # What no run has would only be a column of dashes.
    figures = [name for name in figures if any(point[name] is not None for point in points)]
    heads = {
        "train_accuracy": "training",
        "test_accuracy": "test",
        "drop": "1st÷last",
        "lag_drop": "over lags",
    }
    paths = list(points[0]["point"])
    rows = [
        ("", *(path.rpartition(".")[2] for path in paths), "depth", *(heads.get(n, n) for n in figures), "")
    ]
    for point in points[:MOST_ROWS]:
        found = ", ".join(f"{code} {count}/{point['seeds']}" for code, count in point["findings"].items())
        values = [_spread(point[name], name) for name in figures]
        rows.append(
            (point["change"], *map(str, point["point"].values()), str(point["depth"]), *values, found)
        )
    yield from _aligned(rows)
    if len(points) > MOST_ROWS:
        yield Text(f"… and {len(points) - MOST_ROWS} more: --csv FILE has them all", "dim")


def _remarks(state: StudyState) -> Iterator[Text]:
    for row in state.rows:
        if row.state in ("failed", "died"):
            yield Text(f"✖ {row.name}: {row.state}{f', {row.reason}' if row.reason else ''}", "red")
        elif row.state == "finished" and row.reason:
            yield Text(f"  {row.name}: {row.reason}", "dim")


def _where(state: StudyState) -> Iterator[Text]:
    yield Text(f"study     {state.folder}")
    if state.status == "stopped":
        yield Text(f"go on     gradtui study {state.name}")


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[Text]:
    """Under a heading, the first of them."""
    for number, line in enumerate(aligned(rows)):
        yield Text(line, "dim" if number == 0 else "")


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def _power(value: float) -> str:
    return "–" if math.isnan(value) else f"10^{value:+.1f}"


def _spread(figure: dict[str, Any] | None, name: str) -> str:
    if figure is None:
        return "–"
    mean, low, high = figure["mean"], figure["min"], figure["max"]
    if name in ("drop", "lag_drop"):
        return _power(mean)
    return f"{mean:.3g}" if low == high else f"{mean:.3g} ({low:.3g} … {high:.3g})"
