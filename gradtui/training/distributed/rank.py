"""`python -m gradtui.training.distributed.rank FOLDER`, as torchrun starts it: one process of a training."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from gradtui.experiment import load
from gradtui.runs.folder import EXPERIMENT_FILE
from gradtui.training.failures import TrainingFailed
from gradtui.training.parent import end_with_parent
from gradtui.training.process import train_folder


def main(folder: Path) -> int:
    """Lead or help. Returns the exit code."""
    for harmless in (signal.SIGHUP, signal.SIGINT):
        signal.signal(harmless, signal.SIG_IGN)
    # torchrun gives each process a session of its own: killed, it would leave them behind.
    end_with_parent(signal.SIGKILL)
    if os.environ["RANK"] == "0":
        return train_folder(folder, shared=True)
    # The leader decides when a training ends, and it hears of it as well.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return _help(folder)


def _help(folder: Path) -> int:
    from gradtui.training.distributed.stepper import help_along
    from gradtui.training.distributed.team import Team
    from gradtui.training.session import build

    try:
        team = Team.join()
        help_along(build(load(folder / EXPERIMENT_FILE)), team)
    except TrainingFailed as error:
        print(error, file=sys.stderr)
        return 1
    team.part_company()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
