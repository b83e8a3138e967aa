"""Which run `gradtui run --resume` means, and whether it can be taken up again."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from gradtui.commands.command import BadInput
from gradtui.commands.inputs import chosen_root
from gradtui.commands.splitting import check_nproc


def chosen_to_resume(args: Namespace) -> Path:
    """The folder of the run that the words name, its planned steps set to those that --steps asks for.

    Raises BadInput where it cannot be resumed, and changes nothing then.
    """
    from gradtui.experiment import load, set_fields
    from gradtui.experiment.errors import ExperimentError
    from gradtui.runs.errors import RunError
    from gradtui.runs.folder import EXPERIMENT_FILE
    from gradtui.runs.library import find_run
    from gradtui.training.launch import write_experiment

    if args.experiment is not None or args.assignments:
        raise BadInput(
            f"--resume {args.resume}: goes on with the run's own experiment; "
            f"only --steps can be changed, not {args.experiment or args.assignments[0]}"
        )
    try:
        folder = find_run(args.resume, chosen_root(args)).absolute()
        _check(folder, args.steps)
        experiment = load(folder / EXPERIMENT_FILE)
        check_nproc(args, experiment)
        if args.steps is not None:
            write_experiment(folder, set_fields(experiment, {"run.steps": args.steps}))
    except (RunError, ExperimentError) as error:
        raise BadInput(str(error)) from None
    except OSError as error:
        raise BadInput(f"{error.filename}: {error.strerror}") from None
    return folder


def _check(folder: Path, steps: int | None) -> None:
    from gradtui.runs.folder import RUN_FILE
    from gradtui.runs.meta import read_meta
    from gradtui.runs.status import read_status

    status = read_status(folder)
    if (folder / RUN_FILE).exists() and read_meta(folder).kind == "script":
        raise BadInput(f"{folder.name}: was trained by a script; only the script can go on with it")
    if status.live:
        raise BadInput(f"{folder.name}: is being trained; gradtui attach {folder.name} shows it")
    if steps is not None and steps <= status.step:
        raise BadInput(f"--steps {steps}: {folder.name} has taken {status.step} steps already")
    if steps is None and status.state == "finished":
        raise BadInput(f"{folder.name}: has finished, with {status.step} steps; --steps N goes on to step N")
