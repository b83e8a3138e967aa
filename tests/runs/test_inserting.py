"""Test rows that arrive after later ones: the files must equal those of one writer in order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradtui.runs.folder import record_dtype, table_path
from gradtui.runs.follower import Follower
from gradtui.runs.reader import open_run
from gradtui.runs.writer import RunWriter
from tests.support.run_folders import assert_same_tables, columns_of, describe, level_on_disk

COLUMNS = {"grad_norm": ["a", "b"]}


def rows_of(steps: list[int], shift: float = 0.0) -> np.ndarray:
    rows = np.zeros(len(steps), record_dtype(2))
    rows["step"], rows["time"] = steps, np.array(steps) / 10
    rows["values"] = np.array([[step + shift, -step] for step in steps]).reshape(-1, 2)
    return rows


def written(folder: Path, rows: np.ndarray) -> RunWriter:
    folder.mkdir()
    writer = RunWriter(folder, COLUMNS, flush_every=60)
    append(writer, rows)
    return writer


def append(writer: RunWriter, rows: np.ndarray) -> None:
    for row in rows:
        writer.append("grad_norm", int(row["step"]), row["values"], float(row["time"]))


@settings(max_examples=40, deadline=None)
@given(
    st.sets(st.integers(1, 400), min_size=1),
    st.integers(1, 380),
    st.integers(1, 60),
    st.sets(st.integers(401, 450)),
)
def test_the_table_and_its_levels_are_those_of_one_writer_in_order(
    tmp_path_factory: pytest.TempPathFactory, before: set[int], first: int, count: int, after: set[int]
) -> None:
    root = tmp_path_factory.mktemp("runs")
    fresh = rows_of(list(range(first, first + count)), shift=0.5)
    old = rows_of(sorted(before))
    writer = written(root / "one", old)
    writer.insert("grad_norm", fresh)
    append(writer, later := rows_of(sorted(step for step in after if step > fresh["step"][-1])))
    writer.close()
    assert writer.error is None
    kept = old[~np.isin(old["step"], fresh["step"])]
    whole = np.concatenate([kept, fresh, later])
    written(root / "other", whole[np.argsort(whole["step"])]).close()
    assert_same_tables(root / "one", root / "other", 2)


def test_follower_sees_inserted_rows_in_their_places(tmp_path: Path) -> None:
    meta = describe(tmp_path, layers=2)
    writer = RunWriter(tmp_path, columns_of(meta))
    append(writer, rows_of([1, 20, 40]))
    writer.flush()
    follower = Follower(open_run(tmp_path))
    assert follower.poll() is not None
    writer.insert("grad_norm", rows_of([18, 19, 20, 21]))
    snapshot = follower.poll()
    assert snapshot is not None
    assert snapshot.timeline.steps.tolist() == [1, 18, 19, 20, 21, 40]
    assert snapshot.step == 40
    writer.close()


def test_insert_writes_nothing_for_no_rows_and_no_levels_of_unlevelled_tables(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, COLUMNS, unlevelled=["grad_norm"])
    writer.insert("grad_norm", rows_of([]))
    append(writer, rows_of([50]))
    writer.insert("grad_norm", rows_of(list(range(1, 40))))
    writer.close()
    assert len(np.fromfile(table_path(tmp_path, "grad_norm"), record_dtype(2))) == 40
    assert len(level_on_disk(tmp_path, "grad_norm", 2, 16)) == 0


def test_disk_error_is_kept_and_not_raised(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, COLUMNS, flush_every=60)
    table_path(tmp_path, "grad_norm").mkdir()
    writer.insert("grad_norm", rows_of([1]))
    assert writer.error is not None
    writer.insert("grad_norm", rows_of([2]))
    writer.close()
