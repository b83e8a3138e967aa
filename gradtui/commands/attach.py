"""`gradtui attach` opens a run on the screen, live or finished."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from gradtui.commands.command import Subcommand
from gradtui.commands.inputs import add_run, add_runs, chosen_folder
from gradtui.commands.lab import open_lab


def _configure(parser: ArgumentParser) -> None:
    add_run(parser)
    add_runs(parser)


def _execute(args: Namespace) -> int:
    return open_lab(attach=chosen_folder(args))


COMMAND = Subcommand(
    "attach", "attach [RUN]", "opens a run, live or finished; without RUN the newest", _configure, _execute
)
