"""`gradtui fix` trains, takes the first advice, and trains again, until nothing is found and the net learns."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradtui.commands.command import DONE, FOUND, TRAINING_FAILED, BadInput, Command
from gradtui.commands.inputs import add_experiment, add_json, add_runs, chosen_experiment, chosen_root
from gradtui.plain_text import plain

if TYPE_CHECKING:
    from gradtui.commands.signals import Interruptions
    from gradtui.diagnosis.findings import CureOffer, Finding
    from gradtui.experiment.spec import Experiment
    from gradtui.runs.meta import Parent
    from gradtui.runs.reader import Run

ROUNDS = 3


@dataclass(frozen=True)
class Round:
    """A Round is one training of the experiment: as it was given in round 0, then with one more cure each."""

    number: int
    experiment: Experiment
    cure: CureOffer | None
    """What was changed before it; None in round 0."""
    run: Run
    findings: tuple[Finding, ...]
    learns: bool
    summary: dict[str, Any]
    """What `gradtui run --json` prints of it."""

    @property
    def fixed(self) -> bool:
        """Return whether nothing was found and the net learns."""
        return self.learns and not self.findings

    @property
    def failed(self) -> bool:
        """Return whether the training itself failed, which no cure mends."""
        return self.summary["status"] not in ("finished", "stopped", "diverged")

    def to_json(self) -> dict[str, Any]:
        """Return it as an entry of `rounds`."""
        return {
            "round": self.number,
            "cure": self.cure.to_json() if self.cure else None,
            "run": self.summary["run"],
            "status": self.summary["status"],
            "loss": self.summary["loss"],
            "accuracy": self.summary["accuracy"],
            "findings": [finding.code for finding in self.findings],
            "learns": self.learns,
        }


def _rounds(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 100:
        raise ArgumentTypeError(f"{text!r} is not allowed; expected a number from 1 to 100")
    return int(text)


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
    add_runs(parser)
    add_json(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")


def _execute(args: Namespace) -> int:
    from gradtui.commands.signals import Interruptions

    experiment, root = chosen_experiment(args), chosen_root(args)
    _check_output(args.output)
    rounds: list[Round] = []
    cure: CureOffer | None = None
    with Interruptions() as interruptions:
        while True:
            made = _train(experiment, cure, rounds, root, interruptions, quiet=args.quiet)
            rounds.append(made)
            if not args.json:
                _print_round(made)
            if made.fixed or made.failed or interruptions.first is not None or len(rounds) > args.rounds:
                break
            following = _advice(made, rounds)
            if following is None:
                break
            cure, experiment = following
    return _report(rounds, args, interruptions.first)


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
    before: list[Round],
    root: Path,
    interruptions: Interruptions,
    *,
    quiet: bool,
) -> Round:
    from gradtui.commands.run import wait_with_progress
    from gradtui.diagnosis.monitor import diagnose_run
    from gradtui.report.run_json import run_object
    from gradtui.runs.meta import Parent
    from gradtui.runs.reader import open_run
    from gradtui.training.launch import create_run, start_trainer

    parent: Parent | None = None
    if before:
        parent = Parent(before[-1].run.folder.name, 0, cure.key if cure else "")
    try:
        trainer = start_trainer(create_run(experiment, root, parent=parent))
    except OSError as error:
        raise BadInput(f"{error.filename or 'the run'}: {error.strerror}") from None
    wait_with_progress(trainer, interruptions, quiet=quiet)
    run = open_run(trainer.folder)
    diagnosis = diagnose_run(run)
    summary = run_object(run, diagnosis.findings)
    return Round(len(before), experiment, cure, run, diagnosis.findings, diagnosis.learns, summary)


def _advice(last: Round, rounds: list[Round]) -> tuple[CureOffer, Experiment] | None:
    """Return the first advice that leads to an experiment that was not trained yet, and that experiment."""
    from gradtui.experiment import set_fields

    tried = {made.experiment for made in rounds}
    for finding in last.findings:
        for offer in finding.cures:
            if offer.set and (cured := set_fields(last.experiment, offer.set)) not in tried:
                return offer, cured
    return None


def _print_round(made: Round) -> None:
    from gradtui.words import figure

    name = "as it is" if made.cure is None else made.cure.name
    print(plain(f"Round {made.number}: {name}"))
    if made.cure is not None:
        for path, value in made.cure.set.items():
            print(plain(f"  {path} = {value}"))
        print(plain(f"  why: {made.cure.why}"))
    accuracy = made.summary["accuracy"]["train"]
    reached = (
        f"loss {figure(made.summary['loss']['last'])}" if made.summary["loss"]["last"] is not None else ""
    )
    if accuracy is not None:
        reached += f", training accuracy {figure(accuracy)}"
    print(f"  {made.summary['status']} after {made.summary['steps']} steps: {reached}")
    for finding in made.findings:
        print(plain(f"  {finding.code}: {finding.evidence}"))
    if not made.findings:
        print("  nothing found" + ("" if made.learns else ", but it has learned nothing"))
    print(flush=True)


def _report(rounds: list[Round], args: Namespace, interrupted_by: int | None) -> int:
    from gradtui.experiment import dumps
    from gradtui.experiment.overrides import diff

    first, last = rounds[0], rounds[-1]
    changes = diff(first.experiment, last.experiment)
    if last.fixed and args.output is not None:
        try:
            args.output.write_text(dumps(last.experiment), encoding="utf-8")
        except OSError as error:
            raise BadInput(f"--output: {args.output}: {error.strerror}") from None
    if args.json:
        from gradtui.report.output import to_json

        made = [each.to_json() for each in rounds]
        print(to_json({"name": first.experiment.name, "fixed": last.fixed, "set": changes, "rounds": made}))
    else:
        print(_conclusion(rounds, changes))
        if last.fixed and args.output is not None:
            print(plain(f"Written to {args.output}."))
    if interrupted_by is not None:
        return 128 + interrupted_by
    if last.failed:
        reason = last.run.status.reason or "see the run's log"
        print(plain(f"gradtui: the training failed: {reason}"), file=sys.stderr)
        return TRAINING_FAILED
    return DONE if last.fixed else FOUND


def _conclusion(rounds: list[Round], changes: dict[str, object]) -> str:
    last = rounds[-1]
    if last.fixed and len(rounds) == 1:
        return "Nothing to fix: it learns as it is."
    times = "1 round" if last.number == 1 else f"{last.number} rounds"
    if last.fixed:
        fields = " ".join(f"--set {path}={value}" for path, value in changes.items())
        return f"Fixed after {times}: {fields}"
    codes = ", ".join(finding.code for finding in last.findings)
    left = f"still found: {codes}" if codes else "nothing is found any more, but it has learned nothing"
    return f"Not fixed after {times}; {left}."


COMMAND = Command(
    "fix",
    "fix [EXPERIMENT]",
    "trains, takes the first advice and trains again, until nothing is found and the net learns",
    _configure,
    _execute,
)
