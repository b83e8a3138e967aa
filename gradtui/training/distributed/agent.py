"""Start N processes that train one run, by torchrun: `python -m gradtui.training.distributed.agent FOLDER N`.

This process stays as long as they do, so to its parent it is the trainer. When one of them dies, torchrun ends the
others; where none of them was left to write the run's "end" event, this process writes it.
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
from gradtui.training.machine import cores


def main(folder: Path, processes: int) -> int:
    """Train. Returns the exit code, the same as of a trainer that is one process."""
    if is_in_use(folder):
        print(f"{folder}: is being trained already", file=sys.stderr)
        return 2
    before = _ends(folder)
    reason = _run_torchrun(folder, processes)
    if _ends(folder) == before:
        writer = RunWriter(folder, {})
        writer.event("end", status="failed", reason=reason or "the processes ended before the training did")
        writer.close()
    log = EventLog(folder)
    log.poll()
    return 1 if log.run_phase.end == "failed" else 0


def _run_torchrun(folder: Path, processes: int) -> str:
    """Run torchrun to its end. Returns why a process failed, empty where none did."""
    # Give each process its part of the cores; torchrun would give it one.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores() // processes)))
    # As with any trainer: a random.py in the current folder must not be imported in place of Python's own.
    os.environ["PYTHONSAFEPATH"] = "1"
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import main as torchrun

    # Not by the machine's name, which many laptops cannot resolve.
    words = ["--standalone", "--local-addr=127.0.0.1", f"--nproc-per-node={processes}", "--max-restarts=0"]
    try:
        torchrun([*words, "-m", "gradtui.training.rank", str(folder)])
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
    """Return how many times the run has ended so far; a run that was resumed has ended before."""
    log = EventLog(folder)
    log.poll()
    return sum(event["event"] == "end" for event in log.entries)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
