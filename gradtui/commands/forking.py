"""Which checkpoint `gradtui run --from` means, and what is changed there."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from gradtui.commands.command import BadInput
from gradtui.commands.inputs import chosen_root
from gradtui.commands.splitting import check_nproc


def chosen_fork(args: Namespace) -> Callable[[], Path]:
    """What makes the folder of the fork that the words describe. Raises BadInput where it cannot be."""
    from gradtui.experiment import parse_assignments, set_fields
    from gradtui.experiment.errors import ExperimentError
    from gradtui.runs.errors import RunError
    from gradtui.runs.library import find_run
    from gradtui.training import forks
    from gradtui.training.checkpoints.files import CheckpointError

    if args.experiment is not None:
        raise BadInput(
            f"--from {args.fork}: goes on with the run's own experiment, changed by --set, "
            f"not with {args.experiment}"
        )
    if args.steps is not None:
        args.assignments.append(f"run.steps={args.steps}")
    try:
        word, step = _place(args.fork)
        root = chosen_root(args)
        fork = forks.fork_of(find_run(word, root).absolute(), step)
        experiment = set_fields(fork.experiment, parse_assignments(args.assignments))
        forks.check(fork, experiment)
        check_nproc(args, experiment)
    except (RunError, CheckpointError, ExperimentError) as error:
        raise BadInput(str(error)) from None
    return lambda: forks.create(fork, experiment, root)


def _place(text: str) -> tuple[str, int | None]:
    """RUN@STEP as run and step; a folder may have such a name, too."""
    run, at, step = text.rpartition("@")
    if not (at and step.isascii() and step.isdecimal()) or Path(text).expanduser().exists():
        return text, None
    return run, int(step)
