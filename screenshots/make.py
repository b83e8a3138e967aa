"""Make the pictures in this folder from the real app and real trainings: ``python screenshots/make.py [NAME …]``.

Every picture is taken of the app as a person has it: opened on an experiment, driven by keys, fed by a trainer
process. Nothing is drawn for the picture.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from textual.pilot import Pilot

from gradtui.experiment import parse_assignments, resolve, set_fields
from gradtui.ui.app import GradtuiApp
from gradtui.ui.screens.lab import LabScreen

FOLDER = Path(__file__).parent

# name: (size, preset, --set …, keys; "~" waits for the run's end)
PICTURES: dict[str, tuple[tuple[int, int], str, Sequence[str], Sequence[str]]] = {
    "lab": ((120, 36), "sigmoid-20", (), ("space", "~")),
    "cured": ((120, 36), "sigmoid-20", ("net.0.activation=relu", "net.0.init=he"), ("space", "~")),
    "narrow": ((80, 24), "sigmoid-20", (), ("space", "~")),
    "thousand": (
        (160, 45),
        "sigmoid-20",
        (
            "name=residual 1001",
            "net.0.repeat=500",
            "net.0.layers=2",
            "net.0.shortcut=identity",
            "net.0.activation=relu",
            "net.0.init=he",
            "net.0.order=pre",
            "net.0.branch_gain=depth",
            "run.steps=60",
        ),
        ("space", "~"),
    ),
    "builder": ((120, 36), "sigmoid-20", (), ("enter", "down", "down", "right")),
}


async def _until_ended(pilot: Pilot[None], lab: LabScreen) -> None:
    end = time.monotonic() + 300
    while lab.watching is None or lab.watching.live:
        if time.monotonic() > end:
            raise TimeoutError("the run did not end")
        await pilot.pause(0.1)
    await pilot.pause(1.0)  # the curves are drawn at most twice a second


async def take(name: str) -> Path:
    """Take one picture and return its file."""
    size, preset, assignments, keys = PICTURES[name]
    app = GradtuiApp(set_fields(resolve(preset), parse_assignments(assignments)))
    async with app.run_test(size=size) as pilot:
        while not isinstance(app.screen, LabScreen):
            await pilot.pause(0.05)
        lab = app.screen
        while lab.trainers is None or not lab.trainers.ready:
            await pilot.pause(0.05)
        for key in keys:
            if key == "~":
                await _until_ended(pilot, lab)
            else:
                await pilot.press(key)
                await pilot.pause(0.2)
        return Path(app.save_screenshot(f"{name}.svg", str(FOLDER)))


def main(names: Sequence[str]) -> None:
    """Take the pictures of these names (none: all), in a home of their own."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["GRADTUI_HOME"] = home
        for name in names or PICTURES:
            print(asyncio.run(take(name)))


if __name__ == "__main__":
    main(sys.argv[1:])
