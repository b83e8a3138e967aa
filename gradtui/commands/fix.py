"""`gradtui fix` trains, takes the best advice, and trains again, until nothing is found and the net has learned."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradtui.commands.command import DONE, FOUND, TRAINING_FAILED, BadInput, Command
from gradtui.commands.engine_trainer import add_engine, chosen_engine
from gradtui.commands.inputs import add_experiment, add_json, add_runs, chosen_experiment, chosen_root
from gradtui.plain_text import plain
from gradtui.report.fix_page import print_conclusion, print_round, print_trials

if TYPE_CHECKING:
    from gradtui.commands.signals import Interruptions
    from gradtui.diagnosis.findings import CureOffer
    from gradtui.experiment.spec import Experiment
    from gradtui.runs.reader import Run
    from gradtui.study.engines import Engine
    from gradtui.study.fixing import Attempt
    from gradtui.study.trials import Trial

ROUNDS = 3
TRIAL_SECONDS = 30.0
"""The time for all trials before one round."""


@dataclass(frozen=True)
class Round:
    """A Round is one training of a repair, with its run and what `gradtui run --json` prints of it."""

    number: int
    attempt: Attempt
    run: Run
    summary: dict[str, Any]
    trials: tuple[Trial, ...] = ()
    """The cures that were tried for a few steps before it."""

    @property
    def failed(self) -> bool:
        """Return whether the training itself failed, which no cure mends."""
        return self.summary["status"] not in ("finished", "stopped", "diverged")

    def to_json(self) -> dict[str, Any]:
        """Return it as an entry of `rounds`."""
        attempt = self.attempt
        return {
            "round": self.number,
            "cure": attempt.cure.to_json() if attempt.cure else None,
            "tried": [_trial_json(trial) for trial in self.trials],
            "run": self.summary["run"],
            "status": self.summary["status"],
            "loss": self.summary["loss"],
            "accuracy": self.summary["accuracy"],
            "findings": [finding.code for finding in attempt.findings],
            "learns": attempt.begun,
        }


def _trial_json(trial: Trial) -> dict[str, Any]:
    return {
        "cure": trial.cure.name,
        "steps": trial.steps,
        "loss": {"first": trial.first_loss, "last": trial.last_loss},
        "uneven": trial.uneven,
    }


def _rounds(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 100:
        raise ArgumentTypeError(f"{text!r} is not allowed; expected a number from 1 to 100")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 86_400.0:
        raise ArgumentTypeError(f"{text!r} is not allowed; expected seconds from 0 to 86400")
    return value


def _configure(parser: ArgumentParser) -> None:
    add_experiment(parser)
    parser.add_argument(
        "--rounds",
        type=_rounds,
        default=ROUNDS,
        metavar="N",
        help="take the advice up to N times; without it 3 times",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="write the experiment with its cures here, once it is fixed",
    )
    parser.add_argument(
        "--trial-seconds",
        type=_seconds,
        default=TRIAL_SECONDS,
        metavar="S",
        help=f"the time to try the advised cures for a few steps before each round; without it {TRIAL_SECONDS:g}, and "
        "with 0 the first advice is taken untried",
    )
    add_engine(parser)
    add_runs(parser)
    add_json(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")


def _execute(args: Namespace) -> int:
    from gradtui.commands.signals import Interruptions

    experiment, root = chosen_experiment(args), chosen_root(args)
    _check_output(args.output)
    try:
        engine = chosen_engine(args)(args.jobs, max(1, experiment.run.threads))
    except (ImportError, OSError) as error:
        raise BadInput(f"--engine: {error}") from None
    try:
        with Interruptions() as interruptions:
            rounds = _repair(experiment, args, root, engine, interruptions)
    finally:
        engine.close()
    return _report(rounds, args, interruptions.first)


def _repair(
    experiment: Experiment, args: Namespace, root: Path, engine: Engine, interruptions: Interruptions
) -> list[Round]:
    """Train, take the best advice, and train again, until nothing is left to do or the rounds are over."""
    from gradtui.experiment import set_fields
    from gradtui.study.fixing import needs_more, next_cures

    rounds: list[Round] = []
    origin: Round | None = None
    cure: CureOffer | None = None
    trials: tuple[Trial, ...] = ()
    while True:
        made = _train(experiment, cure, len(rounds), origin, root, engine, interruptions, quiet=args.quiet)
        made = replace(made, trials=trials)
        rounds.append(made)
        attempts = [each.attempt for each in rounds]
        if not args.json:
            print_round(made.number, made.attempt, made.summary, _better_before(rounds))
        if made.failed or interruptions.first is not None or len(rounds) > args.rounds:
            return rounds
        if not needs_more(attempts):
            return rounds
        before, offers = next_cures(attempts)
        if not offers:
            return rounds
        origin = next(each for each in rounds if each.attempt is before)
        trials = _tried(before.experiment, offers, args, engine, interruptions)
        if interruptions.first is not None:
            return rounds
        cure = trials[0].cure if trials else offers[0]
        experiment = set_fields(before.experiment, cure.set)


def _better_before(rounds: list[Round]) -> int | None:
    """The number of the earlier round than which the last one is worse, if any."""
    from gradtui.study.fixing import best_of

    best = best_of([each.attempt for each in rounds])
    number = next(each.number for each in rounds if each.attempt is best)
    return None if number == rounds[-1].number else number


def _tried(
    experiment: Experiment,
    offers: tuple[CureOffer, ...],
    args: Namespace,
    engine: Engine,
    interruptions: Interruptions,
) -> tuple[Trial, ...]:
    """Try the cures for a few steps each and return them ranked; none where there is no choice or no time."""
    from gradtui.runs.scratch import Scratch
    from gradtui.study.trials import ranked, try_cures

    if len(offers) < 2 or args.trial_seconds == 0:
        return ()
    began = time.monotonic()
    try:
        with Scratch() as root:
            trials = try_cures(
                experiment,
                offers,
                engine,
                root,
                seconds=args.trial_seconds,
                cancelled=lambda: interruptions.first is not None,
            )
    except OSError:
        # No folder or no process for a trial: the advice stands as it is.
        return ()
    in_order = tuple(ranked(trials))
    if not args.json and interruptions.first is None:
        print_trials(in_order, time.monotonic() - began)
    return in_order


def _check_output(output: Path | None) -> None:
    """Raise BadInput where the fixed experiment could not be written: before the training, not after it."""
    if output is None:
        return
    if output.is_dir():
        raise BadInput(f"--output: {output} is a folder; expected a file")
    if not output.absolute().parent.is_dir():
        raise BadInput(f"--output: {output.absolute().parent} is no folder")


def _train(
    experiment: Experiment,
    cure: CureOffer | None,
    number: int,
    origin: Round | None,
    root: Path,
    engine: Engine,
    interruptions: Interruptions,
    *,
    quiet: bool,
) -> Round:
    from gradtui.commands.engine_trainer import EngineTrainer
    from gradtui.commands.run import wait_with_progress
    from gradtui.diagnosis.monitor import diagnose_run
    from gradtui.report.run_json import run_object
    from gradtui.runs.meta import Parent
    from gradtui.runs.reader import open_run
    from gradtui.study.fixing import attempt_of
    from gradtui.training.launch import create_run

    parent: Parent | None = None
    if origin is not None:
        parent = Parent(origin.run.folder.name, 0, cure.key if cure else "")
    try:
        trainer = EngineTrainer(engine, create_run(experiment, root, parent=parent))
    except OSError as error:
        raise BadInput(f"{error.filename or 'the run'}: {error.strerror}") from None
    wait_with_progress(trainer, interruptions, quiet=quiet)
    run = open_run(trainer.folder)
    diagnosis = diagnose_run(run)
    summary = run_object(run, diagnosis.findings)
    return Round(number, attempt_of(experiment, cure, diagnosis), run, summary)


def _report(rounds: list[Round], args: Namespace, interrupted_by: int | None) -> int:
    from gradtui.experiment import dumps
    from gradtui.experiment.overrides import diff
    from gradtui.ordinary_files import problem_of
    from gradtui.runs.safe_files import write_for_person
    from gradtui.study.fixing import best_of

    first, last = rounds[0], rounds[-1]
    best = best_of([each.attempt for each in rounds])
    fixed = best.clean and not last.failed
    changes = diff(first.attempt.experiment, (best if best.clean else last.attempt).experiment)
    if fixed and args.output is not None:
        try:
            write_for_person(args.output, dumps(best.experiment).encode())
        except (OSError, ValueError) as error:
            raise BadInput(f"--output: {args.output}: {problem_of(error)}") from None
    if args.json:
        from gradtui.report.output import to_json

        made = [each.to_json() for each in rounds]
        name = first.attempt.experiment.name
        print(to_json({"name": name, "fixed": fixed, "set": changes, "rounds": made}))
    else:
        number = next(each.number for each in rounds if each.attempt is best)
        print_conclusion(best, number, last.number, changes)
        if fixed and args.output is not None:
            print(plain(f"Written to {args.output}."))
    if interrupted_by is not None:
        return 128 + interrupted_by
    if last.failed:
        reason = last.run.status.reason or "see the run's log"
        print(plain(f"gradtui: the training failed: {reason}"), file=sys.stderr)
        return TRAINING_FAILED
    return DONE if fixed else FOUND


COMMAND = Command(
    "fix",
    "fix [EXPERIMENT]",
    "trains, takes the best advice and trains again, until nothing is found and the net learns",
    _configure,
    _execute,
)
