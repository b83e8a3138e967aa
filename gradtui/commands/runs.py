"""`gradtui runs` lists the runs, the newest first, and gives one of them a note."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gradtui import words
from gradtui.commands.command import DONE, BadInput, Subcommand
from gradtui.commands.inputs import add_json, add_runs, chosen_root
from gradtui.plain_text import plain

if TYPE_CHECKING:
    from gradtui.runs.run_info import RunInfo

DIAGNOSIS_SECONDS = 0.5
"""Seconds for diagnosing, newest first, the runs that neither their trainer nor a viewer has diagnosed."""

LISTED_CHARACTERS = 40
"""The most characters of a note in the list."""

HEAD = ("run", "name", "state", "step", "started", "test", "gradient", "findings", "tags and note")
"""The head of the table. The gradient runs from input to output."""


def _configure(parser: ArgumentParser) -> None:
    add_runs(parser)
    parser.add_argument(
        "--filter",
        metavar="WORDS",
        default="",
        help="list only matching runs, for example 'findings:vanishing depth>20 -tag:old'",
    )
    parser.add_argument(
        "--note",
        nargs=2,
        metavar=("RUN", "TEXT"),
        help="write a note on a run (an empty text removes it), and list nothing",
    )
    add_json(parser)


def _execute(args: Namespace) -> int:
    if args.note is not None:
        run, text = args.note
        return _give_note(run, text, chosen_root(args))
    from gradtui.diagnosis.ended_runs import EndedRuns
    from gradtui.runs.filter import FilterError, parse_filter
    from gradtui.runs.library import list_runs

    root = chosen_root(args)
    try:
        chosen = parse_filter(args.filter)
    except FilterError as error:
        raise BadInput(f"--filter: {error}") from None
    found = list_runs(root)
    if EndedRuns().diagnose(found, DIAGNOSIS_SECONDS):
        found = list_runs(root)
    runs = [info for info in found if chosen.matches(info)]
    if args.json:
        from gradtui.report.output import to_json

        rows = [
            {
                "run": str(info.run),
                "name": info.name,
                "status": info.status.state,
                "steps": info.steps,
                "started": info.started,
                **({} if info.change is None else {"change": info.change}),
                **({"note": info.note} if info.note else {}),
            }
            for info in runs
        ]
        print(to_json(rows))
    elif runs:
        from gradtui.report.output import print_table

        # A person reads the table; lines in a pipe are data, whose columns are always the same.
        lines = [_line(info) for info in runs]
        print_table(_for_people(lines) if sys.stdout.isatty() else lines)
    else:
        print(plain(f"no run matches in {root}" if args.filter else f"no runs yet in {root}"))
    return DONE


def _line(info: RunInfo) -> tuple[str, ...]:
    """Return the cells of a run, under those of `HEAD`."""
    return (
        info.id,
        info.name,
        info.status.state,
        words.several(info.steps, "step"),
        _local_time(info.started),
        words.percent(info.summary.test),
        words.blocks(info.summary.profile),
        _judgement(info),
        " ".join([*(f"#{tag}" for tag in info.label.tags), *_note_line(info)]),
    )


def _for_people(lines: Sequence[tuple[str, ...]]) -> list[list[str]]:
    """Return the table with its head, without what the id says already and without columns that are empty."""
    from gradtui.runs.folder import slug_of

    at = {title: column for column, title in enumerate(HEAD)}
    told = [list(line) for line in lines]
    for row in told:
        id, started = row[at["run"]], "".join(letter for letter in row[at["started"]] if letter.isdigit())
        if slug_of(row[at["name"]]) in id:
            row[at["name"]] = ""
        if id.replace("-", "").startswith(started):
            row[at["started"]] = ""
        row[at["step"]] = row[at["step"]].partition(" ")[0]
    kept = [column for column in range(len(HEAD)) if any(row[column] for row in told)]
    return [[row[column] for column in kept] for row in ([*HEAD], *told)]


def _give_note(run: str, text: str, root: Path) -> int:
    """Write the note of a run. Raises BadInput."""
    from gradtui.runs.errors import RunError
    from gradtui.runs.label import write_note
    from gradtui.runs.library import find_run

    try:
        write_note(find_run(run, root), text)
    except RunError as error:
        raise BadInput(f"--note: {error}") from None
    return DONE


def _note_line(info: RunInfo) -> list[str]:
    """Return the first line of a run's note, cut at LISTED_CHARACTERS; nothing where there is no note."""
    line = info.note.partition("\n")[0]
    return [line if len(line) <= LISTED_CHARACTERS else line[: LISTED_CHARACTERS - 1] + "…"] if line else []


def _judgement(info: RunInfo) -> str:
    judgement = info.summary.judgement
    return "" if not info.steps else f"{judgement.mark[0]} {judgement.words}"


def _local_time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


COMMAND = Subcommand("runs", "runs", "lists the runs, the newest first", _configure, _execute)
