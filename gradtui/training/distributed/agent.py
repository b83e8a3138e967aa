"""`python -m gradtui.training.distributed.agent FOLDER N`: has torchrun start N processes that train one run.

It stays as long as they do, so for whoever started it, it is the trainer. When one of them dies, torchrun ends the
others; where nobody was left to say in the run's events how it ended, it is said here.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

from gradtui.runs.events import EventLog
from gradtui.runs.status import is_in_use
from gradtui.runs.writer import RunWriter
from gradtui.training.failures import reason_of


def main(folder: Path, processes: int) -> int:
    """Train; returns the exit code, as of a trainer that is one process."""
    if is_in_use(folder):
        print(f"{folder}: is being trained already", file=sys.stderr)
        return 2
    before = _ends(folder)
    reason = _run(folder, processes)
    if _ends(folder) == before:
        writer = RunWriter(folder, {})
        writer.event("end", status="failed", reason=reason or "the processes ended before the training did")
        writer.close()
    log = EventLog(folder)
    log.poll()
    return 1 if log.course.end == "failed" else 0


def _run(folder: Path, processes: int) -> str:
    """Let torchrun run to its end. Returns why a process failed, empty where none did."""
    # Each process its part of the cores; torchrun would give it one.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores // processes)))
    # As with any trainer: what lies where the person happens to be is not imported in place of Python's own.
    os.environ["PYTHONSAFEPATH"] = "1"
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import main as torchrun

    # Not by the machine's name: on many a laptop that leads nowhere.
    words = ["--standalone", "--local-addr=127.0.0.1", f"--nproc-per-node={processes}", "--max-restarts=0"]
    try:
        torchrun([*words, "-m", "gradtui.training.distributed.rank", str(folder)])
    except SignalException:
        return "the processes were killed before the training could end"
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        how = f"signal {-failure.exitcode}" if failure.exitcode < 0 else f"exit code {failure.exitcode}"
        return f"process {rank + 1} of {processes} ended with {how}; trainer.log says why"
    except Exception as error:
        traceback.print_exc()
        return reason_of(error)
    return ""


def _ends(folder: Path) -> int:
    """How many times the run has ended so far: one that was resumed may have before."""
    log = EventLog(folder)
    log.poll()
    return sum(event["event"] == "end" for event in log.entries)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
