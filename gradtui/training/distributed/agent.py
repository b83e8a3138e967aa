"""Start N processes that train one run: `python -m gradtui.training.distributed.agent FOLDER N`.

This process runs as long as they do, so for its parent it is the trainer. When one of them dies, it ends the others;
if none of them could write the run's "end" event, this process writes it.

It does not use torchrun, whose store listens on all network interfaces and unpickles its contents, so that anybody who
reaches the machine could run commands as its user. The store of the ranks is a file in a folder that only this user can
enter, and they communicate only over the loopback interface.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from gradtui.runs.events import EventLog
from gradtui.runs.run_lock import train_alone
from gradtui.runs.scratch import Scratch
from gradtui.runs.writer import RunWriter
from gradtui.training.distributed import AGENT_VARIABLE, STORE_FOLDER_VARIABLE
from gradtui.training.failures import reason_of
from gradtui.training.machine import cores

POLL_SECONDS = 0.05
GRACE_SECONDS = 30.0
"""The time that the ranks that are left may take to end after another one has failed; then they are killed."""


def main(folder: Path, processes: int) -> int:
    """Train with N processes. Returns the same exit codes as a trainer that is one process."""
    return train_alone(folder, lambda: _train(folder, processes))


def _train(folder: Path, processes: int) -> int:
    before = _ends(folder)
    try:
        reason = _run_ranks(folder, processes)
    except Exception as error:
        traceback.print_exc()
        reason = reason_of(error)
    if _ends(folder) == before:
        writer = RunWriter(folder, {})
        writer.end("failed", reason or "the processes ended before the training did")
    log = EventLog(folder)
    log.poll()
    return 1 if log.run_phase.end == "failed" else 0


def _run_ranks(folder: Path, processes: int) -> str:
    """Run the ranks to their end. Returns why one failed, or an empty text. Raises OSError."""
    ranks: list[subprocess.Popen[bytes]] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        for rank in ranks:
            rank.send_signal(number)

    # No other user can enter the folder.
    scratch = Scratch()
    store = str(scratch.path)
    try:
        signal.signal(signal.SIGTERM, pass_on)
        # They are added one by one, so that the started ones are ended if the next cannot be started.
        ranks.extend(_start_rank(folder, number, processes, store) for number in range(processes))
        return _wait(ranks)
    finally:
        for rank in ranks:
            rank.kill()
            rank.wait()
        scratch.remove()


def _start_rank(folder: Path, number: int, processes: int, store: str) -> subprocess.Popen[bytes]:
    # With -P, a random.py in the current folder is not imported instead of Python's own.
    command = [sys.executable, "-P", "-u", "-m", "gradtui.training.rank", str(folder)]
    return subprocess.Popen(command, env=_environment(number, processes, store))


def _environment(number: int, processes: int, store: str) -> dict[str, str]:
    loopback = _loopback()
    return {
        # Each process gets its share of the cores, unless the user has set the variable.
        "OMP_NUM_THREADS": str(max(1, cores() // processes)),
        **os.environ,
        "RANK": str(number),
        "LOCAL_RANK": str(number),
        "WORLD_SIZE": str(processes),
        AGENT_VARIABLE: str(os.getpid()),
        STORE_FOLDER_VARIABLE: store,
        # All ranks are on this machine. A user's settings for a cluster would open ports to the network.
        "GLOO_SOCKET_IFNAME": loopback,
        "NCCL_SOCKET_IFNAME": loopback,
    }


def _loopback() -> str:
    """Return the name of the loopback interface: lo on Linux, lo0 on macOS."""
    names = [name for _, name in socket.if_nameindex()]
    return next((name for name in ("lo", "lo0") if name in names), "lo")


def _wait(ranks: Sequence[subprocess.Popen[bytes]]) -> str:
    """Wait until all ranks have ended; end them when one has failed. Returns why the first failed, or an empty text."""
    reason, deadline = "", float("inf")
    while any(rank.poll() is None for rank in ranks):
        if not reason:
            reason = _failure(ranks)
            if reason:
                deadline = time.monotonic() + GRACE_SECONDS
                # Rank 0 ends the run after its step; usually it has already noticed the closed connection.
                ranks[0].terminate()
        if time.monotonic() > deadline or (reason and ranks[0].poll() is not None):
            # The other ranks have no state to save.
            for rank in ranks:
                rank.kill()
        time.sleep(POLL_SECONDS)
    return reason or _failure(ranks)


def _failure(ranks: Sequence[subprocess.Popen[bytes]]) -> str:
    for number, rank in enumerate(ranks):
        code = rank.poll()
        if code:
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            return f"process {number + 1} of {len(ranks)} ended with {how}; trainer.log says why"
    return ""


def _ends(folder: Path) -> int:
    """Return how many times the run has ended so far; a run that was resumed has ended before."""
    log = EventLog(folder)
    log.poll()
    return sum(event["event"] == "end" for event in log.entries)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
