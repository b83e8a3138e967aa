"""Turn the results of a study into rows for other programs: one for each run, or one for each point over its seeds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from gradtui.runs.export.csv_parquet import load_pyarrow, write_csv_rows
from gradtui.runs.safe_files import place_for_person, replacing
from gradtui.study.chart_builder import spread
from gradtui.study.chart_data import OUTCOMES
from gradtui.study.spec import Quantity
from gradtui.study.state import StudyRow, StudyState

NUMBERS: tuple[Quantity, ...] = tuple(one for one in get_args(Quantity) if one != "outcome")
"""The quantities that are numbers."""


def records(state: StudyState) -> list[dict[str, Any]]:
    """Return a flat row for each run, all with the same keys.

    A value is None if the run has none; NaN and infinity are values.
    """
    paths = [path for row in state.rows[:1] for path, _ in row.member.point]
    return [_record(row, paths) for row in state.rows]


def _record(row: StudyRow, paths: Sequence[str]) -> dict[str, Any]:
    member, result = row.member, row.result
    point = dict(member.point)
    numbers = {name: math.nan if result is None else result.value(name) for name in NUMBERS}
    return {
        "key": row.key,
        "name": row.name,
        "change": member.change,
        **{path: point[path] for path in paths},
        "seed": member.seed,
        "depth": member.depth,
        "status": row.state,
        "steps": row.step,
        # A loss of NaN may be a result of the training; the other quantities are NaN only if the run has none.
        **{name: _cell(value, row.completed and name == "loss") for name, value in numbers.items()},
        "outcome": None if result is None else OUTCOMES[int(result.outcome)],
        "findings": " ".join(row.codes),
        "reason": row.reason,
        "run": None if row.folder is None else str(row.folder),
    }


def _cell(value: float, known: bool) -> float | None:
    return value if known or not math.isnan(value) else None


def table(state: StudyState) -> list[dict[str, Any]]:
    """Return a row for each point of the study, that is, for each change and grid point.

    It says how many of the runs are completed, the mean, least and greatest value of each quantity over them (None
    where they have none), and how many runs have each finding.
    """
    groups: dict[str, list[StudyRow]] = {}
    for row in state.rows:
        groups.setdefault(row.member.label(), []).append(row)
    return [_point(group) for group in groups.values()]


def _point(rows: Sequence[StudyRow]) -> dict[str, Any]:
    member = rows[0].member
    numbers: dict[str, Any] = {}
    for name in NUMBERS:
        mean, low, high = spread(rows, name)
        numbers[name] = None if math.isnan(mean) else {"mean": mean, "min": low, "max": high}
    outcomes = Counter(OUTCOMES[int(row.result.outcome)] for row in rows if row.result is not None)
    return {
        "change": member.change,
        "point": dict(member.point),
        "depth": member.depth,
        "seeds": len(rows),
        "ended": sum(row.completed for row in rows),
        **numbers,
        "outcomes": dict(outcomes),
        "findings": dict(Counter(code for row in rows for code in row.codes)),
    }


def write_csv(state: StudyState, path: Path) -> None:
    """Write `records` as CSV with a header line; a missing value is an empty cell. Raises OSError."""
    rows = records(state)
    with replacing(place_for_person(path), exported=True) as file:
        write_csv_rows(list(rows[0]), (list(row.values()) for row in rows), file)


def write_parquet(state: StudyState, path: Path) -> None:
    """Write `records` as Parquet; a missing value is null. Raises OSError, and MissingLibrary without pyarrow."""
    pyarrow, parquet = load_pyarrow()
    rows = records(state)
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    with replacing(place_for_person(path), exported=True) as file:
        parquet.write_table(pyarrow.table(columns), file)
