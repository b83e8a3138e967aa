"""`gradtui presets` lists the experiments that ship with gradtui."""

from __future__ import annotations

from argparse import Namespace

from gradtui.commands.command import DONE, Subcommand
from gradtui.commands.inputs import add_json


def _execute(args: Namespace) -> int:
    from gradtui.experiment.presets import describe, names

    presets = [{"name": name, "description": describe(name)} for name in names()]
    if args.json:
        from gradtui.report.output import to_json

        print(to_json(presets))
    else:
        from gradtui.report.output import print_table

        print_table([(preset["name"], preset["description"]) for preset in presets])
    return DONE


COMMAND = Subcommand("presets", "presets", "lists the built-in experiments", add_json, _execute)
