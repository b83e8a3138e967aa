"""Read the arguments that several commands share: an experiment with changes, a run, a folder of runs, findings.

Every mistake in them becomes a BadInput error.
"""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from gradtui.commands.command import DONE, FOUND, BadInput

if TYPE_CHECKING:
    from gradtui.diagnosis.monitor import RunDiagnosis
    from gradtui.experiment.spec import Experiment
    from gradtui.runs.reader import Run


def add_experiment(parser: ArgumentParser) -> None:
    """Add EXPERIMENT, and --set, which changes it."""
    parser.add_argument(
        "experiment",
        nargs="?",
        metavar="EXPERIMENT",
        help="a preset's name, a TOML file or a copied string; without it the first of `gradtui presets`",
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
    """Add RUN."""
    parser.add_argument(
        "run",
        nargs="?",
        metavar="RUN",
        help="a run's id, any unique part of it, or its folder; without it the newest",
    )


def add_runs(parser: ArgumentParser) -> None:
    """Add --runs, the folder in which the runs are."""
    parser.add_argument(
        "--runs",
        type=Path,
        metavar="DIR",
        help="the folder of the runs; by default $GRADTUI_HOME/runs, or else a folder in your user data",
    )


def add_json(parser: ArgumentParser) -> None:
    """Add --json."""
    parser.add_argument("--json", action="store_true", help="print JSON only")


def chosen_experiment(args: Namespace) -> Experiment:
    """Return the experiment that the arguments describe, checked. Raises BadInput."""
    from gradtui.experiment import resolve
    from gradtui.experiment.errors import ExperimentError
    from gradtui.experiment.overrides import parse_assignments, set_fields
    from gradtui.experiment.presets import names

    try:
        experiment = resolve(args.experiment or names()[0])
        if args.assignments:
            experiment = set_fields(experiment, parse_assignments(args.assignments))
    except ExperimentError as error:
        raise BadInput(str(error)) from None
    return experiment


def trainable_experiment(args: Namespace) -> Experiment:
    """Return the experiment that the arguments describe, whose data can be read. Raises BadInput.

    Only the headers of the data's files are read here; what is wrong behind them, the trainer finds.
    """
    from gradtui.experiment.data_shapes import data_path, data_shape
    from gradtui.experiment.errors import ExperimentError
    from gradtui.runs.bounded_reads import NO_ANSWER, answers

    experiment = chosen_experiment(args)
    if experiment.data.path:
        path = data_path(experiment.data)
        if not answers(path):
            raise BadInput(f"data.path: {path}: {NO_ANSWER}")
        try:
            data_shape(experiment.data)
        except ExperimentError as error:
            raise BadInput(str(error)) from None
        if not os.path.exists(path):
            raise BadInput(f"data.path: {path} does not exist")
    return experiment


def chosen_root(args: Namespace) -> Path:
    """Return the folder of runs.

    Raises BadInput where --runs names something that is not a folder, or where its file server does not answer.
    """
    from gradtui.runs.bounded_reads import NO_ANSWER, answers
    from gradtui.runs.folder import runs_root

    root = runs_root() if args.runs is None else args.runs
    if not answers(root):
        raise BadInput(f"{root}: {NO_ANSWER}")
    if args.runs is None:
        return Path(root)
    if os.path.exists(args.runs) and not os.path.isdir(args.runs):
        raise BadInput(f"--runs: {args.runs} is not a folder")
    return Path(args.runs)


def chosen_folder(args: Namespace) -> Path:
    """Return the folder of the run that RUN names: an id, a part of it, or a folder; without it the newest.

    Raises BadInput. This does not import numpy, so that the first frame of the screens comes soon.
    """
    from gradtui.runs.errors import RunError
    from gradtui.runs.folder import RUN_FILE
    from gradtui.runs.library import find_run
    from gradtui.runs.meta import read_meta

    try:
        folder = find_run(args.run, chosen_root(args))
        # A run.json that cannot be read is reported here in one line; later it would open a screen without a run.
        if (folder / RUN_FILE).exists():
            read_meta(folder)
    except RunError as error:
        raise BadInput(str(error)) from None
    return folder.absolute()


def chosen_run(args: Namespace) -> Run:
    """Return the run that RUN names, opened. Raises BadInput."""
    from gradtui.runs.reader import open_run

    return open_run(chosen_folder(args))


def check_output(option: str, path: Path) -> None:
    """Raise BadInput before a long training if the file of an option could not be written after it."""
    from gradtui.runs.safe_files import place_for_person

    try:
        if path.is_dir():
            raise BadInput(f"--{option}: {path} is a folder; expected a file")
        place_for_person(path)
        if not path.absolute().parent.is_dir():
            raise BadInput(f"--{option}: the folder of {path} does not exist")
    except OSError as error:
        # Such as a name that is too long.
        raise BadInput(f"--{option}: {path}: {error.strerror}") from None


def add_fail_on(parser: ArgumentParser) -> None:
    """Add --fail-on, the findings that make the command fail."""
    parser.add_argument(
        "--fail-on",
        default=None,
        metavar="CODES",
        help="exit with code 3 if the run has one of these findings, as in --fail-on vanishing,exploding",
    )


def chosen_codes(args: Namespace) -> frozenset[str]:
    """Return the codes of --fail-on. Raises BadInput on one that no finding has."""
    from gradtui.diagnosis.findings import CODES

    if args.fail_on is None:
        return frozenset()
    codes = frozenset(code.strip() for code in args.fail_on.split(",") if code.strip())
    if not codes:
        # A script's unset variable gives an empty list, with which the command would never fail.
        raise BadInput(f"--fail-on: names no finding; expected {', '.join(CODES)}")
    for code in sorted(codes.difference(CODES)):
        raise BadInput(f"--fail-on: no finding is called {code}; expected {', '.join(CODES)}")
    return codes


def exit_code(diagnosis: RunDiagnosis, codes: Collection[str]) -> int:
    """Return FOUND where a finding has one of the codes, otherwise DONE."""
    return FOUND if any(finding.code in codes for finding in diagnosis.findings) else DONE
