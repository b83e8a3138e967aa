"""Test a disk that becomes full during a run: what was written stays right, and the training is not disturbed."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gradtui.runs.reader import open_run
from gradtui.runs.writer import RunWriter
from tests.support.run_folders import (
    assert_same_tables,
    columns_of,
    describe,
    level_on_disk,
    rows_on_disk,
    write_rows,
)

LIMITED = """
import json, resource, signal, sys
from pathlib import Path
import numpy as np
from gradtui.runs.writer import RunWriter
folder, limit = Path(sys.argv[1]), int(sys.argv[2])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
writer = RunWriter(folder, {"grad_norm": ["a", "b", "c"]}, flush_every=60)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
for step in range(1, 3001):
    writer.append("grad_norm", step, [step, -step, 1 / step])
    if step % 37 == 0:
        writer.flush()
first = writer.error
writer.event("end", status="finished")
writer.close()
print(json.dumps({"errno": first.errno, "same": writer.error is first}))
"""


@pytest.mark.parametrize("limit", [5, 24, 100, 12_345, 24_000])
def test_file_that_cannot_grow_keeps_its_whole_rows(tmp_path: Path, limit: int) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path), str(limit)], capture_output=True, text=True, check=True
    )
    assert json.loads(ran.stdout) == {"errno": errno.EFBIG, "same": True}
    assert ran.stderr == ""
    assert (tmp_path / "grad_norm.f32").stat().st_size == limit // 24 * 24
    rows = rows_on_disk(tmp_path, "grad_norm", 3)
    steps = np.arange(1, limit // 24 + 1, dtype=np.float32)
    np.testing.assert_array_equal(rows["values"], np.stack([steps, -steps, 1 / steps], 1))
    level = level_on_disk(tmp_path, "grad_norm", 3, 16)
    assert len(level) <= len(rows) // 16
    np.testing.assert_array_equal(level["max"][:, 0], (np.arange(len(level)) + 1) * 16)
    assert not (tmp_path / "events.jsonl").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("may not mount a small disk here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_full_disk_is_reported_once_and_the_run_can_be_resumed(small_disk: Path) -> None:
    folder = small_disk / "run"
    meta = describe(folder, layers=50)
    columns = columns_of(meta)
    writer = RunWriter(folder, columns, flush_every=60)
    values = np.random.default_rng(0).lognormal(size=(3000, 50)).astype(np.float32)
    for index, row in enumerate(values):
        writer.append("scalars", index + 1, [1, 2, 3], time=1e9 + (index + 1) * 0.01)
        writer.append("grad_norm", index + 1, row, time=1e9 + (index + 1) * 0.01)
        if index % 100 == 99:
            writer.flush()
    writer.close()
    assert writer.error is not None
    assert writer.error.errno == errno.ENOSPC
    kept = rows_on_disk(folder, "grad_norm", 50)
    assert 100 < len(kept) < 1200
    assert (folder / "grad_norm.f32").stat().st_size == len(kept) * kept.itemsize
    np.testing.assert_array_equal(kept["values"], values[: len(kept)])
    assert len(open_run(folder).table("grad_norm").summary(buckets=7)) == 7

    # Once there is room again, the run goes on as if nothing had been.
    (folder / "scalars.f32").unlink()
    for path in folder.glob("scalars.*"):
        path.unlink()
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    write_rows(folder, {"grad_norm": values[len(kept) :]}, first=len(kept) + 1)
    whole = small_disk / "whole"
    whole.mkdir()
    write_rows(whole, {"grad_norm": values})
    assert_same_tables(folder, whole, columns=50)


def test_rows_written_in_pieces_are_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gradtui.runs import records

    real = os.pwrite
    monkeypatch.setattr(records.os, "pwrite", lambda fd, content, offset: real(fd, content[:7], offset))
    values = np.arange(120, dtype=np.float32).reshape(40, 3)
    write_rows(tmp_path, {"grad_norm": values})
    np.testing.assert_array_equal(rows_on_disk(tmp_path, "grad_norm", 3)["values"], values)
