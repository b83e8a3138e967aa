"""`gradtui export` writes the numbers of a run for other programs."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gradtui.commands.command import DONE, BadInput, Subcommand
from gradtui.commands.inputs import add_runs, chosen_run
from gradtui.plain_text import plain
from gradtui.runs.export import KINDS
from gradtui.words import several

if TYPE_CHECKING:
    from gradtui.runs.export.sheets import Show


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run's id, any unique part of it, or its folder")
    parser.add_argument("--to", required=True, choices=KINDS, help="the kind of file")
    parser.add_argument(
        "out",
        type=Path,
        metavar="OUT",
        help="a folder to create, with a file for each table; or a name that ends in .csv or .parquet, for "
        "one file with a row for each step and a column for each scalar and for each metric of each "
        "layer",
    )
    parser.add_argument("--force", action="store_true", help="replace files of the same names in OUT")
    add_runs(parser)


def _execute(args: Namespace) -> int:
    from gradtui.runs.errors import RunError
    from gradtui.runs.export.export import export

    run = chosen_run(args)
    try:
        with _shown_progress() as show:
            done = export(run, args.to, args.out, force=args.force, show=show)
    except RunError as error:
        raise BadInput(str(error)) from None
    files = str(done.files[0]) if len(done.files) == 1 else f"{args.out}: {len(done.files)} files"
    print(plain(f"{files}, {several(done.steps, 'step')} of {run.folder.name}"))
    return DONE


@contextmanager
def _shown_progress() -> Iterator[Show]:
    """Show a bar of the rows that were read, where stderr is a terminal."""
    from gradtui.runs.export.sheets import show_nothing

    if not sys.stderr.isatty():
        yield show_nothing
        return
    from gradtui.commands.progress import BarProgress, ProgressBar

    with ProgressBar("exporting") as bar:
        yield lambda done, total: bar.show(BarProgress("exporting", done, total, f"{done:,}/{total:,} rows"))


COMMAND = Subcommand(
    "export",
    "export RUN --to KIND OUT",
    "writes a run as CSV, Parquet or TensorBoard's event files",
    _configure,
    _execute,
)
