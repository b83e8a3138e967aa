"""Run one process of a training: `python -m gradtui.training.rank FOLDER`, as torchrun starts it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from gradtui.experiment import load
from gradtui.runs.folder import EXPERIMENT_FILE
from gradtui.training.failures import TrainingFailed
from gradtui.training.process import end_with_parent, train_folder


def main(folder: Path) -> int:
    """Train as rank 0, or follow it. Returns the exit code."""
    for harmless in (signal.SIGHUP, signal.SIGINT):
        signal.signal(harmless, signal.SIG_IGN)
    # torchrun gives each process a session of its own: killed, it would leave them behind.
    end_with_parent(signal.SIGKILL)
    if os.environ["RANK"] == "0":
        return train_folder(folder, shared=True)
    # Rank 0 decides when a training ends, and it receives the signal as well.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    from gradtui.training.distributed.process_group import ProcessGroup
    from gradtui.training.session import build
    from gradtui.training.shared_step import follow_main_rank

    try:
        group = ProcessGroup.join()
        follow_main_rank(build(load(folder / EXPERIMENT_FILE)), group)
    except TrainingFailed as error:
        print(error, file=sys.stderr)
        return 1
    group.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
