"""What can be measured, by name, and how it is run: one after the other, each in a home of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from importlib import import_module

from gradtui.bench.errors import CannotMeasure
from gradtui.bench.measured import Measured

MEASUREMENTS = {
    "start": "the first frame, and the first bar after a key",
    "charts": "a frame of each chart",
    "live": "the lab while a run grows",
    "keys": "keys while trainers keep the machine busy",
    "line": "bytes to the terminal",
    "long": "a run of many steps",
    "recording": "what recording costs a training",
    "latency": "from a step to the viewer",
}
"""Each is a module in `measurements`, with a function `measure`."""
ON_REQUEST = {"peers": "what others' recorders cost the same trainings"}
"""… and so are these, which are measured where they are asked for."""


def run(names: Sequence[str], quick: bool, say: Callable[[str], None]) -> tuple[list[Measured], bool]:
    """What was measured, and whether all of it could be. `say` is told each measurement as it begins and ends."""
    # Only now: it brings numpy.
    from gradtui.bench.home import Home

    figures: list[Measured] = []
    complete = True
    for name in names:
        say(f"{name}: {(MEASUREMENTS | ON_REQUEST)[name]} … ")
        began = time.monotonic()
        try:
            with Home() as home:
                figures += import_module(f"gradtui.bench.measurements.{name}").measure(home, quick)
        except (CannotMeasure, OSError) as error:
            complete = False
            say(f"cannot be measured: {error}\n")
        else:
            say(f"{time.monotonic() - began:.1f} s\n")
    return figures, complete
