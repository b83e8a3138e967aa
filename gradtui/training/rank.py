"""Run one process of a distributed training; the agent starts it by `python -m gradtui.training.rank FOLDER`."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

from gradtui.experiment import load
from gradtui.runs.folder import EXPERIMENT_FILE
from gradtui.training.distributed import AGENT_VARIABLE, STORE_FOLDER_VARIABLE
from gradtui.training.failures import TrainingFailed
from gradtui.training.process import end_with_parent, train_folder
from gradtui.training.without_compiler import postpone_compiler


def main(folder: Path) -> int:
    """Train as rank 0, or follow rank 0. Returns the exit code."""
    for harmless in (signal.SIGHUP, signal.SIGINT):
        signal.signal(harmless, signal.SIG_IGN)
    # An agent that is killed can neither end its ranks nor remove the folder of their store.
    store = os.environ[STORE_FOLDER_VARIABLE]
    end_with_parent(
        signal.SIGKILL,
        parent=int(os.environ[AGENT_VARIABLE]),
        before=lambda: shutil.rmtree(store, ignore_errors=True),
    )
    if os.environ["RANK"] == "0":
        return train_folder(folder, shared=True)
    # Rank 0 decides when a training ends, and it receives the signal as well.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    from gradtui.training.distributed.process_group import ProcessGroup
    from gradtui.training.session import build
    from gradtui.training.shared_step import follow_main_rank

    postpone_compiler()
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
