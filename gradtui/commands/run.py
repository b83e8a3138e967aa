"""`gradtui run`: trains without a screen, and says what came of it."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gradtui.commands.command import TRAINING_FAILED, BadInput, Command
from gradtui.commands.fail_on import add_fail_on, chosen_codes, exit_code
from gradtui.commands.forking import chosen_fork
from gradtui.commands.inputs import add_experiment, add_json, add_runs, chosen_experiment, chosen_root
from gradtui.commands.preflighting import measure
from gradtui.commands.resuming import chosen_to_resume
from gradtui.commands.splitting import add_nproc, check_nproc

if TYPE_CHECKING:
    from gradtui.commands.tied import Interruptions
    from gradtui.runs.reader import Run
    from gradtui.training.launch import Trainer

CURES_SHOWN = 3
"""Best first; `gradtui diagnose` lists them all."""

ENDS = ("finished", "stopped", "diverged", "failed")


def _configure(parser: ArgumentParser) -> None:
    add_experiment(parser)
    parser.add_argument("--steps", type=int, metavar="N", help="train N steps; short for --set run.steps=N")
    parser.add_argument(
        "--resume",
        metavar="RUN",
        help="go on with this run instead, from its newest checkpoint to its planned steps, or to N in all",
    )
    parser.add_argument(
        "--from",
        dest="fork",
        metavar="RUN[@STEP]",
        help="a new run that goes on from a checkpoint of this one, under what --set changes; without STEP "
        "from its newest, or, where it broke, from before that",
    )
    parser.add_argument(
        "--preflight",
        action="store_true",
        help="train nothing: measure the gradient of each layer at initialisation, on one batch, and keep no run",
    )
    add_nproc(parser)
    add_runs(parser)
    add_json(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")
    add_fail_on(parser)


def _execute(args: Namespace) -> int:
    from gradtui.commands.tied import Interruptions

    if args.preflight:
        return measure(args)
    codes = chosen_codes(args)
    folder = _checked(args)
    with Interruptions() as interruptions:
        trainer = _start(folder, args.nproc or 1)
        _wait(trainer, interruptions, quiet=args.quiet)
    return _report(trainer, args.json, codes, interruptions.first)


def _checked(args: Namespace) -> Callable[[], Path]:
    """What gives the run's folder, now that everything that the person gave has been found good."""
    from gradtui.experiment.errors import ExperimentError
    from gradtui.training.launch import create_run

    if args.resume is not None and args.fork is not None:
        raise BadInput("--resume goes on in the run's own folder, --from in a new one; choose one of them")
    if args.fork is not None:
        return chosen_fork(args)
    if args.resume is not None:
        folder = chosen_to_resume(args)
        return lambda: folder
    if args.steps is not None:
        args.assignments.append(f"run.steps={args.steps}")
    experiment, root = chosen_experiment(args), chosen_root(args)
    try:
        check_nproc(args, experiment)
    except ExperimentError as error:
        raise BadInput(str(error)) from None
    return lambda: create_run(experiment, root)


def _start(folder: Callable[[], Path], processes: int) -> Trainer:
    from gradtui.training.launch import start_trainer

    try:
        return start_trainer(folder(), processes)
    except OSError as error:
        raise BadInput(f"{error.filename or 'the run'}: {error.strerror}") from None


def _wait(trainer: Trainer, interruptions: Interruptions, *, quiet: bool) -> None:
    from gradtui.commands.tied import wait_for

    if quiet or not sys.stderr.isatty():
        wait_for(trainer, interruptions, show=_nothing, say=_nothing)
        return
    from gradtui.commands.progress import ProgressLine
    from gradtui.runs.follower import Follower
    from gradtui.runs.reader import open_run

    follower = Follower(open_run(trainer.folder))
    with ProgressLine() as line:

        def show() -> None:
            snapshot = follower.poll()
            if snapshot is not None:
                line.show(snapshot)

        wait_for(trainer, interruptions, show, line.say)


def _nothing(*_: object) -> None:
    """Where nobody looks, nothing is shown."""


def _report(trainer: Trainer, as_json: bool, codes: frozenset[str], cut_short_by: int | None) -> int:
    from gradtui.diagnosis.monitor import diagnose_run
    from gradtui.report.run_json import run_object
    from gradtui.runs.reader import open_run

    run = open_run(trainer.folder)
    diagnosis = diagnose_run(run)
    summary = run_object(run, diagnosis.findings)
    if summary["status"] not in ENDS:
        # Gone before it could write anything; for the run folder it may still be about to start.
        summary["status"] = "failed"
    if as_json:
        from gradtui.report.output import to_json

        print(to_json(summary))
    else:
        from gradtui.report.run_page import print_run

        print_run(run, summary, diagnosis, most_cures=CURES_SHOWN)
    if summary["status"] == "failed":
        print(f"gradtui: the training failed: {reason(run, trainer)}", file=sys.stderr)
    if cut_short_by is not None:
        return 128 + cut_short_by
    return TRAINING_FAILED if summary["status"] == "failed" else exit_code(diagnosis, codes)


def reason(run: Run, trainer: Trainer) -> str:
    """Why the trainer failed, in one line."""
    last_words = [line.strip() for line in run.log_tail() if line.strip()]
    return run.status.reason or (last_words or [f"the trainer ended with {trainer.poll()}"])[-1]


COMMAND = Command(
    "run",
    "run [EXPERIMENT]",
    "trains without a screen: progress on stderr, a report with charts on stdout",
    _configure,
    _execute,
)
