"""Test the coarser levels of a table."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradtui.runs.folder import level_path, table_path
from gradtui.runs.writer import RunWriter
from tests.support.run_folders import (
    assert_same_tables,
    assert_summarises,
    buckets_of,
    level_on_disk,
    rows_on_disk,
    write_rows,
)
from tests.support.run_tables import cuts, matrices


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_levels_are_those_of_plain_numpy(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    values = data.draw(matrices())
    places = data.draw(cuts(len(values)))
    folder = tmp_path_factory.mktemp("run")
    writer = RunWriter(folder, {"grad_norm": ["a", "b"]}, flush_every=60)
    for start, stop in itertools.pairwise(places):
        for step in range(start, stop):
            writer.append("grad_norm", step + 1, values[step], time=step / 10)
        writer.flush()
    writer.close()
    for bucket in (16, 256, 4096):
        level = level_on_disk(folder, "grad_norm", 2, bucket)
        assert len(level) == len(values) // bucket
        assert level["step"].tolist() == [row * bucket + 1 for row in range(len(level))]
        assert level["time"].tolist() == [row * bucket / 10 for row in range(len(level))]
        for number, record in enumerate(level):
            rows = values[number * bucket : (number + 1) * bucket]
            assert_summarises((record["min"], record["mean"], record["max"]), rows)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_continued_table_equals_one_that_was_never_torn(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever a killed writer leaves of table and levels, the next makes of it what one writer would have."""
    values = data.draw(matrices())
    stop = data.draw(st.integers(0, len(values)))
    torn, whole = tmp_path_factory.mktemp("torn"), tmp_path_factory.mktemp("whole")
    write_rows(torn, {"grad_norm": values[:stop]})
    kept = stop
    if stop and data.draw(st.booleans()):
        size = data.draw(st.integers(0, stop * 20))
        os.truncate(table_path(torn, "grad_norm"), size)
        kept = size // 20
    for bucket in buckets_of(stop):
        path = level_path(torn, "grad_norm", bucket)
        match data.draw(st.sampled_from(["as it is", "torn", "missing", "ahead"])):
            case "torn":
                os.truncate(path, data.draw(st.integers(0, path.stat().st_size)))
            case "missing":
                path.unlink()
            case "ahead":
                # Of a run that was longer: never of other rows than the table's own.
                with path.open("ab") as file:
                    file.write(b"half a record")
    write_rows(torn, {"grad_norm": values[kept:]}, first=kept + 1)
    write_rows(whole, {"grad_norm": values})
    assert_same_tables(torn, whole, columns=2)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_rolled_back_run_equals_one_that_stopped_there(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    values = data.draw(matrices())
    step = data.draw(st.integers(0, len(values) + 5))
    back, never = tmp_path_factory.mktemp("back"), tmp_path_factory.mktemp("never")
    write_rows(back, {"grad_norm": values})
    writer = RunWriter(back, {"grad_norm": ["a", "b"]}, resume_at=step)
    writer.close()
    write_rows(never, {"grad_norm": values[:step]})
    assert_same_tables(back, never, columns=2)


def test_each_table_is_cut_by_its_own_steps(tmp_path: Path) -> None:
    columns = {"scalars": ["loss"], "activation_mean": ["a"]}
    writer = RunWriter(tmp_path, columns)
    for step in range(1, 101):
        writer.append("scalars", step, [step])
        if step % 10 == 0:
            writer.append("activation_mean", step, [step])
    writer.close()
    RunWriter(tmp_path, columns, resume_at=45).close()
    assert rows_on_disk(tmp_path, "scalars", 1)["step"].tolist() == list(range(1, 46))
    assert rows_on_disk(tmp_path, "activation_mean", 1)["step"].tolist() == [10, 20, 30, 40]


def test_level_that_lacks_several_pieces_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gradtui.runs.records._CHUNK_BYTES", 1)
    values = np.random.default_rng(1).lognormal(size=(5000, 2)).astype(np.float32)
    torn, whole = tmp_path / "torn", tmp_path / "whole"
    for folder in (torn, whole):
        folder.mkdir()
        write_rows(folder, {"grad_norm": values})
    for path in torn.glob("grad_norm.*.f32"):
        path.unlink()
    write_rows(torn, {"grad_norm": values[:0]})
    assert_same_tables(torn, whole, columns=2)
