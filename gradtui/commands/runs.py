"""`gradtui runs` lists the runs, the newest first."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from gradtui.commands.command import DONE, BadInput, Command
from gradtui.commands.inputs import add_json, add_runs, chosen_root
from gradtui.plain_text import plain

if TYPE_CHECKING:
    from gradtui.runs.run_info import RunInfo

DIAGNOSIS_SECONDS = 0.5
"""Seconds for diagnosing, newest first, the runs that neither their trainer nor a viewer has diagnosed."""


def _configure(parser: ArgumentParser) -> None:
    add_runs(parser)
    parser.add_argument(
        "--filter",
        metavar="WORDS",
        default="",
        help="only these, for example 'findings:vanishing depth>20 -tag:old'",
    )
    add_json(parser)


def _execute(args: Namespace) -> int:
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
            }
            for info in runs
        ]
        print(to_json(rows))
    elif runs:
        from gradtui.report.output import print_table

        print_table(
            [
                (
                    info.id,
                    info.name,
                    info.status.state,
                    f"{info.steps:,} steps",
                    _local_time(info.started),
                    _judgement(info),
                    " ".join(f"#{tag}" for tag in info.label.tags),
                )
                for info in runs
            ]
        )
    else:
        print(plain(f"no run fits in {root}" if args.filter else f"no runs yet in {root}"))
    return DONE


def _judgement(info: RunInfo) -> str:
    judgement = info.summary.judgement
    return "" if not info.steps else f"{judgement.mark[0]} {judgement.words}"


def _local_time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


COMMAND = Command("runs", "runs", "lists the runs, the newest first", _configure, _execute)
