"""Test histograms on disk: the counts that a row keeps, and one layer read from a large table."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradtui.runs.errors import RunError
from gradtui.runs.folder import record_dtype, record_size, table_path
from gradtui.runs.histograms import (
    BINS,
    HIGHEST,
    LOWEST,
    PARTS,
    POWERS,
    TABLE,
    chosen_rows,
    columns_of,
    of_rows,
    to_row,
)
from gradtui.runs.meta import RunMeta, TableMeta, write_meta
from gradtui.runs.reader import Run, open_run
from gradtui.runs.status import read_status
from gradtui.runs.writer import RunWriter
from tests.support.run_folders import describe


def described(folder: Path, layers: int = 3) -> RunMeta:
    """A run that records histograms beside its gradients."""
    meta = describe(folder, layers=layers)
    columns = columns_of([layer.name for layer in meta.layers])
    meta = msgspec.structs.replace(
        meta, tables={**meta.tables, TABLE: TableMeta(columns=columns, kind="histograms")}
    )
    write_meta(folder, meta)
    return meta


def counts_at(step: int, layers: int) -> np.ndarray:
    """Counts that tell step and layer: the layer's number is the power of two, the step how many are zero."""
    counts = np.zeros((layers, POWERS + 2), np.int64)
    counts[:, 0] = step
    counts[np.arange(layers), 1 + np.arange(layers) % HIGHEST - LOWEST] = 1000 - step
    return counts


def written(folder: Path, steps: list[int], layers: int = 3) -> Run:
    meta = described(folder, layers)
    writer = RunWriter(folder, {TABLE: meta.tables[TABLE].columns}, unlevelled=[TABLE])
    for step in steps:
        writer.append(TABLE, step, to_row(counts_at(step, layers)))
    writer.close()
    assert writer.error is None
    return open_run(folder)


@st.composite
def counted(draw: st.DrawFn) -> np.ndarray:
    """Counts of one layer at some steps: narrow or wide, at any place, or of nothing with a size."""
    rows = []
    for _ in range(draw(st.integers(1, 6))):
        row = np.zeros(POWERS + 2, np.int64)
        row[0], row[-1] = draw(st.sampled_from([0, 7])), draw(st.sampled_from([0, 3]))
        start = draw(st.integers(0, POWERS - 1))
        for place in draw(st.lists(st.integers(start, min(POWERS - 1, start + 60)), max_size=40)):
            row[1 + place] += 1
        row[0] += not row.any()
        rows.append(row)
    return np.array(rows)


@given(counted())
def test_a_row_holds_the_shares_downward_from_the_highest_power(counts: np.ndarray) -> None:
    rows = to_row(counts).reshape(len(counts), len(PARTS))
    found = of_rows("a", np.arange(len(counts)), rows)
    assert (np.diff(found.powers) == 1).all()
    np.testing.assert_allclose(found.shares.sum(axis=1) + found.zeros + found.nonfinite, 1, rtol=1e-6)
    for number, count in enumerate(counts):
        total = count.sum()
        assert found.zeros[number] == np.float32(count[0] / total)
        assert found.nonfinite[number] == np.float32(count[-1] / total)
        powers = np.flatnonzero(count[1:-1]) + LOWEST
        expected = dict.fromkeys(found.powers.tolist(), 0)
        for power in powers.tolist():
            # What is too small for the row is with its lowest.
            expected[max(power, powers[-1] - BINS + 1)] += count[1 + power - LOWEST]
        shares = np.float32(np.array(list(expected.values())) / total)
        np.testing.assert_array_equal(found.shares[number], shares)


def test_the_axis_reaches_as_far_as_any_step_and_no_further() -> None:
    counts = np.zeros((2, POWERS + 2), np.int64)
    counts[0, 1 - 40 - LOWEST] = counts[1, 1 - 3 - LOWEST] = counts[1, 1 - 5 - LOWEST] = 4
    found = of_rows("a", np.arange(2), to_row(counts).reshape(2, -1))
    assert (found.powers[0], found.powers[-1], found.shares.shape) == (-40, -3, (2, 38))
    assert found.shares[0, 0] == 1
    assert found.shares[1, [35, 37]].tolist() == [0.5, 0.5]
    assert len(found.edges) == 39
    np.testing.assert_allclose(10 ** found.edges[[0, -1]], [2.0**-40, 2.0**-2])


def test_a_layer_without_numbers_is_nan_and_one_without_a_size_has_no_bins() -> None:
    counts = np.zeros((3, POWERS + 2), np.int64)
    counts[1, 0], counts[2, -1] = 5, 5
    found = of_rows("a", np.arange(3), to_row(counts).reshape(3, -1))
    np.testing.assert_array_equal(found.zeros, [np.nan, 1, 0])
    np.testing.assert_array_equal(found.nonfinite, [np.nan, 0, 1])
    assert found.shares.shape == (3, 0)
    assert found.edges.shape == (0,)


@settings(max_examples=50)
@given(st.binary(min_size=128, max_size=128))
def test_any_bytes_make_a_histogram(content: bytes) -> None:
    with np.errstate(invalid="ignore"):
        found = of_rows("a", np.ones(1, np.int64), np.frombuffer(content, "<f4").reshape(1, -1))
    assert found.shares.shape == (1, len(found.powers))
    assert all(LOWEST <= power <= HIGHEST for power in found.powers)


def test_histograms_of_one_layer_over_time_are_read(tmp_path: Path) -> None:
    run = written(tmp_path, [1, 2, 5, 9])
    for number, layer in enumerate(run.layer_names):
        found = run.histogram(layer)
        assert found.layer == layer
        assert found.steps.tolist() == [1, 2, 5, 9]
        assert found.powers.tolist() == [number]
        np.testing.assert_allclose(found.zeros, [0.001, 0.002, 0.005, 0.009], rtol=1e-6)
        np.testing.assert_allclose(found.shares[:, 0], [0.999, 0.998, 0.995, 0.991], rtol=1e-6)
        assert not found.nonfinite.any()


def test_histograms_are_not_a_metric_of_the_run(tmp_path: Path) -> None:
    run = written(tmp_path, [3, 700])
    assert run.metrics == ["grad_norm"]
    assert run.steps == read_status(tmp_path).step == 700


def test_histograms_have_no_levels(tmp_path: Path) -> None:
    run = written(tmp_path, list(range(1, 101)))
    assert [path.name for path in tmp_path.glob("*.f32")] == [f"{TABLE}.f32"]
    # Whoever asks for a summary all the same gets one, from the rows.
    assert len(run.table(TABLE).summary(buckets=10)) == 10


def test_rolled_back_run_has_no_later_histograms(tmp_path: Path) -> None:
    run = written(tmp_path, list(range(1, 101)))
    columns = {TABLE: columns_of(run.layer_names)}
    writer = RunWriter(tmp_path, columns, resume_at=40, unlevelled=[TABLE])
    writer.append(TABLE, 41, to_row(counts_at(500, 3)))
    writer.close()
    found = run.histogram("dense1")
    assert found.steps.tolist() == list(range(1, 42))
    assert found.zeros[-1] == np.float32(0.5)


def test_run_without_histograms_has_an_empty_one(tmp_path: Path) -> None:
    describe(tmp_path)
    found = open_run(tmp_path).histogram("dense1")
    assert (len(found.steps), found.shares.shape, len(found.zeros), len(found.nonfinite)) == (0, (0, 0), 0, 0)
    # Nor has one that has only just begun.
    described(tmp_path)
    assert len(open_run(tmp_path).histogram("dense1").steps) == 0


def test_missing_layer_raises_one_line_that_names_it(tmp_path: Path) -> None:
    run = written(tmp_path, [1])
    with pytest.raises(RunError, match="no layer 'dense4'"):
        run.histogram("dense4")


@pytest.mark.parametrize("torn", [1, 12, record_size(96) - 1])
def test_a_torn_last_row_is_no_row(tmp_path: Path, torn: int) -> None:
    run = written(tmp_path, [1, 2])
    with table_path(tmp_path, TABLE).open("ab") as file:
        file.write(b"\xff" * torn)
    assert run.histogram("dense3").steps.tolist() == [1, 2]


def test_a_table_cut_back_while_it_is_read_gives_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = written(tmp_path, list(range(1, 11)))
    size = record_size(96)
    real, calls = os.pread, iter(range(100))

    def cut(number: int, length: int, offset: int) -> bytes:
        if next(calls) == 6:
            os.truncate(table_path(tmp_path, TABLE), 4 * size + 20)
        return real(number, length, offset)

    monkeypatch.setattr(os, "pread", cut)
    assert run.histogram("dense2").steps.tolist() == [1, 2, 3, 4]


@given(st.integers(0, 10**6), st.integers(0, 400))
def test_rows_are_chosen_evenly_from_the_first_to_the_last(rows: int, most: int) -> None:
    chosen = chosen_rows(rows, most)
    assert len(chosen) == min(rows, most)
    if not chosen:
        return
    assert chosen[-1] == rows - 1
    gaps = np.diff(chosen)
    if len(gaps):
        assert chosen[0] == 0
        assert gaps.min() >= 1
        assert gaps.max() - gaps.min() <= 1


def test_one_layer_of_a_thousand_is_read_without_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred thousand rows; the file has holes in the parts that are not read."""
    rows, layers = 100_000, 1000
    described(tmp_path, layers)
    columns = len(PARTS) * layers
    one = np.zeros(1, record_dtype(columns))
    with table_path(tmp_path, TABLE).open("wb") as file:
        for row in chosen_rows(rows, 256):
            one["step"], one["values"] = row + 1, to_row(counts_at(row % 900, layers))
            file.seek(row * one.nbytes)
            file.write(one.tobytes())
    assert table_path(tmp_path, TABLE).stat().st_size == rows * record_size(columns)
    run = open_run(tmp_path)
    taken = []
    real = os.pread

    def counted(number: int, length: int, offset: int) -> bytes:
        taken.append(length)
        return real(number, length, offset)

    monkeypatch.setattr(os, "pread", counted)
    found = run.histogram("dense78")
    assert found.steps.tolist() == [row + 1 for row in chosen_rows(rows, 256)]
    assert found.powers.tolist() == [77]
    np.testing.assert_allclose(found.zeros, (found.steps - 1) % 900 / 1000, rtol=1e-6)
    assert sum(taken) == 256 * (4 + 128)
