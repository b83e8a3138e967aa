"""What the commands take: an experiment with changes, a run, a folder of runs. All mistakes become BadInput."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from gradtui.commands.command import BadInput

if TYPE_CHECKING:
    from gradtui.experiment.spec import Experiment
    from gradtui.runs.reader import Run


def add_experiment(parser: ArgumentParser) -> None:
    """EXPERIMENT and what changes it."""
    parser.add_argument(
        "experiment",
        nargs="?",
        metavar="EXPERIMENT",
        help="a preset's name or a TOML file; without it the first of `gradtui presets`",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="K=V",
        dest="assignments",
        help="change one field by its dotted path, as in --set net.0.activation=relu; may be repeated",
    )


def add_run(parser: ArgumentParser) -> None:
    """RUN."""
    parser.add_argument(
        "run",
        nargs="?",
        metavar="RUN",
        help="a run's id, any part of it that no other run has, or its folder; without it the newest",
    )


def add_runs(parser: ArgumentParser) -> None:
    """The folder in which runs lie."""
    parser.add_argument(
        "--runs",
        type=Path,
        metavar="DIR",
        help="where the runs lie; without it $GRADTUI_HOME/runs, else the folder of this platform",
    )


def add_json(parser: ArgumentParser) -> None:
    """Output for programs."""
    parser.add_argument("--json", action="store_true", help="JSON on stdout, and nothing else")


def chosen_experiment(args: Namespace) -> Experiment:
    """The experiment that the words describe, checked. Raises BadInput."""
    from gradtui.experiment.errors import ExperimentError
    from gradtui.experiment.overrides import parse_assignments, set_fields

    try:
        experiment = _named(args.experiment)
        if args.assignments:
            experiment = set_fields(experiment, parse_assignments(args.assignments))
    except ExperimentError as error:
        raise BadInput(str(error)) from None
    return experiment


def _named(word: str | None) -> Experiment:
    from gradtui.experiment import resolve
    from gradtui.experiment.presets import names

    return resolve(word or names()[0])


def chosen_root(args: Namespace) -> Path:
    """The folder of runs. Raises BadInput where --runs names something that is no folder."""
    from gradtui.runs.folder import runs_root

    if args.runs is None:
        return runs_root()
    if args.runs.exists() and not args.runs.is_dir():
        raise BadInput(f"--runs: {args.runs} is not a folder")
    return Path(args.runs)


def chosen_folder(args: Namespace) -> Path:
    """The folder of the run that the word names (an id, a part of it, or a folder; none: the newest).

    Raises BadInput. Needs no numpy, so that the screens are not kept waiting for it.
    """
    from gradtui.runs.errors import RunError
    from gradtui.runs.library import find_run
    from gradtui.runs.status import read_status

    try:
        folder = find_run(args.run, chosen_root(args))
        # Here a run.json that cannot be read is one line; later it would be a screen without a run.
        read_status(folder)
    except RunError as error:
        raise BadInput(str(error)) from None
    return folder.absolute()


def chosen_run(args: Namespace) -> Run:
    """The same run, opened. Raises BadInput."""
    from gradtui.runs.reader import open_run

    return open_run(chosen_folder(args))
