"""`gradtui [EXPERIMENT]` opens the lab."""

from __future__ import annotations

import gc
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from gradtui.commands.command import BadInput, Subcommand
from gradtui.commands.inputs import add_experiment, chosen_experiment
from gradtui.plain_text import plain

if TYPE_CHECKING:
    from gradtui.experiment.spec import Experiment


def _execute(args: Namespace) -> int:
    # The app itself reads the default experiment, after it has painted its first frame.
    chosen = args.experiment is not None or args.assignments
    return open_lab(chosen_experiment(args) if chosen else None)


def open_lab(
    experiment: Experiment | None = None, attach: Path | None = None, lesson: str | None = None
) -> int:
    """Open the app on an experiment, a run or a lesson. Raises BadInput where there is no terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise BadInput("the lab needs a terminal on stdin and stdout; `gradtui run` trains without one")
    # The imports make 130,000 objects and no garbage. To search among them takes a tenth of their time.
    gc.disable()
    from gradtui.ui.app import run_app

    left = run_app(experiment, attach, lesson)
    if left.training is not None:
        print(plain(f"still training: gradtui attach {left.training.name}"))
    return left.code


COMMAND = Subcommand("", "[EXPERIMENT]", "opens the lab with an experiment", add_experiment, _execute)
