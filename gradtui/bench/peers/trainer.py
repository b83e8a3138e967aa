"""A training that is recorded in one way, and goes on by as many steps as it is told to.

``python -m gradtui.bench.peers.trainer MODEL KIND FOLDER`` answers each line on stdin, a number of steps, by the
seconds that they took, and those that the processor worked on them; when stdin closes, by the bytes that FOLDER holds
for each step. One more step before them is not counted: the others have had the processor's caches meanwhile.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch

from gradtui.bench.peers.nets import training
from gradtui.bench.peers.recorders import RECORDERS


def main(model: str, kind: str, folder: Path) -> None:
    """Train, turn by turn."""
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
        # Before each: what the others' turns took was no time of this training, nor is the step that is not counted.
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
