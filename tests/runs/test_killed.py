"""Test that a trainer that is killed at any moment leaves a run that is readable as far as it was written."""

from __future__ import annotations

import mmap
import random
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from gradtui.runs.follower import Follower
from gradtui.runs.reader import open_run
from gradtui.runs.writer import RunWriter
from tests.support.run_folders import assert_same_tables, columns_of, describe, rows_on_disk, write_rows

VICTIM = """
import mmap, struct, sys, time
from pathlib import Path
import numpy as np
from gradtui.runs.meta import RunMeta, LayerMeta, TableMeta, write_meta
from gradtui.runs.writer import RunWriter
folder, layers = Path(sys.argv[1]), int(sys.argv[2])
names = tuple(str(layer) for layer in range(layers))
tables = {"scalars": TableMeta(("loss", "accuracy", "lr"), "scalars"), "grad_norm": TableMeta(names)}
write_meta(folder, RunMeta.of_this_process(id="x", name="x", tables=tables))
writer = RunWriter(folder, {name: table.columns for name, table in tables.items()})
file = open(folder / "count", "r+b")
count = mmap.mmap(file.fileno(), 8)
base = np.arange(layers, dtype=np.float32)
step = 0
while True:
    step += 1
    writer.append("scalars", step, [step, -step, 0.5], time=float(step))
    writer.append("grad_norm", step, base + step, time=float(step))
    if step % 50 == 0:
        writer.event("evaluation", step, test_loss=float(step))
    count[:] = struct.pack("<q", step)
    time.sleep(0.0003)
"""


@pytest.mark.parametrize(
    "seed", [*range(4), *(pytest.param(n, marks=pytest.mark.long) for n in range(4, 24))]
)
def test_files_of_a_killed_trainer_are_a_prefix(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    layers = rng.choice([3, 50, 700])
    (tmp_path / "count").write_bytes(bytes(8))
    child = subprocess.Popen([sys.executable, "-c", VICTIM, str(tmp_path), str(layers)])
    with (tmp_path / "count").open("r+b") as file:
        shared = mmap.mmap(file.fileno(), 8)
    while not (tmp_path / "grad_norm.f32").exists():
        assert child.poll() is None
        time.sleep(0.005)
    time.sleep(rng.random() * 0.3)
    # Not just 200 ms, for the machine that runs the tests may be busy with others.
    (before,) = struct.unpack("<q", shared[:])
    time.sleep(0.7)
    child.kill()
    child.wait()
    (appended,) = struct.unpack("<q", shared[:])

    run = open_run(tmp_path)
    steps, matrix = run.layers("grad_norm")
    rows = len(steps)
    assert before <= rows <= appended
    assert before <= len(run.scalars("loss")[0]) <= appended
    np.testing.assert_array_equal(steps, np.arange(1, rows + 1))
    np.testing.assert_array_equal(matrix, np.float32(np.arange(layers) + steps[:, None]))
    np.testing.assert_array_equal(run.scalars("loss")[1], np.float32(run.scalars("loss")[0]))
    assert [event["step"] for event in run.events()] == [50 * (n + 1) for n in range(len(run.events()))]
    assert run.status.state == "died"
    assert run.status.reason == f"died at step {run.steps}"
    snapshot = Follower(run).poll()
    assert snapshot is not None
    assert snapshot.timeline.recorded == rows
    window = snapshot.timeline.window(1, rows, 100)
    np.testing.assert_array_equal(window.min[:, 0], np.float32(window.step))

    # And the next trainer goes on from there as if nothing had been.
    whole = tmp_path / "whole"
    whole.mkdir()
    columns = {"grad_norm": [str(layer) for layer in range(layers)]}
    for folder, first in ((tmp_path, rows + 1), (whole, 1)):
        writer = RunWriter(folder, columns)
        for step in range(first, rows + 301):
            writer.append("grad_norm", step, np.arange(layers, dtype=np.float32) + step, time=float(step))
            if step % 1000 == 0:
                writer.flush()
        writer.close()
    for path in tmp_path.glob("scalars.*"):
        path.unlink()
    assert_same_tables(tmp_path, whole, columns=layers)


def test_a_run_resumed_after_a_kill_shows_no_trace_of_it(tmp_path: Path) -> None:
    values = np.random.default_rng(0).lognormal(size=(100, 3)).astype(np.float32)
    meta = describe(tmp_path)
    write_rows(tmp_path, {"grad_norm": values[:70]})
    with (tmp_path / "grad_norm.f32").open("ab") as file:
        file.write(b"torn")
    writer = RunWriter(tmp_path, columns_of(meta), resume_at=40)
    for step in range(41, 101):
        writer.append("grad_norm", step, values[step - 1])
    writer.close()
    rows = rows_on_disk(tmp_path, "grad_norm", 3)
    assert rows["step"].tolist() == list(range(1, 101))
    np.testing.assert_array_equal(rows["values"], values)
