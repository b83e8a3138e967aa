"""`gradtui watch -- COMMAND` runs your training command, and records all of its optimizers."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gradtui.commands.child import Child, replace_process
from gradtui.commands.command import DONE, FOUND, TRAINING_FAILED, BadInput, Subcommand
from gradtui.commands.inputs import add_fail_on, add_runs, chosen_codes, chosen_root
from gradtui.monitor.launch.options import read_notes
from gradtui.plain_text import plain

if TYPE_CHECKING:
    from gradtui.monitor.launch.options import LaunchOptions

EXPLANATION = """\
The command may be anything that starts Python: python train.py,
python -m package, torchrun, pytest, a shell script, jupyter execute. Each
model that an optimizer moves becomes a run: the outermost modules that hold
the optimizer's parameters. The layers have the names of the modules, as in
model.named_modules(), and the run has the name of the script and of the
model's class. The training itself is not changed; exit code, streams and
signals are those of the command.

With --try the command runs once unchanged and once with each change, for a few
steps each, and a table ranks the results. The changes are made in the running
process, and no file is touched. What the command prints is kept with its run.
{run} in the command is replaced by a different word in each trial, and the
variable GRADTUI_TRIAL holds the change, so that a script can keep its outputs
apart. The changes:
  lr=x0.1 or lr=0.01   learning rate, as a factor or a number; schedules stay
  clip=1.0             clip the norm of the gradient
  clip_value=0.5       clip each number of the gradient
  weight_decay=0.01    a number, or a factor such as x0.1
  init=he              or xavier, orthogonal, default: new initial weights of
                       linear, convolutional and recurrent layers
  eps=1e-6             eps of Adam and similar optimizers
  betas=0.9,0.95       betas of Adam and similar optimizers
  warmup=50            reach the learning rate after this many steps
  loss_scale=1024      scale of the gradient scaler, or, without one, of the loss
  skip_nonfinite       skip steps whose gradient is NaN or infinite
  lr=x0.1+clip=1.0     several changes at once
  all                  what the findings of the unchanged run advise
"""
DEFAULT_STEPS = 200
MOST_STEPS = 1_000_000


def _configure(parser: ArgumentParser) -> None:
    parser.epilog = EXPLANATION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.usage = "gradtui watch [options] [--try CHANGE]… -- COMMAND [ARGUMENT …]"
    parser.add_argument(
        "--name", metavar="N", help="the name of the run; by default the names of the script and the model"
    )
    parser.add_argument(
        "--resume",
        default="",
        metavar="NAME",
        help="continue the run of this name, for example after a preemption; if there is none, start it",
    )
    parser.add_argument("--note", default="", metavar="TEXT", help="a note on the run")
    often = parser.add_mutually_exclusive_group()
    often.add_argument(
        "--budget",
        type=float,
        metavar="B",
        help=(
            "the share of the training's time that recording may take; 0.01 by default; steps are skipped "
            "to stay below it"
        ),
    )
    often.add_argument("--every-step", action="store_true", help="record every step, whatever it costs")
    parser.add_argument(
        "--layers", default="", metavar="REGEX", help="show only the layers whose names match this"
    )
    parser.add_argument(
        "--activations",
        action="store_true",
        help="also record, at some of the steps, activations and the gradients of outputs",
    )
    parser.add_argument(
        "--live",
        action="store_true",
        help="open the screens at once and show what the command prints; Ctrl-C interrupts it, q leaves it running",
    )
    parser.add_argument(
        "--on-finding",
        default="",
        metavar="COMMAND",
        help="run this shell command once for each finding, with the finding as JSON on its standard input",
    )
    parser.add_argument(
        "--try",
        action="append",
        default=[],
        dest="changes",
        metavar="CHANGE",
        help="also run it with this change, and compare; may be repeated",
    )
    parser.add_argument(
        "--steps",
        type=int,
        metavar="N",
        help=f"with --try: the number of optimizer steps after which each run ends; {DEFAULT_STEPS} by default",
    )
    parser.add_argument(
        "--jobs", type=int, metavar="J", help="with --try: how many commands run at once; 1 by default"
    )
    parser.add_argument("--json", action="store_true", help="with --try: print JSON only")
    parser.add_argument(
        "--quiet", action="store_true", help="no line on stderr that says which run is recorded"
    )
    add_runs(parser)
    add_fail_on(parser)
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND", help=argparse.SUPPRESS)


def _execute(args: Namespace) -> int:
    codes = chosen_codes(args)
    command, options = _chosen_command(args), _chosen_options(args)
    if args.changes:
        return _try(command, options, args)
    for name in ("steps", "jobs", "json"):
        if getattr(args, name):
            raise BadInput(f"--{name}: only together with --try")
    if args.live:
        require_terminal()
    if args.fail_on is not None or args.live:
        return _run_and_judge(command, options, codes, live=args.live)
    from dataclasses import replace

    # The command keeps the number of this process.
    options = replace(options, told_by=os.getpid())
    return replace_process(command, options.environment(os.environ))


def _chosen_command(args: Namespace) -> list[str]:
    """Return the command to run. Raises BadInput."""
    command: list[str] = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not command:
        raise BadInput("COMMAND: is missing; expected gradtui watch -- python train.py")
    return command


def _chosen_options(args: Namespace) -> LaunchOptions:
    """Return how to record. Raises BadInput."""
    from gradtui.monitor.launch.options import LaunchOptions

    budget = 0.01 if args.budget is None else args.budget
    if not 0 < budget <= 1:
        raise BadInput(
            f"--budget: {args.budget} is not allowed; expected a share of the time, a number above 0 and at most 1"
        )
    try:
        re.compile(args.layers)
    except re.error as error:
        raise BadInput(f"--layers: {args.layers!r} is not a regular expression: {error}") from None
    return LaunchOptions(
        name=args.name or "",
        note=args.note,
        resume=args.resume,
        budget=None if args.every_step else budget,
        layers=args.layers,
        activations=args.activations,
        on_finding=args.on_finding,
        quiet=args.quiet,
        # The command may change its folder before it trains.
        runs="" if args.runs is None else str(chosen_root(args).absolute()),
    )


def _try(command: Sequence[str], options: LaunchOptions, args: Namespace) -> int:
    """Run the command unchanged and with each change, and print the results."""
    from dataclasses import replace

    from gradtui.commands.command_trials import CommandTrials
    from gradtui.commands.interruptions import Interruptions
    from gradtui.report.trial_page import print_trials, trials_object
    from gradtui.runs.scratch import Scratch

    for name in ("fail_on", "live"):
        if getattr(args, name):
            raise BadInput(f"--{name.replace('_', '-')}: not together with --try")
    for name in ("on_finding", "resume"):
        if getattr(options, name):
            raise BadInput(f"--{name.replace('_', '-')}: not together with --try")
    steps = _count(args, "steps", DEFAULT_STEPS, MOST_STEPS)
    jobs = _count(args, "jobs", 1, 1000)
    changes = _chosen_changes(args.changes, steps)
    if args.budget is None:
        # A trial is so short that all of its steps are recorded.
        options = replace(options, budget=None)
    began = time.monotonic()
    with Scratch() as folder, Interruptions() as interruptions:
        trials = CommandTrials(command, options, steps, jobs, "all" in args.changes, folder, say)
        trials.run(changes, interruptions)
    done, seconds = trials.done, time.monotonic() - began
    if not done or not done[0].runs:
        if interruptions.first is not None:
            return 128 + interruptions.first
        reason = done[0].reason if done else ""
        say(f"the command took no step that could be recorded{f': {reason}' if reason else ''}")
        return TRAINING_FAILED
    if args.json:
        from gradtui.report.output import to_json

        print(to_json(trials_object(command, steps, seconds, done)))
    else:
        print_trials(command, steps, seconds, done, advised="all" in args.changes)
    return DONE if interruptions.first is None else 128 + interruptions.first


def _count(args: Namespace, name: str, default: int, most: int) -> int:
    value: int | None = getattr(args, name)
    if value is not None and not 1 <= value <= most:
        raise BadInput(f"--{name}: {value} is not allowed; expected a number from 1 to {most}")
    return default if value is None else value


def _chosen_changes(texts: Sequence[str], steps: int) -> list[str]:
    """Return the changes to try, without `all`. Raises BadInput on one that cannot be made."""
    from gradtui.monitor.launch.changes import WrongChange, parse_change, problem_with_steps

    chosen = [text for text in texts if text != "all"]
    for number, text in enumerate(chosen):
        try:
            change = parse_change(text)
        except WrongChange as error:
            raise BadInput(f"--try: {error}") from None
        if not change.parts:
            raise BadInput("--try: names no change; expected one such as lr=x0.1")
        if text in chosen[:number]:
            raise BadInput(f"--try: {text} is given twice")
        if problem := problem_with_steps(change, steps):
            raise BadInput(f"--try: {problem}")
    return chosen


def _run_and_judge(
    command: Sequence[str], options: LaunchOptions, codes: frozenset[str], *, live: bool
) -> int:
    """Run the command and return its exit code, or FOUND if it ended with 0 and a finding has one of the codes.

    live: show its runs and its output on the screen meanwhile.
    """
    from dataclasses import replace

    from gradtui.monitor.launch.options import read_notes
    from gradtui.runs.scratch import Scratch

    with Scratch() as folder:
        notes = folder / "runs"
        notes.touch()
        environment = replace(options, notes=(str(notes),)).environment(os.environ)
        if live:
            code = watch_live(command, environment, folder, notes)
        else:
            with Child(command, environment) as child:
                code = child.wait()
        runs = [Path(note["run"]) for note in read_notes(notes)]
    if runs and not (options.quiet or sys.stderr.isatty()):
        more = f" and {len(runs) - 1} more" if len(runs) > 1 else ""
        say(f"recorded {runs[0].name}{more}; gradtui attach shows it")
    return _judged(runs, codes) if code == DONE and codes else code


def _judged(runs: Sequence[Path], codes: frozenset[str]) -> int:
    """Return FOUND if a finding of a run has one of the codes, and name it on stderr; otherwise return DONE."""
    from gradtui.diagnosis.monitor import diagnose_run
    from gradtui.runs.reader import open_run

    if not runs:
        say("no optimizer took a step that could be recorded, so nothing was found")
    code = DONE
    for folder in runs:
        findings = diagnose_run(open_run(folder)).findings
        if named := [found.code for found in findings if found.code in codes]:
            code = FOUND
            say(f"{', '.join(named)}: found in {folder.name}; for details: gradtui diagnose {folder.name}")
    return code


def say(text: str) -> None:
    """Print a line to stderr."""
    print(plain(f"gradtui: {text}"), file=sys.stderr)


COMMAND = Subcommand(
    "watch",
    "watch -- COMMAND",
    "runs your training command unchanged, and records each optimizer",
    _configure,
    _execute,
)


# -- `gradtui watch --live`: run a command while the screens show its runs and its output

SECONDS_BETWEEN_LOOKS = 0.1


class WatchedCommand:
    """A WatchedCommand is a command whose output goes to a file, for the app that shows it."""

    def __init__(self, words: Sequence[str], child: Child, output: Path, notes: Path) -> None:
        """Take the command, its process, the file of its output, and the file in which its runs are noted."""
        self.words = plain(shlex.join(words))
        self.output = output
        self._child = child
        self._notes = notes

    def poll(self) -> int | None:
        """Return its exit code; None while it runs."""
        return self._child.poll()

    def interrupt(self) -> None:
        """Send it what Ctrl-C sends."""
        self._child.interrupt()

    def first_run(self) -> Path | None:
        """Return the folder of the first run that it has begun; None before that."""
        noted = read_notes(self._notes)
        return Path(noted[0]["run"]) if noted else None


def require_terminal() -> None:
    """Raise BadInput where there is no terminal for the screens."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise BadInput(
            "--live: the screens need a terminal on stdin and stdout; without --live none is needed"
        )


def watch_live(words: Sequence[str], environment: Mapping[str, str], folder: Path, notes: Path) -> int:
    """Run a command under the screens; return its exit code. Raises BadInput if it cannot be run.

    When the person leaves the screens before the command has ended, it continues in the foreground, and what it prints
    from then on is printed.
    """
    from gradtui.ui.app import run
    from gradtui.ui.watch_app import WatchApp

    output = folder / "output"
    # A script whose output is not a terminal would keep its lines for minutes.
    environment = {"PYTHONUNBUFFERED": "1", **environment}
    with open(output, "wb") as file, Child(words, environment, output=file) as child:
        command = WatchedCommand(words, child, output, notes)
        left = run(WatchApp(command, os.environ))
        if left.code > 128:
            # A signal has ended the screens; it is meant for the command as well.
            child.send(left.code - 128)
        _print_rest(child, output)
        return child.wait()


def _print_rest(child: Child, output: Path) -> None:
    """Print what the command prints from now on, until it ends."""
    if child.poll() is not None:
        return
    print("gradtui: the command continues; Ctrl-C interrupts it", file=sys.stderr, flush=True)
    with open(output, "rb") as file:
        file.seek(0, os.SEEK_END)
        ended = False
        while not ended:
            # The order matters: after the end there is one more piece.
            ended = child.poll() is not None
            if piece := file.read():
                sys.stdout.buffer.write(piece)
                sys.stdout.flush()
            elif not ended:
                time.sleep(SECONDS_BETWEEN_LOOKS)
