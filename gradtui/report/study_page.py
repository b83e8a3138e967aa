"""Print a study as one page of text (charts, findings, table, ranking), or return it as one JSON object."""

from __future__ import annotations

import math
from collections.abc import Iterator
from textwrap import wrap
from typing import Any

from rich.text import Text

from gradtui.diagnosis.outcome import Verdict
from gradtui.report.output import Paper, print_sections, stdout_paper
from gradtui.report.ranking_table import heading_and_rows, ranking_lines, ranking_rows
from gradtui.report.run_json import run_object
from gradtui.report.study_charts import chart_lines
from gradtui.runs.errors import RunError
from gradtui.runs.reader import open_run
from gradtui.study.chart_data import number_in, range_of
from gradtui.study.results import table
from gradtui.study.state import Ranked, StudyRow, StudyState
from gradtui.words import ratio, seconds, several

MOST_ROWS = 60
"""The most rows of the table that are printed; --csv writes all of them."""


def print_study(state: StudyState) -> None:
    """Print the page of a study to stdout."""
    paper = stdout_paper()
    print_sections(
        paper,
        headline(state),
        chart_lines(state.charts, paper),
        _findings(state, paper),
        _ranking(state, paper) if state.ranked else _table(state, paper),
        _remarks(state),
        _where(state),
    )


def headline(state: StudyState) -> Iterator[Text]:
    """Yield the study's name and size, and how it ended."""
    ended = (
        f"{state.ended} of {several(state.total, 'run')}"
        if state.ended < state.total
        else several(state.total, "run")
    )
    yield Text(f"{state.name}  {state.status}, {ended}, {seconds(state.seconds)}", "bold")
    if state.spec.description:
        yield Text(state.spec.description)


def _findings(state: StudyState, paper: Paper) -> Iterator[Text]:
    for finding in state.findings:
        yield Text(f"✖ {finding.code}{f', {finding.series}' if finding.series else ''}", "bold red")
        for line in wrap(finding.evidence, paper.width, initial_indent="  ", subsequent_indent="  "):
            yield Text(line)


def _ranking(state: StudyState, paper: Paper) -> Iterator[Text]:
    yield from ranking_lines(state.rows[0].member.change, ranking_of(state, ascii=paper.ascii), paper)


def ranking_of(state: StudyState, *, ascii: bool = False) -> list[tuple[str, ...]]:
    """Return the ranking of a study as rows of text, their heading first."""
    changes: dict[str, list[StudyRow]] = {}
    for row in state.rows:
        changes.setdefault(row.member.change, []).append(row)
    first = next(iter(changes))
    before = state.ranked[0].verdict.before

    def cells(change: str, verdict: Verdict | None) -> tuple[str, ...]:
        outcome = before if verdict is None else verdict.after
        return (
            _percent(outcome.accuracy),
            _percent(outcome.test_accuracy),
            ratio(outcome.drop),
            f"× {1.0 if verdict is None else verdict.price:.2f}",
        )

    return ranking_rows(
        first,
        before,
        [(one.change, one.verdict) for one in state.ranked],
        ("training", "test", "in÷out", "step time"),
        cells,
        # The gradient over depth at the last step of the first seed.
        lambda change: next((row.gradients for row in changes[change] if row.gradients is not None), None),
        ascii=ascii,
    )


def _table(state: StudyState, paper: Paper) -> Iterator[Text]:
    rows = table_rows(state)
    if not rows:
        return
    yield from heading_and_rows(rows[: MOST_ROWS + 1], paper)
    if len(rows) > MOST_ROWS + 1:
        yield Text(f"… and {len(rows) - MOST_ROWS - 1} more; --csv FILE writes all", "dim")


def table_rows(state: StudyState) -> list[tuple[str, ...]]:
    """Return the means over the seeds with their least and greatest as rows of text, their heading first.

    A map has no rows, because its picture says the same.
    """
    points = table(state)
    if state.spec.compare.kind == "map" or not points:
        return []
    numbers = [name for name in state.spec.compare.y if name != "outcome"]
    numbers += [name for name in ("train_accuracy", "drop") if name not in numbers]
    # A quantity that no run has would be a column of dashes.
    numbers = [name for name in numbers if any(point[name] is not None for point in points)]
    heads = {
        "train_accuracy": "training",
        "test_accuracy": "test",
        "drop": "in÷out at start",
        "lag_drop": "over lags",
    }
    paths = list(points[0]["point"])
    rows = [
        ("", *(path.rpartition(".")[2] for path in paths), "depth", *(heads.get(n, n) for n in numbers), "")
    ]
    for point in points:
        found = ", ".join(f"{code} {count}/{point['seeds']}" for code, count in point["findings"].items())
        values = [_spread(point[name], name) for name in numbers]
        rows.append(
            (point["change"], *map(str, point["point"].values()), str(point["depth"]), *values, found)
        )
    return rows


def _remarks(state: StudyState) -> Iterator[Text]:
    for row in state.rows:
        if row.state in ("failed", "died"):
            yield Text(f"✖ {row.name}: {row.state}{f', {row.reason}' if row.reason else ''}", "red")
        elif row.state == "finished" and row.reason:
            yield Text(f"  {row.name}: {row.reason}", "dim")


def _where(state: StudyState) -> Iterator[Text]:
    yield Text(f"study     {state.folder}")
    if state.status == "stopped":
        yield Text(f"continue  gradtui study {state.name}")


def _percent(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.1%}"


def _spread(figure: dict[str, Any] | None, name: str) -> str:
    if figure is None:
        return "–"
    mean, low, high = figure["mean"], figure["min"], figure["max"]
    if name in ("drop", "lag_drop"):
        return ratio(mean)
    told, least, most = (number_in(range_of(name), value) for value in (mean, low, high))
    return told if low == high else f"{told} ({least} … {most})"


# -- JSON

NO_NUMBERS: dict[str, Any] = {
    "seconds": 0.0,
    "loss": {"first": None, "last": None, "best": None},
    "accuracy": {"train": None, "test": None},
}


def study_object(state: StudyState) -> dict[str, Any]:
    """Return a study as ``gradtui study --json`` prints it.

    Keys: study (its folder), name, status (finished, stopped or failed), seconds, runs (in the order in which they are
    trained), table (each point over its seeds), findings (of the study as a whole), ranking (the best change first;
    empty where the study has a grid).
    """
    return {
        "study": str(state.folder),
        "name": state.name,
        "status": state.status,
        "seconds": state.seconds,
        "runs": [_run_entry(row) for row in state.rows],
        "table": table(state),
        "findings": [finding.to_json() for finding in state.findings],
        "ranking": [_ranking_entry(one) for one in state.ranked],
    }


def _run_entry(row: StudyRow) -> dict[str, Any]:
    numbers = NO_NUMBERS
    if row.folder is not None:
        try:
            summary = run_object(open_run(row.folder), ())
            numbers = {name: summary[name] for name in NO_NUMBERS}
        except (RunError, OSError):
            # The run was deleted meanwhile.
            pass
    return {
        "run": None if row.folder is None else str(row.folder),
        "key": row.key,
        "name": row.name,
        "changes": row.member.changes,
        "seed": row.member.seed,
        "status": "failed" if row.state == "died" else row.state,
        "reason": row.reason,
        "steps": row.step,
        **numbers,
        "findings": list(row.codes),
    }


def _ranking_entry(one: Ranked) -> dict[str, Any]:
    verdict = one.verdict
    return {
        "change": one.change,
        "healed": verdict.fixed,
        "better": verdict.better,
        "seeds": one.seeds,
        "accuracy": {"train": verdict.after.accuracy, "test": verdict.after.test_accuracy},
        "loss": verdict.after.loss,
        "step_time_ratio": verdict.price,
        "findings": list(verdict.after.codes),
    }
