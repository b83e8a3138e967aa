"""Test the writer of a run folder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest

from gradtui.runs import writer as run_writer
from gradtui.runs.writer import RunWriter
from tests.support.run_folders import rows_on_disk

COLUMNS = {"scalars": ["loss", "lr"], "grad_norm": ["a", "b", "c"]}


def test_rows_are_on_disk_as_they_were_given(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, COLUMNS)
    writer.append("scalars", 1, [2.3, 0.1], time=5.5)
    writer.append("scalars", 2, (float("nan"), -float("inf")))
    writer.append("grad_norm", 2, np.array([1e-45, 3.4e38, 0.0], np.float32))
    writer.flush()
    rows = rows_on_disk(tmp_path, "scalars", 2)
    assert rows["step"].tolist() == [1, 2]
    assert rows["time"][0] == 5.5
    assert abs(rows["time"][1] - time.time()) < 3600
    np.testing.assert_array_equal(rows["values"], np.float32([[2.3, 0.1], [np.nan, -np.inf]]))
    np.testing.assert_array_equal(
        rows_on_disk(tmp_path, "grad_norm", 3)["values"], np.float32([[1e-45, 3.4e38, 0]])
    )
    writer.close()
    assert writer.error is None


def test_the_thread_writes_by_itself(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, COLUMNS, flush_every=0.01)
    writer.append("scalars", 1, [1, 2])
    writer.event("phase", phase="training")
    while not (tmp_path / "events.jsonl").exists():
        time.sleep(0.005)
    # The event is there, so what came before it is.
    assert len(rows_on_disk(tmp_path, "scalars", 2)) == 1
    assert (tmp_path / "heartbeat").exists()
    writer.close()


def test_number_beyond_float32_is_written_as_infinity_without_a_warning(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, COLUMNS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        writer.append("scalars", 1, [1e300, 1e-300])
        writer.append("scalars", 2, np.array([-1e300, np.nan]))
    writer.close()
    np.testing.assert_array_equal(
        rows_on_disk(tmp_path, "scalars", 2)["values"], np.float32([[np.inf, 0], [-np.inf, np.nan]])
    )


def test_the_callers_array_may_be_used_again(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, COLUMNS)
    values = np.array([1, 2, 3], np.float32)
    writer.append("grad_norm", 1, values)
    values[:] = 9
    writer.close()
    assert rows_on_disk(tmp_path, "grad_norm", 3)["values"].tolist() == [[1, 2, 3]]


def test_a_wrong_table_or_row_is_the_callers_error(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, COLUMNS)
    with pytest.raises(KeyError):
        writer.append("losses", 1, [1, 2])
    with pytest.raises(ValueError, match="scalars: 1 values for 2 columns"):
        writer.append("scalars", 1, [1])
    with pytest.raises(ValueError, match="not a name of a table"):
        RunWriter(tmp_path, {"../x": ["a"]})
    writer.close()
    assert not (tmp_path / "scalars.f32").exists()


def test_step_leaves_no_memory_allocated(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, COLUMNS, flush_every=60)
    row = np.zeros(3, np.float32)

    def steps(count: int) -> None:
        for step in range(count):
            writer.append("grad_norm", step, row)

    steps(2000)
    writer.flush()
    steps(2000)
    writer.flush()
    tracemalloc.start()
    steps(2000)
    grown = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    writer.close()
    # 2,000 rows of 24 bytes, were they kept anywhere but in the array that is there already, were 48,000.
    assert grown < 4000


def test_flush_makes_one_write_for_each_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writes = []
    real = os.pwrite

    def counted(descriptor: int, content: bytes, offset: int) -> int:
        writes.append(len(content))
        return real(descriptor, content, offset)

    writer = RunWriter(tmp_path, COLUMNS, flush_every=60)
    for step in range(15):
        writer.append("scalars", step, [1, 2])
        writer.append("grad_norm", step, [1, 2, 3])
    monkeypatch.setattr("gradtui.runs.records.os.pwrite", counted)
    writer.flush()
    writer.flush()
    assert writes == [15 * 20, 15 * 24]
    writer.close()


def test_events_are_json_lines_in_order(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, {})
    writer.event("evaluation", 100, train_loss=float("nan"), test_accuracy=np.float32(0.5))
    writer.event("end", status="finished", reason="")
    writer.close()
    first, last = map(json.loads, (tmp_path / "events.jsonl").read_text().splitlines())
    assert (first["event"], first["step"], first["train_loss"], first["test_accuracy"]) == (
        "evaluation",
        100,
        "nan",
        0.5,
    )
    assert (last["event"], last["status"], "step" in last) == ("end", "finished", False)


def test_after_close_nothing_is_written_and_nothing_raised(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, COLUMNS)
    writer.append("scalars", 1, [1, 2])
    writer.close()
    writer.append("scalars", 2, [1, 2])
    writer.event("end")
    writer.flush()
    writer.close()
    assert len(rows_on_disk(tmp_path, "scalars", 2)) == 1
    assert not (tmp_path / "events.jsonl").exists()


def test_threads_append_without_losing_a_row(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, COLUMNS, flush_every=0.001)

    def append(first: int) -> None:
        for step in range(first, first + 3000):
            writer.append("scalars", step, [step, -step])

    threads = [threading.Thread(target=append, args=(first,)) for first in (0, 3000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    rows = rows_on_disk(tmp_path, "scalars", 2)
    assert sorted(rows["step"].tolist()) == list(range(6000))
    np.testing.assert_array_equal(rows["values"], np.stack([rows["step"], -np.float64(rows["step"])], 1))


def test_a_forked_child_never_writes(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, COLUMNS, flush_every=60)
    writer.append("scalars", 1, [1, 2])
    with writer._lock, writer._flushing:  # as a fork may catch them
        child = os.fork()
        if child == 0:
            signal.alarm(20)  # waiting for a lock that nobody here will open is wrong, too
            writer.append("scalars", 2, [3, 4])
            writer.event("end", status="failed")
            writer.flush()
            writer.close()
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert not (tmp_path / "scalars.f32").exists()
    writer.append("scalars", 2, [5, 6])
    writer.close()
    assert rows_on_disk(tmp_path, "scalars", 2)["values"].tolist() == [[1, 2], [5, 6]]
    assert not (tmp_path / "events.jsonl").exists()


def test_a_removed_folder_is_an_error_once_and_does_not_return(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    writer = RunWriter(folder, COLUMNS, flush_every=60)
    writer.append("scalars", 1, [1, 2])
    writer.flush()
    shutil.rmtree(folder)
    for step in range(2, 5):
        writer.append("scalars", step, [1, 2])
        writer.event("phase", phase="training")
        writer.flush()
    error = writer.error
    assert isinstance(error, FileNotFoundError)
    writer.close()
    assert writer.error is error
    assert not folder.exists()


def test_a_table_that_vanished_does_not_return_without_its_beginning(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, COLUMNS, flush_every=60)
    writer.append("scalars", 1, [1, 2])
    writer.flush()
    (tmp_path / "scalars.f32").unlink()
    writer.append("scalars", 2, [1, 2])
    writer.close()
    assert isinstance(writer.error, FileNotFoundError)
    assert not (tmp_path / "scalars.f32").exists()


def test_missing_folder_is_kept_as_an_error_and_not_raised(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "gone", COLUMNS)
    writer.append("scalars", 1, [1, 2])
    writer.close()
    assert isinstance(writer.error, FileNotFoundError)


def test_rows_dropped_for_lack_of_memory_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_writer.RowBuffer, "FIRST_BYTES", 200)
    monkeypatch.setattr(run_writer.RowBuffer, "MOST_BYTES", 1000)
    writer = RunWriter(tmp_path, COLUMNS, flush_every=60)
    for step in range(1, 101):
        writer.append("scalars", step, [step, 0])
    writer.flush()
    writer.append("scalars", 200, [200, 0])
    writer.close()
    steps = rows_on_disk(tmp_path, "scalars", 2)["step"].tolist()
    kept = len(steps) - 1
    assert steps == [*range(1, kept + 1), 200]
    assert 10 <= kept <= 50
    assert json.loads((tmp_path / "events.jsonl").read_text())["rows"] == 100 - kept
    assert writer.error is None
