"""`gradtui run` trains without a screen, and reports the result.

It trains an experiment, resumes a run (`--resume`), starts a run from a checkpoint of another (`--from`), or only
measures a net before any step (`--preflight`).
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gradtui.commands.command import DONE, TRAINING_FAILED, BadInput, Subcommand
from gradtui.commands.inputs import (
    add_experiment,
    add_fail_on,
    add_json,
    add_runs,
    chosen_codes,
    chosen_root,
    exit_code,
    trainable_experiment,
)
from gradtui.ordinary_files import given_path
from gradtui.plain_text import plain
from gradtui.words import several

if TYPE_CHECKING:
    from gradtui.commands.engine_trainer import EngineTrainer
    from gradtui.commands.interruptions import Interruptions
    from gradtui.commands.progress import BarProgress
    from gradtui.experiment.spec import Experiment
    from gradtui.runs.follower import Snapshot
    from gradtui.runs.reader import Run
    from gradtui.training.launch import Trainer

CURES_SHOWN = 3
"""The best cures of each finding that are printed; `gradtui diagnose` prints all."""

END_STATES = ("finished", "stopped", "diverged", "failed")

TRAINING_OPTIONS = ("resume", "fork", "fail_on", "steps", "runs", "nproc")
"""The options that make no sense with --preflight, by the names of their arguments."""

STARTING = "starting"
LONGEST_STEP = 20
"""Digits; Python refuses to read numbers of thousands."""


def _configure(parser: ArgumentParser) -> None:
    add_experiment(parser)
    parser.add_argument("--steps", type=int, metavar="N", help="train N steps; the same as --set run.steps=N")
    parser.add_argument(
        "--resume",
        metavar="RUN",
        help="continue this run from its newest checkpoint, to its planned end or, with --steps N, to step N",
    )
    parser.add_argument(
        "--from",
        dest="fork",
        metavar="RUN[@STEP]",
        help="start a new run from a checkpoint of this one, with the changes of --set; without STEP from "
        "the newest checkpoint, or, if the run diverged, from the last one before that",
    )
    parser.add_argument(
        "--preflight",
        action="store_true",
        help="do not train: only measure the gradient of each layer at initialisation, on one batch, and keep no run",
    )
    parser.add_argument(
        "--nproc",
        type=int,
        metavar="N",
        help="train with N processes, each on its part of every batch, on the cores of this machine or on one GPU each",
    )
    parser.add_argument(
        "--share", action="store_true", help="let your group read the run; without it, only you can"
    )
    add_runs(parser)
    add_json(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")
    add_fail_on(parser)


def _execute(args: Namespace) -> int:
    from gradtui.commands.interruptions import Interruptions
    from gradtui.runs.run_lock import RunTaken, lock_run, unlock_run
    from gradtui.training.launch import start_trainer

    if args.preflight:
        return _preflight(args)
    codes = chosen_codes(args)
    make_folder = _checked(args)
    with Interruptions() as interruptions:
        lock = None
        try:
            folder = make_folder()
            lock = lock_run(folder)
            if args.resume is not None:
                _prepare_resumed(folder, args)
            trainer = start_trainer(folder, args.nproc or 1, lock)
        except RunTaken as error:
            raise BadInput(str(error)) from None
        except OSError as error:
            raise BadInput(f"{error.filename or 'the run'}: {error.strerror}") from None
        finally:
            # From here on the trainer alone has the lock.
            unlock_run(lock)
        wait_with_progress(trainer, interruptions, quiet=args.quiet)
    return _report(trainer, args.json, codes, interruptions.first)


def _checked(args: Namespace) -> Callable[[], Path]:
    """Check the arguments, and return the function that makes the run's folder. Raises BadInput."""
    if args.resume is not None and args.fork is not None:
        raise BadInput("--resume continues a run in its own folder, --from in a new one; choose one of them")
    if args.resume is not None:
        if args.share:
            raise BadInput("--share: works only for a new run; chmod -R g+rX shares an existing one")
        folder = _resumed_run(args)
        return lambda: folder
    if args.steps is not None:
        args.assignments.append(f"run.steps={args.steps}")
    return _new_run(args) if args.fork is None else _fork(args)


def _new_run(args: Namespace) -> Callable[[], Path]:
    from gradtui.experiment.errors import ExperimentError
    from gradtui.training.launch import create_run

    experiment, root = trainable_experiment(args), chosen_root(args)
    try:
        _check_nproc(args, experiment)
    except ExperimentError as error:
        raise BadInput(str(error)) from None
    return lambda: create_run(experiment, root, share=args.share)


def _check_nproc(args: Namespace, experiment: Experiment) -> None:
    """Raise ExperimentError where the experiment cannot be trained by --nproc processes."""
    from gradtui.training.distributed import check_splits

    if args.nproc is not None:
        check_splits(experiment, args.nproc)


def _fork(args: Namespace) -> Callable[[], Path]:
    """Return the function that makes the folder of the fork that --from asks for. Raises BadInput."""
    from gradtui.experiment import parse_assignments, set_fields
    from gradtui.experiment.errors import ExperimentError
    from gradtui.runs.errors import RunError
    from gradtui.runs.library import find_run
    from gradtui.training import forks
    from gradtui.training.checkpoints.files import CheckpointError

    if args.experiment is not None:
        raise BadInput(
            f"--from {args.fork}: continues the run's own experiment, changed by --set, and takes no "
            f"other one ({args.experiment})"
        )
    try:
        word, step = _run_and_step(args.fork)
        root = chosen_root(args)
        fork = forks.fork_of(find_run(word, root).absolute(), step)
        experiment = set_fields(fork.experiment, parse_assignments(args.assignments))
        forks.check(fork, experiment)
        _check_nproc(args, experiment)
    except (RunError, CheckpointError, ExperimentError) as error:
        raise BadInput(str(error)) from None
    return lambda: forks.create(fork, experiment, root, share=args.share)


def _run_and_step(text: str) -> tuple[str, int | None]:
    """Split RUN@STEP, unless a folder has that name."""
    run, at, step = text.rpartition("@")
    if not (at and step.isascii() and step.isdecimal() and len(step) < LONGEST_STEP) or os.path.exists(
        given_path(text)
    ):
        return text, None
    return run, int(step)


def _resumed_run(args: Namespace) -> Path:
    """Return the folder of the run to resume. Raises BadInput where it cannot be resumed."""
    from gradtui.experiment import load, set_fields
    from gradtui.experiment.errors import ExperimentError
    from gradtui.runs.errors import RunError
    from gradtui.runs.folder import EXPERIMENT_FILE
    from gradtui.runs.library import find_run
    from gradtui.training.forks import require_checkpoints

    if args.experiment is not None or args.assignments:
        raise BadInput(
            f"--resume {args.resume}: continues the run's own experiment, of which only --steps can be "
            f"changed, not {args.experiment or args.assignments[0]}"
        )
    try:
        folder = find_run(args.resume, chosen_root(args)).absolute()
        require_checkpoints(folder)
        _check_resumable(folder, args.steps)
        experiment = load(folder / EXPERIMENT_FILE)
        _check_nproc(args, experiment)
        if args.steps is not None:
            set_fields(experiment, {"run.steps": args.steps})
    except (RunError, ExperimentError) as error:
        raise BadInput(str(error)) from None
    except OSError as error:
        raise BadInput(f"{error.filename}: {error.strerror}") from None
    return folder


def _prepare_resumed(folder: Path, args: Namespace) -> None:
    """Set the planned steps to those of --steps, once no other process works on the run. Raises BadInput."""
    from gradtui.experiment import load, set_fields
    from gradtui.experiment.errors import ExperimentError
    from gradtui.runs.errors import RunError
    from gradtui.runs.folder import EXPERIMENT_FILE
    from gradtui.training.launch import write_experiment

    try:
        # Another process may have trained it between the first check and the lock.
        _check_resumable(folder, args.steps)
        if args.steps is not None:
            experiment = load(folder / EXPERIMENT_FILE)
            write_experiment(folder, set_fields(experiment, {"run.steps": args.steps}))
    except (RunError, ExperimentError) as error:
        raise BadInput(str(error)) from None


def _check_resumable(folder: Path, steps: int | None) -> None:
    from gradtui.runs.folder import RUN_FILE
    from gradtui.runs.meta import read_meta
    from gradtui.runs.status import read_status

    status = read_status(folder)
    if (folder / RUN_FILE).exists() and read_meta(folder).kind == "script":
        raise BadInput(f"{folder.name}: was trained by a script, and only the script can continue it")
    if status.live:
        raise BadInput(f"{folder.name}: is being trained; gradtui attach {folder.name} shows it")
    if steps is not None and steps <= status.step:
        raise BadInput(f"--steps {steps}: {folder.name} has already taken {several(status.step, 'step')}")
    if steps is None and status.state == "finished":
        taken = several(status.step, "step")
        raise BadInput(f"{folder.name}: has finished after {taken}; --steps N continues to step N")


def wait_with_progress(
    trainer: Trainer | EngineTrainer, interruptions: Interruptions, *, quiet: bool
) -> None:
    """Wait until the trainer has ended, and show its progress where stderr is a terminal."""
    from gradtui.commands.interruptions import wait_for

    if quiet or not sys.stderr.isatty():
        wait_for(trainer, interruptions, show=lambda: None, say=lambda text: None)
        return
    from gradtui.commands.progress import ProgressBar
    from gradtui.runs.follower import Follower
    from gradtui.runs.reader import open_run

    follower = Follower(open_run(trainer.folder))
    with ProgressBar(STARTING) as bar:

        def show() -> None:
            snapshot = follower.poll()
            if snapshot is not None:
                bar.show(training_progress(snapshot))

        wait_for(trainer, interruptions, show, bar.say)


def training_progress(snapshot: Snapshot) -> BarProgress:
    """Return the progress of a training: its phase and, beside the bar, step, rate, time left and loss.

    While the layers are pretrained the bar counts the epochs of all layers together.
    """
    from gradtui.commands.progress import BarProgress
    from gradtui.words import figure, seconds

    phase = snapshot.status.phase
    if phase == "pretraining":
        return _pretraining_progress(snapshot)
    parts = []
    if snapshot.step:
        parts.append(f"step {snapshot.step:,}" + (f"/{snapshot.steps:,}" if snapshot.steps else ""))
        if snapshot.rate is not None:
            parts.append(f"{snapshot.rate:,.0f}/s" if snapshot.rate >= 10 else f"{snapshot.rate:.1f}/s")
        if snapshot.seconds_left is not None:
            parts.append(f"{seconds(snapshot.seconds_left)} left")
        loss = snapshot.curves.get("loss")
        if loss is not None and len(loss):
            parts.append(f"loss {figure(float(loss.mean[-1]))}")
    return BarProgress(phase or STARTING, snapshot.step, snapshot.steps or None, "  ".join(parts))


def _pretraining_progress(snapshot: Snapshot) -> BarProgress:
    from gradtui.commands.progress import BarProgress
    from gradtui.words import figure

    now = next(event for event in reversed(snapshot.events) if event["event"] == "phase")
    ended = next((event for event in reversed(snapshot.events) if event["event"] == "pretrain"), None)
    figures = f"layer {now['layer']}/{now['layers']}  epoch {now['epoch']}/{now['epochs']}"
    if ended is not None:
        figures += f"  error {figure(ended['reconstruction_error'])}"
    done = (now["layer"] - 1) * now["epochs"] + now["epoch"] - 1
    return BarProgress("pretraining", done, now["layers"] * now["epochs"] or None, figures)


def _report(trainer: Trainer, as_json: bool, codes: frozenset[str], interrupted_by: int | None) -> int:
    """Print the report of a run that has ended, and return the exit code."""
    from gradtui.diagnosis.monitor import diagnose_run
    from gradtui.report.run_json import run_object
    from gradtui.runs.errors import RunError
    from gradtui.runs.reader import open_run

    try:
        run = open_run(trainer.folder)
    except RunError as error:
        print(plain(f"gradtui: the training failed: {error}"), file=sys.stderr)
        return TRAINING_FAILED
    diagnosis = diagnose_run(run)
    summary = run_object(run, diagnosis.findings, diagnosis.judged)
    if summary["status"] not in END_STATES or trainer.poll():
        # The trainer could not write its end, so the folder still says what was before it began.
        summary["status"] = "failed"
    if as_json:
        from gradtui.report.output import to_json

        print(to_json(summary))
    else:
        from gradtui.report.run_page import print_run

        print_run(run, summary, diagnosis, most_cures=CURES_SHOWN)
    failed = summary["status"] == "failed"
    if failed:
        print(plain(f"gradtui: the training failed: {_reason(run, trainer)}"), file=sys.stderr)
    if interrupted_by is not None:
        return 128 + interrupted_by
    return TRAINING_FAILED if failed else exit_code(diagnosis, codes)


def _reason(run: Run, trainer: Trainer) -> str:
    """Return in one line why the trainer failed."""
    last_lines = [line.strip() for line in run.log_tail() if line.strip()]
    reason = run.status.reason if run.status.state in ("failed", "died") else ""
    return reason or (last_lines or [f"the trainer ended with {trainer.poll()}"])[-1]


def _preflight(args: Namespace) -> int:
    """Measure a net before any step, print the result, keep no run, and return the exit code. Raises BadInput."""
    from gradtui.commands.interruptions import Interruptions
    from gradtui.runs.scratch import Scratch

    for name in TRAINING_OPTIONS:
        if getattr(args, name) is not None:
            option = {"fork": "from"}.get(name, name).replace("_", "-")
            raise BadInput(f"--{option}: not together with --preflight, which trains nothing")
    experiment = trainable_experiment(args)
    with Scratch() as root, Interruptions() as interruptions:
        code = _measure_and_print(experiment, root, interruptions, as_json=args.json)
    return code if interruptions.first is None else 128 + interruptions.first


def _measure_and_print(
    experiment: Experiment, root: Path, interruptions: Interruptions, *, as_json: bool
) -> int:
    from gradtui.commands.interruptions import wait_for
    from gradtui.commands.predict import prediction_object
    from gradtui.diagnosis.theory import predict
    from gradtui.report.output import to_json
    from gradtui.report.preflight_page import preflight_object, print_preflight
    from gradtui.runs.reader import open_run
    from gradtui.training.launch import create_run, start_trainer

    try:
        trainer = start_trainer(create_run(experiment, root, preflight=True))
    except OSError as error:
        raise BadInput(f"{error.filename or 'the preflight'}: {error.strerror}") from None
    wait_for(trainer, interruptions, show=lambda: None, say=lambda text: None)
    run = open_run(trainer.folder)
    if run.status.state != "finished":
        print(plain(f"gradtui: the preflight failed: {_reason(run, trainer)}"), file=sys.stderr)
        return TRAINING_FAILED
    prediction = predict(experiment)
    if as_json:
        print(to_json(preflight_object(run, prediction_object(prediction))))
    else:
        print_preflight(run, prediction)
    return DONE


COMMAND = Subcommand(
    "run",
    "run [EXPERIMENT]",
    "trains headless: progress on stderr, a report with charts on stdout",
    _configure,
    _execute,
)
