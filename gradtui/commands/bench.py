"""`gradtui bench`: measures on this machine what gradtui promises of any."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from gradtui.commands.command import DONE, BadInput, Command
from gradtui.commands.inputs import add_json

NOT_MEASURED = 1
"""Something could not be measured at all. A budget that is missed is a figure like any other."""


def _configure(parser: ArgumentParser) -> None:
    from gradtui.bench.catalogue import MEASUREMENTS

    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"what to measure; without it everything: {', '.join(MEASUREMENTS)}",
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer repetitions: a fifth of the time, and more noise"
    )
    parser.add_argument(
        "--peers",
        action="store_true",
        help="what wandb, TensorBoard and a plain loop cost beside gradtui, as far as they are installed",
    )
    add_json(parser)


def _execute(args: Namespace) -> int:
    from gradtui.bench.catalogue import run
    from gradtui.bench.machine import describe
    from gradtui.bench.signals import ending

    names, machine = _chosen(args), describe("wandb", "tensorboard") if args.peers else describe()
    if args.json:
        _say(f"{machine}\n")
    if args.peers:
        _name_missing()
    with ending():
        figures, complete = run(names, args.quick, _say)
    if args.json:
        from gradtui.report.wire import to_json

        print(to_json([figure.to_json() for figure in figures]))
    else:
        from gradtui.bench.table import rows_of
        from gradtui.report.table import print_table

        print(machine)
        print_table(rows_of(figures))
    return DONE if complete else NOT_MEASURED


def _chosen(args: Namespace) -> list[str]:
    """The measurements in their usual order, each once. Raises BadInput."""
    from gradtui.bench.catalogue import MEASUREMENTS
    from gradtui.experiment.errors import nearest

    for name in args.names:
        if name not in MEASUREMENTS:
            hint = nearest(name, MEASUREMENTS) or f"; expected {', '.join(MEASUREMENTS)}"
            raise BadInput(f"{name}: no such measurement{hint}")
    everything = not args.names and not args.peers
    named = [name for name in MEASUREMENTS if name in args.names or everything]
    return [*named, "peers"] if args.peers else named


def _name_missing() -> None:
    from gradtui.bench.peers.kinds import missing

    if names := missing():
        _say(f"not installed, so not compared with: {', '.join(names)} (pip install 'gradtui[peers]')\n")


def _say(text: str) -> None:
    """Progress, for whoever waits."""
    print(text, end="", file=sys.stderr, flush=True)


COMMAND = Command("bench", "bench [NAME]…", "measures on this machine", _configure, _execute)
