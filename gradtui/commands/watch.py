"""`gradtui watch -- COMMAND` runs somebody's training command, and records every optimizer of it."""

from __future__ import annotations

import argparse
import os
import re
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gradtui.commands.child import Child, replace_process
from gradtui.commands.command import DONE, FOUND, BadInput, Command
from gradtui.commands.inputs import add_fail_on, add_runs, chosen_codes, chosen_root
from gradtui.plain_text import plain

if TYPE_CHECKING:
    from gradtui.monitor.launch.options import LaunchOptions

EXPLANATION = """\
The command may be anything that starts Python: python train.py, python -m package, torchrun, pytest, a shell script,
jupyter execute. Each model that an optimizer moves becomes a run. The models are the outermost modules that hold the
optimizer's parameters. Their layers have the names of the modules, as in model.named_modules(). The run is called after
the script and the class of the model. Nothing of the training is changed; exit code, streams and signals are those of
the command.
"""


def _configure(parser: ArgumentParser) -> None:
    parser.epilog = EXPLANATION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.usage = "gradtui watch [options] -- COMMAND [ARGUMENT …]"
    parser.add_argument(
        "--name", metavar="N", help="the name of the run; without it that of script and model"
    )
    often = parser.add_mutually_exclusive_group()
    often.add_argument(
        "--budget",
        type=float,
        metavar="B",
        help="the share of the training's time that recording may take, by leaving out steps; 0.01 without it",
    )
    often.add_argument("--every-step", action="store_true", help="record every step, whatever it costs")
    parser.add_argument(
        "--layers", default="", metavar="REGEX", help="only layers in whose name this is found are shown"
    )
    parser.add_argument(
        "--activations",
        action="store_true",
        help="record also, at some of the steps, activations and the gradients of outputs",
    )
    add_runs(parser)
    add_fail_on(parser)
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND", help=argparse.SUPPRESS)


def _execute(args: Namespace) -> int:
    codes = chosen_codes(args)
    command, options = _chosen_command(args), _chosen_options(args)
    if args.fail_on is not None:
        return _run_and_judge(command, options, codes)
    return replace_process(command, options.environment(os.environ))


def _chosen_command(args: Namespace) -> list[str]:
    """Return the command to run. Raises BadInput."""
    command: list[str] = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not command:
        raise BadInput("COMMAND: there is none; expected gradtui watch -- python train.py")
    return command


def _chosen_options(args: Namespace) -> LaunchOptions:
    """Return how to record. Raises BadInput."""
    from gradtui.monitor.launch.options import LaunchOptions

    budget = 0.01 if args.budget is None else args.budget
    if not 0 < budget <= 1:
        raise BadInput(
            f"--budget: {args.budget} is no share of the time; expected a number over 0, and 1 at most"
        )
    try:
        re.compile(args.layers)
    except re.error as error:
        raise BadInput(f"--layers: {args.layers!r} is no regular expression: {error}") from None
    return LaunchOptions(
        name=args.name or "",
        budget=None if args.every_step else budget,
        layers=args.layers,
        activations=args.activations,
        # The command may change its folder before it trains.
        runs="" if args.runs is None else str(chosen_root(args).absolute()),
    )


def _run_and_judge(command: Sequence[str], options: LaunchOptions, codes: frozenset[str]) -> int:
    """Run the command, and return its exit code; FOUND where it ended with 0 and a finding has one of the codes."""
    from dataclasses import replace

    from gradtui.monitor.launch.options import read_notes
    from gradtui.runs.scratch import Scratch

    with Scratch() as folder:
        notes = folder / "runs"
        notes.touch()
        with Child(command, replace(options, notes=(str(notes),)).environment(os.environ)) as child:
            code = child.wait()
        runs = [Path(note["run"]) for note in read_notes(notes)]
    return _judged(runs, codes) if code == DONE else code


def _judged(runs: Sequence[Path], codes: frozenset[str]) -> int:
    """Return FOUND where a finding of a run has one of the codes, and say which on stderr; otherwise DONE."""
    from gradtui.diagnosis.monitor import diagnose_run
    from gradtui.runs.reader import open_run

    if not runs:
        say("no optimizer took a step that could be recorded, so that nothing was found")
    code = DONE
    for folder in runs:
        findings = diagnose_run(open_run(folder)).findings
        if named := [found.code for found in findings if found.code in codes]:
            code = FOUND
            say(f"{', '.join(named)}: found in {folder.name}; gradtui diagnose {folder.name} tells more")
    return code


def say(text: str) -> None:
    """Print a line to stderr."""
    print(plain(f"gradtui: {text}"), file=sys.stderr)


COMMAND = Command(
    "watch",
    "watch -- COMMAND",
    "runs a training command of yours, unchanged, and records each optimizer",
    _configure,
    _execute,
)
