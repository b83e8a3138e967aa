"""Choose measurements on the command line, run them one after the other, and print their figures."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from importlib import import_module

from gradtui.experiment.errors import nearest
from gradtui.report.output import print_table, to_json
from tests.benchmarks.figures import CannotMeasure, Measured, machine_line, rows_of

MEASUREMENTS = {
    "start": "the first frame, and the first bar after a key",
    "charts": "a frame of each chart",
    "live": "the lab while a run grows",
    "keys": "keys while trainers keep the machine busy",
    "line": "bytes to the terminal",
    "long": "a run of many steps",
    "recording": "what recording costs a training",
    "latency": "from a step to the viewer",
    "statements": "what short runs say of their own recording",
    "commands": "the list of many runs, and a long export",
}
"""Each is a module in `measurements` with a function `measure(home, quick)`."""
ON_REQUEST = {
    "peers": "what others' recorders cost the same trainings",
    "load": "many trainers, many runs, deep and long ones, and a day",
}
"""Measurements that are only run when they are asked for."""

DONE, NOT_MEASURED, BAD_INPUT = 0, 1, 2
"""Exit codes. A missed budget is a figure like any other, so it does not change the code."""


def main(words: Sequence[str] | None = None) -> int:
    """Run the chosen measurements and print their table, or JSON; return the exit code."""
    parser = ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"one of {', '.join(MEASUREMENTS)}, which are the default, or load, which takes minutes",
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer repetitions: a fifth of the time, more noise"
    )
    parser.add_argument(
        "--peers",
        action="store_true",
        help="compare with wandb, TensorBoard and a plain loop, where installed",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON list instead of the table")
    args = parser.parse_args(words)
    for name in args.names:
        if name not in MEASUREMENTS and name != "load":
            hint = nearest(name, MEASUREMENTS) or f"; expected {', '.join(MEASUREMENTS)}"
            print(f"gradtui: {name}: no such measurement{hint}", file=sys.stderr)
            return BAD_INPUT
    everything = not args.names and not args.peers
    names = [name for name in MEASUREMENTS if name in args.names or everything]
    names += [name for name in ON_REQUEST if name in args.names]
    machine = machine_line("wandb", "tensorboard") if args.peers else machine_line()
    if args.json:
        _progress(f"{machine}\n")
    if args.peers:
        names.append("peers")
        _name_missing_peers()

    from tests.benchmarks.home import stoppable

    with stoppable():
        figures, complete = run(names, args.quick, _progress)
    if args.json:
        print(to_json([figure.to_json() for figure in figures]))
    else:
        print(machine)
        print_table(rows_of(figures))
    return DONE if complete else NOT_MEASURED


def run(names: Sequence[str], quick: bool, progress: Callable[[str], None]) -> tuple[list[Measured], bool]:
    """Return the figures, and whether all of them could be taken; each measurement has a home of its own."""
    # Imported only now: it brings numpy.
    from tests.benchmarks.home import Home

    figures: list[Measured] = []
    complete = True
    for name in names:
        progress(f"{name}: {(MEASUREMENTS | ON_REQUEST)[name]} … ")
        began = time.monotonic()
        try:
            with Home() as home:
                figures += import_module(f"tests.benchmarks.measurements.{name}").measure(home, quick)
        except (CannotMeasure, OSError) as error:
            complete = False
            progress(f"cannot be measured: {error}\n")
        else:
            progress(f"{time.monotonic() - began:.1f} s\n")
    return figures, complete


def _name_missing_peers() -> None:
    from tests.benchmarks.peers.kinds import missing

    if names := missing():
        _progress(f"not installed, so not compared with: {', '.join(names)} (pip install 'gradtui[peers]')\n")


def _progress(text: str) -> None:
    print(text, end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
