"""What a study came to, as rows for other programs: one of each run, and one of each point over its seeds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from gradtui.runs.export.files import load_pyarrow, write_csv_rows
from gradtui.runs.folder import replacing
from gradtui.study.chart import OUTCOMES
from gradtui.study.charts import spread
from gradtui.study.spec import Quantity
from gradtui.study.study_state import StudyRow, StudyState

FIGURES: tuple[Quantity, ...] = tuple(one for one in get_args(Quantity) if one != "outcome")


def records(state: StudyState) -> list[dict[str, Any]]:
    """A flat row of each run, all with the same keys. A value is None where there is no such figure; NaN and infinity
    are values."""
    paths = [path for row in state.rows[:1] for path, _ in row.member.point]
    return [_record(row, paths) for row in state.rows]


def _record(row: StudyRow, paths: Sequence[str]) -> dict[str, Any]:
    member, measures = row.member, row.measures
    point = dict(member.point)
    figures = {name: math.nan if measures is None else measures.of(name) for name in FIGURES}
    return {
        "key": row.key,
        "name": row.name,
        "change": member.change,
        **{path: point[path] for path in paths},
        "seed": member.seed,
        "depth": member.depth,
        "status": row.state,
        "steps": row.step,
        # A loss may be NaN because it came to that; the others are where there is no such figure.
        **{name: _figure(value, row.judged and name == "loss") for name, value in figures.items()},
        "outcome": None if measures is None else OUTCOMES[int(measures.outcome)],
        "findings": " ".join(row.codes),
        "reason": row.reason,
        "run": None if row.folder is None else str(row.folder),
    }


def _figure(value: float, known: bool) -> float | None:
    return value if known or not math.isnan(value) else None


def table(state: StudyState) -> list[dict[str, Any]]:
    """A row of each point of the study: its change and its place on the grid, how many of its runs have ended well,
    each figure's mean, least and greatest over them (None where they have none), and how many have each finding."""
    groups: dict[str, list[StudyRow]] = {}
    for row in state.rows:
        groups.setdefault(row.member.said(), []).append(row)
    return [_point(group) for group in groups.values()]


def _point(rows: Sequence[StudyRow]) -> dict[str, Any]:
    member = rows[0].member
    figures: dict[str, Any] = {}
    for name in FIGURES:
        mean, low, high = spread(rows, name)
        figures[name] = None if math.isnan(mean) else {"mean": mean, "min": low, "max": high}
    outcomes = Counter(OUTCOMES[int(row.measures.outcome)] for row in rows if row.measures is not None)
    return {
        "change": member.change,
        "point": dict(member.point),
        "depth": member.depth,
        "seeds": len(rows),
        "ended": sum(row.judged for row in rows),
        **figures,
        "outcomes": dict(outcomes),
        "findings": dict(Counter(code for row in rows for code in row.codes)),
    }


def write_csv(state: StudyState, path: Path) -> None:
    """Write `records` under one line of names; a cell is empty where there is no such figure. Raises OSError."""
    rows = records(state)
    with replacing(path) as file:
        write_csv_rows(list(rows[0]), (list(row.values()) for row in rows), file)


def write_parquet(state: StudyState, path: Path) -> None:
    """Write `records`, null where there is no such figure. Raises OSError, and MissingLibrary without pyarrow."""
    pyarrow, parquet = load_pyarrow()
    rows = records(state)
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    with replacing(path) as file:
        parquet.write_table(pyarrow.table(columns), file)
