"""`gradtui fix` trains, takes the best advice, and trains again, until nothing is found and the net has learned."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from gradtui.commands.command import DONE, FOUND, TRAINING_FAILED, BadInput, Subcommand
from gradtui.commands.engine_trainer import add_engine, chosen_engine
from gradtui.commands.inputs import (
    add_experiment,
    add_json,
    add_runs,
    check_output,
    chosen_root,
    trainable_experiment,
)
from gradtui.plain_text import plain
from gradtui.study.repair_limits import ROUNDS, TRIAL_SECONDS

if TYPE_CHECKING:
    from gradtui.commands.interruptions import Interruptions
    from gradtui.experiment.spec import Experiment
    from gradtui.study.engines import Engine
    from gradtui.study.repair import RepairEvent, Round


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
        help="apply advice at most N times; 3 by default",
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
        help=f"how many seconds to try the advised cures before each round; {TRIAL_SECONDS:g} by default; "
        "with 0 the first advice is taken without a trial",
    )
    add_engine(parser)
    add_runs(parser)
    add_json(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")


def _execute(args: Namespace) -> int:
    from gradtui.commands.interruptions import Interruptions

    experiment, root = trainable_experiment(args), chosen_root(args)
    if args.output is not None:
        check_output("output", args.output)
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
    """Repair the experiment, print each event, and return the rounds."""
    from contextlib import ExitStack

    from gradtui.commands.engine_trainer import EngineTrainer
    from gradtui.commands.progress import ProgressBar
    from gradtui.commands.run import wait_with_progress
    from gradtui.report.fix_page import cure_lines, head_line, result_lines, trials_lines
    from gradtui.report.output import wrapped
    from gradtui.study.repair import Round, RoundStarted, TrialsEnded, best_round, repair

    def train(folder: Path) -> None:
        wait_with_progress(EngineTrainer(engine, folder), interruptions, quiet=args.quiet)

    def show(lines: list[str], indent: str = "") -> None:
        if not args.json:
            for line in lines:
                print(wrapped(indent + line))
            sys.stdout.flush()

    rounds: list[Round] = []
    events = repair(
        experiment,
        root,
        engine,
        train,
        rounds=args.rounds,
        trial_seconds=args.trial_seconds,
        cancelled=lambda: interruptions.first is not None,
    )
    with ExitStack() as bar:
        for event in _named(events):
            bar.close()
            if isinstance(event, RoundStarted):
                show([head_line(event.number, event.experiment, event.cure)])
                if event.cure is not None:
                    show(cure_lines(event.before, event.experiment, event.cure), "  ")
            elif isinstance(event, Round):
                rounds.append(event)
                show([*result_lines(event, best_round(rounds).number), ""], "  ")
            elif isinstance(event, TrialsEnded):
                show([*trials_lines(event.trials, event.seconds), ""])
            elif not args.quiet and sys.stderr.isatty():
                bar.enter_context(
                    ProgressBar(f"trying {len(event.cures)} cures, {event.seconds:.0f} s at most")
                )
    return rounds


def _named(events: Iterator[RepairEvent]) -> Iterator[RepairEvent]:
    """Yield the events; where a run cannot be created or started, name the file."""
    try:
        yield from events
    except OSError as error:
        raise BadInput(f"{error.filename or 'the run'}: {error.strerror}") from None


def _report(rounds: list[Round], args: Namespace, interrupted_by: int | None) -> int:
    from shlex import quote

    from gradtui.experiment import dumps
    from gradtui.ordinary_files import problem_of
    from gradtui.report.fix_page import conclusion, next_lines, round_json
    from gradtui.report.output import wrapped
    from gradtui.runs.reader import open_run
    from gradtui.runs.safe_files import write_for_person
    from gradtui.study.repair import best_round, changes_of, is_fixed

    first, last, best = rounds[0], rounds[-1], best_round(rounds)
    fixed, changes = is_fixed(rounds), changes_of(rounds)
    if fixed and args.output is not None:
        try:
            write_for_person(args.output, dumps(best.attempt.experiment).encode())
        except (OSError, ValueError) as error:
            raise BadInput(f"--output: {args.output}: {problem_of(error)}") from None
    if args.json:
        from gradtui.report.output import to_json

        made = [round_json(each) for each in rounds]
        name = first.attempt.experiment.name
        print(to_json({"name": name, "fixed": fixed, "set": changes, "rounds": made}))
    elif not last.failed:
        written = args.output if fixed else None
        ending = conclusion(best, last.number, changes, stopped=interrupted_by is not None)
        # Options and commands are not wrapped, because people copy them.
        print(plain(ending) if "--set" in ending else wrapped(ending))
        if written is not None:
            print(plain(f"Written to {written}."))
        run = best.folder if args.runs else best.folder.name
        output = None if written is None else quote(str(written))
        for line in next_lines(rounds, best, most=args.rounds, run=quote(str(run)), output=output):
            print(plain(line))
    if interrupted_by is not None:
        return 128 + interrupted_by
    if last.failed:
        reason = open_run(last.folder).status.reason or "see the run's log"
        print(plain(f"gradtui: the training failed: {reason}"), file=sys.stderr)
        return TRAINING_FAILED
    return DONE if fixed else FOUND


COMMAND = Subcommand(
    "fix",
    "fix [EXPERIMENT]",
    "trains, applies the best advice and trains again, until no problem is found and the net learns",
    _configure,
    _execute,
)
