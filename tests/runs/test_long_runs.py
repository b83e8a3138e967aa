"""Test a million steps of fifty layers: opened as quickly as a thousand, with the numbers of plain numpy."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from gradtui.runs.folder import record_dtype, table_path
from gradtui.runs.follower import CURVE_BUCKETS, TIMELINE_ROWS, Follower
from gradtui.runs.reader import open_run
from gradtui.runs.writer import RunWriter
from tests.support.run_folders import assert_summarises, columns_of, describe

ROWS, LAYERS = 1_000_000, 50

OPEN = """
import json, resource, sys
from gradtui.runs.follower import Follower
from gradtui.runs.reader import open_run
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
run = open_run(sys.argv[1])
loss, layers = run.table("scalars").summary(buckets=400), run.table("grad_norm").summary(buckets=512)
snapshot = Follower(run).poll()
print(json.dumps([(peak() - before) / 1024, len(loss), len(layers), snapshot.timeline.recorded]))
"""


@pytest.fixture(scope="module")
def long_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables are laid down by plain numpy; the levels are made by the writer that takes the run up."""
    folder = tmp_path_factory.mktemp("long")
    meta = describe(folder, layers=LAYERS, steps=ROWS)
    rng = np.random.default_rng(0)
    for table, columns in columns_of(meta).items():
        rows = np.empty(ROWS, record_dtype(len(columns)))
        rows["step"] = np.arange(1, ROWS + 1)
        rows["time"] = 1e9 + rows["step"] / 1000
        rows["values"] = np.exp(rng.normal(size=(ROWS, len(columns)), scale=10).astype(np.float32))
        rows["values"][rng.integers(0, ROWS, 20), 0] = np.nan
        rows["values"][rng.integers(0, ROWS, 20), 1] = np.inf
        rows.tofile(table_path(folder, table))
    RunWriter(folder, columns_of(meta)).close()
    return folder


@pytest.mark.long
def test_a_million_rows_open_in_little_memory(long_run: Path) -> None:
    printed = subprocess.run(
        [sys.executable, "-c", OPEN, str(long_run)], capture_output=True, text=True, check=True
    )
    megabytes, loss, layers, recorded = json.loads(printed.stdout)
    assert (loss, layers, recorded) == (400, 512, ROWS)
    assert megabytes < 60


@pytest.mark.long
@pytest.mark.parametrize("table", ["scalars", "grad_norm"])
def test_a_million_rows_are_summarised_as_by_plain_numpy(long_run: Path, table: str) -> None:
    run = open_run(long_run)
    values = np.memmap(table_path(long_run, table), record_dtype(len(run.table(table).columns)), "r")[
        "values"
    ]
    for start, stop, buckets in ((0, ROWS, 40), (123_457, 876_543, 33), (999_000, ROWS, 50), (5, ROWS, 1)):
        got = run.table(table).summary(start, stop, buckets)
        assert len(got) == buckets
        for index, (first, last) in enumerate(pairwise([*(got.step - 1), stop])):
            part = np.array(values[first:last, :3])
            assert_summarises((got.min[index, :3], got.mean[index, :3], got.max[index, :3]), part)


@pytest.mark.long
def test_a_million_rows_are_followed_as_by_plain_numpy(long_run: Path) -> None:
    snapshot = Follower(open_run(long_run)).poll()
    assert snapshot is not None
    assert len(snapshot.timeline.rows) <= TIMELINE_ROWS
    assert len(snapshot.curves["loss"]) <= CURVE_BUCKETS
    assert snapshot.rate == pytest.approx(1000, rel=1e-3)
    values = np.memmap(table_path(long_run, "grad_norm"), record_dtype(LAYERS), "r")["values"]
    stride = snapshot.timeline.stride
    for index in range(0, len(snapshot.timeline.rows), 50):
        part = np.array(values[index * stride : (index + 1) * stride, :4])
        low, high = np.fmin.reduce(part), np.fmax.reduce(part)
        assert_summarises((low, snapshot.timeline.rows[index, :4], high), part)
