"""`gradtui attach`: opens a run on the screen, live or finished."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from gradtui.commands.command import Command
from gradtui.commands.inputs import add_run, add_runs, chosen_run
from gradtui.commands.lab import open_lab


def _configure(parser: ArgumentParser) -> None:
    add_run(parser)
    add_runs(parser)


def _execute(args: Namespace) -> int:
    run = chosen_run(args)
    from gradtui.experiment.presets import load_preset, names

    # A script's own net has no experiment; the model builder then starts from the first preset.
    return open_lab(run.experiment or load_preset(names()[0]), attach=run.folder)


COMMAND = Command(
    "attach", "attach [RUN]", "opens a run, live or finished; without RUN the newest", _configure, _execute
)
