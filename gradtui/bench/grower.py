"""A process that writes a run as a trainer would, at a steady rate and without training anything.

``python -m gradtui.bench.grower ROOT LAYERS BEFORE RATE COMMITS`` makes a run in ROOT with BEFORE steps, prints
its folder, and adds RATE steps a second until its stdin closes, written COMMITS times a second (a trainer does ten).
Each row says when it was recorded.
"""

from __future__ import annotations

import select
import sys
import time
from pathlib import Path

import numpy as np

from gradtui.bench.made import Numbers, deep, describe
from gradtui.runs.writer import RunWriter

TICK = 0.01
"""Seconds between two handfuls of rows: to sleep between single rows costs more than to write them."""

PLANNED = 100_000
"""Steps that the run seems to be going to have."""


def main(root: Path, layers: int, before: int, rate: int, commits: int) -> None:
    """Write until stdin closes."""
    folder, columns = describe(root, deep(layers, PLANNED))
    numbers = Numbers(layers, PLANNED)
    writer = RunWriter(folder, columns, flush_every=1 / commits)

    def write(first: int, last: int, moment: float | None = None) -> None:
        steps = np.arange(first, last + 1)
        scalars, norms = numbers.scalars(steps), numbers.norms(steps)
        for step, some, all_layers in zip(steps.tolist(), scalars, norms, strict=True):
            when = None if moment is None else moment + (step - last) / rate
            writer.append("scalars", step, some, when)
            writer.append("grad_norm", step, all_layers, when)

    writer.event("phase", phase="training")
    write(1, before, time.time())
    writer.flush()
    print(folder, flush=True)
    began, done = time.monotonic(), before
    while not select.select([sys.stdin], [], [], TICK)[0]:
        due = before + int((time.monotonic() - began) * rate)
        write(done + 1, due)
        done = due
    writer.event("end", step=done, status="stopped", reason="")
    writer.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
