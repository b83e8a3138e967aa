"""Train one model, recorded in one way; each line on stdin asks for a number of steps.

``python -m tests.benchmarks.peers.trainer MODEL KIND FOLDER`` answers each line, a number of steps, with the seconds
that they took and the seconds of CPU time; when stdin closes, with the bytes that FOLDER holds for each step. One more
step before them is not counted, because the other trainers have used the processor's caches meanwhile.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch

from tests.benchmarks.peers.nets import training
from tests.benchmarks.peers.recorders import RECORDERS


def main(model: str, kind: str, folder: Path) -> None:
    """Train turn by turn until stdin closes."""
    torch.set_num_threads(1)
    _, optimizer, loss_of_next = learning = training(model)
    folder.mkdir()
    recorder = RECORDERS[kind](learning, folder)
    step = 0

    def go_on(steps: int) -> None:
        nonlocal step
        for _ in range(steps):
            step += 1
            optimizer.zero_grad()
            loss = loss_of_next()
            loss.backward()  # type: ignore[no-untyped-call]
            recorder.backward(step)
            optimizer.step()
            recorder.stepped(step, loss)

    for line in sys.stdin:
        # The turns of the others and the uncounted step are no time of this training.
        recorder.resume()
        go_on(1)
        recorder.resume()
        begin, used = time.perf_counter(), time.process_time()
        go_on(int(line))
        print(time.perf_counter() - begin, time.process_time() - used, flush=True)
    recorder.close()
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    print(size / step, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
