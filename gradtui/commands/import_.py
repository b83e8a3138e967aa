"""`gradtui import` makes runs of what TensorBoard or W&B recorded."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from gradtui.commands.command import DONE, BadInput, Subcommand
from gradtui.commands.inputs import add_runs, chosen_root
from gradtui.plain_text import plain
from gradtui.words import several

if TYPE_CHECKING:
    from gradtui.importing.load import Imported


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "path",
        type=Path,
        metavar="PATH",
        help="TensorBoard event files or W&B offline runs that hold norms or histograms of the gradients "
        "of layers: a file, or a folder that contains any number of them",
    )
    parser.add_argument(
        "--name", metavar="N", help="the name of the run; by default that of its folder or of W&B"
    )
    add_runs(parser)


def _execute(args: Namespace) -> int:
    from gradtui.importing.load import load
    from gradtui.importing.log import ImportFailed
    from gradtui.runs.bounded_reads import NO_ANSWER, answers

    if not answers(args.path):
        raise BadInput(f"{args.path}: {NO_ANSWER}")
    unusable: list[Imported] = []
    count = 0
    try:
        for imported in load(args.path, chosen_root(args), args.name):
            if imported.folder is None:
                unusable.append(imported)
            else:
                count += 1
                print(plain(_description(imported, imported.folder)))
    except ImportFailed as error:
        raise BadInput(str(error)) from None
    for imported in unusable if count else ():
        print(plain(f"gradtui: left out {_unusable(imported)}"), file=sys.stderr)
    if not count:
        raise BadInput(_unusable(unusable[0]))
    return DONE


def _description(imported: Imported, folder: Path) -> str:
    tables = imported.tables
    gradients = tables.layers["grad_norm"]
    scalars = tables.scalars.columns if tables.scalars else ()
    parts = [
        f"{several(len(gradients.steps), 'step')} of {several(len(gradients.columns), 'layer')} ({tables.source})",
        *(name for name in tables.layers if name != "grad_norm"),
        f"{len(scalars)} scalars",
        *([f"{len(tables.evaluations)} evaluations"] if tables.evaluations else []),
    ]
    left = f"; left out: {', '.join(tables.left)}" if tables.left else ""
    return f"{folder.name}: {', '.join(parts)}{left}"


def _unusable(imported: Imported) -> str:
    log = imported.log
    seen = [*log.scalars, *log.norms]
    names = ", ".join(seen[:5]) + (", …" if len(seen) > 5 else "")
    return f"{log.path}: contains no gradients of layers, only {names or 'no numbers'}"


COMMAND = Subcommand(
    "import",
    "import PATH",
    "turns TensorBoard event files and W&B offline runs into runs",
    _configure,
    _execute,
)
