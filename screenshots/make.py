"""Make the pictures in this folder from the real app and real trainings: ``python screenshots/make.py [NAME …]``.

Every picture is taken of the app as a person has it: opened on an experiment, driven by keys, fed by a trainer
process. One is of a command's output on a terminal. Nothing is drawn for a picture.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import pty
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from record import Recording, write_cast, write_svg
from rich.console import Console
from rich.text import Text
from textual.pilot import Pilot

from gradtui.experiment import resolve
from gradtui.ui.app import GradtuiApp
from gradtui.ui.screens.lab.lab_screen import LabScreen

FOLDER = Path(__file__).parent

TRAINED = ("space", "~")
LOOK = (*TRAINED, "2", *("right",) * 7)
"""The eighth layer pointed at."""

STILL = 4.0
"""A screen that has not changed for so many seconds shows all that was read and diagnosed."""

THEMES = {"light": "gradtui-light", "sixteen": "ansi-dark"}
"""Of pictures that are not in gradtui's own dark."""

# name: (size, preset, keys); "~" waits until nothing trains any more, "-" for what is still being read or checked
PICTURES: dict[str, tuple[tuple[int, int], str, Sequence[str]]] = {
    "lab": ((120, 36), "sigmoid-20", TRAINED),
    "narrow": ((80, 24), "sigmoid-20", TRAINED),
    "builder": ((120, 36), "sigmoid-20", ("enter", "down", "down", "right")),
    "net": ((120, 36), "resnet-20", ("down", "tab", "tab", "z")),
    "travel": ((120, 36), "explode-relu-gain", (*TRAINED, "2", "b", "up")),
    "theory": ((120, 36), "sigmoid-20", (*LOOK, "m")),
    "layer": ((120, 36), "sigmoid-20", (*LOOK, "enter")),
    "curves": ((120, 36), "relu-20", (*TRAINED, "3", "v", "v", "left", "left", "left")),
    "keys": ((120, 36), "sigmoid-20", (*TRAINED, "2", "?")),
    "light": ((120, 36), "sigmoid-20", TRAINED),
    "sixteen": ((120, 36), "sigmoid-20", TRAINED),
    "cures": ((120, 36), "sigmoid-20", (*TRAINED, "c")),
    "cured": ((120, 36), "sigmoid-20", (*TRAINED, "f", "enter", "~")),
    "every-cure": ((120, 36), "sigmoid-20", (*TRAINED, "T", "space", "~")),
    "initial": ((120, 36), "sigmoid-20", ("i", "~")),
    "broke": ((120, 36), "explode-relu-gain", (*TRAINED, "4", "end", "z")),
    "relu": ((120, 36), "relu-20", TRAINED),
    "batchnorm": ((120, 36), "batchnorm-20", TRAINED),
    "explode": ((120, 36), "explode-relu-gain", TRAINED),
    "explode-cured": ((120, 36), "cure-explode-clip", TRAINED),
    "dead": ((120, 36), "dead-bias", TRAINED),
    "dead-cured": ((120, 36), "cure-dead-elu", TRAINED),
    "plain": ((120, 36), "plain-57", TRAINED),
    "residual": ((120, 36), "residual-57", TRAINED),
    "thousand": ((160, 45), "residual-1001", TRAINED),
    "rnn": ((120, 36), "adding-rnn", TRAINED),
    "lstm": ((120, 36), "adding-lstm", TRAINED),
    "pretrained": ((120, 36), "pretrain-autoencoder", TRAINED),
    "runs": ((120, 36), "sigmoid-20", ("r",)),
    "compare": ((120, 36), "sigmoid-20", ("r", "space", "space", "space", "C", "-")),
    "study": ((120, 36), "sigmoid-20", ("S", "enter", "-")),
    "watched": ((120, 36), "sigmoid-20", ("r", "enter", "2")),
    "plane": ((120, 36), "spirals-residual", (*TRAINED, "D")),
    "plane-sigmoid": ((120, 36), "spirals-sigmoid", (*TRAINED, "D")),
    "units": ((120, 36), "spirals-residual", (*TRAINED, "D", "enter", "right", "right")),
    "lesson": ((80, 24), "sigmoid-20", ("t", "enter", *TRAINED)),
}

STORY = "story"
"""The name of the recording, and of both of its files."""
FRAME = 0.6
"""Seconds between two looks at the screen: each that differs makes the files larger."""
STORY_KEYS: Sequence[tuple[str, str, float]] = (
    ("", "gradtui opens on twenty sigmoid layers", 2.0),
    ("space", "space trains them, and shows the gradient of every layer", 0.0),
    ("~", "", 1.5),
    ("up", "↑ looks at an earlier step: it was weak from the start", 1.0),
    ("escape", "esc comes back", 0.8),
    ("P", "P shows why: each layer multiplies the gradient by a quarter", 2.5),
    ("4", "4 shows the finding, and what would help", 2.5),
    ("f", "f lets one choose a fix", 2.0),
    ("enter", "⏎ trains a copy with it, beside the first one", 1.0),
    ("2", "2 shows its gradient, and a line for the one without the fix", 0.0),
    ("~", "", 2.0),
    ("4", "4 says what the fix has changed", 3.0),
    ("3", "3 shows the loss with the fix and without it", 3.0),
)
"""Keys, what is said of them (nothing leaves what was said before), and the seconds to look at what they do."""

MANY = (
    "residual-57",
    "plain-57",
    "cure-dead-elu",
    "dead-bias",
    "explode-relu-gain",
    "batchnorm-20",
    "relu-20",
)
SCRIPT = FOLDER.parent / "tests" / "monitor" / "scripts" / "gpt.py"

# name: what is trained before, each as the command line has it
BEFORE: dict[str, Sequence[Sequence[str]]] = {
    "runs": [("-m", "gradtui", "run", preset) for preset in (*MANY, "sigmoid-20")],
    "compare": [("-m", "gradtui", "run", preset) for preset in ("batchnorm-20", "relu-20", "sigmoid-20")],
    "study": [("-m", "gradtui", "study", "degradation")],
    "watched": [(str(SCRIPT),)],
}

TRIALS = "trials"
"""The name of the picture of `gradtui watch --try` on a terminal."""
TRIED = ("--try", "lr=x0.01", "--try", "clip=1.0", "--try", "init=he", "--steps", "150")
COLUMNS = 100

# name: the study whose charts these are
CHARTS = {"degradation": "degradation", "cures-ranked": "cures"}


def _cures_done(lab: LabScreen) -> bool:
    """Return whether no cures are being trained."""
    cures = lab.comparison.cures
    return cures is None or cures.state.done


async def _until_ended(pilot: Pilot[None], lab: LabScreen) -> None:
    end = time.monotonic() + 300
    while lab.followed is None or lab.followed.live or not _cures_done(lab):
        if time.monotonic() > end:
            raise TimeoutError("the run did not end")
        await pilot.pause(0.1)
    await _until_still(pilot)


async def _until_still(pilot: Pilot[None]) -> None:
    """Wait until the screen has not changed for a while, two minutes at most."""
    end, since, before = time.monotonic() + 120, time.monotonic(), ""
    while time.monotonic() < min(end, since + STILL):
        now = "\n".join(strip.text for strip in pilot.app.screen._compositor.render_strips())
        if now != before or "reading" in now:
            before, since = now, time.monotonic()
        await pilot.pause(0.1)


async def take(name: str) -> Path:
    """Take one picture and return its file."""
    size, preset, keys = PICTURES[name]
    app = GradtuiApp(resolve(preset))
    app.theme = THEMES.get(name, app.theme)
    async with app.run_test(size=size) as pilot:
        while not isinstance(app.screen, LabScreen):
            await pilot.pause(0.05)
        lab = app.screen
        while not lab.controls.trainers.ready:
            await pilot.pause(0.05)
        for key in keys:
            if key == "~":
                await _until_ended(pilot, lab)
            elif key == "-":
                await _until_still(pilot)
            else:
                await pilot.press("question_mark" if key == "?" else key)
                await pilot.pause(0.5)
        await pilot.pause(1.0)
        return Path(app.save_screenshot(f"{name}.svg", str(FOLDER)))


async def record() -> None:
    """Record the story of the default experiment, as an asciicast and as an SVG that moves."""
    app = GradtuiApp(resolve("sigmoid-20"))
    async with app.run_test(size=(80, 24)) as pilot:
        while not isinstance(app.screen, LabScreen):
            await pilot.pause(0.05)
        lab = app.screen
        while not lab.controls.trainers.ready:
            await pilot.pause(0.05)
        recording = Recording(app)
        for key, said, seconds in STORY_KEYS:
            recording.caption = said or recording.caption
            if key and key != "~":
                await pilot.press(key)
            end = time.monotonic() + seconds
            while time.monotonic() < end or (key == "~" and _trains(lab)):
                recording.take()
                await pilot.pause(2 * FRAME if key == "~" else FRAME)
        frames = recording.cut()
    write_cast(frames, FOLDER / f"{STORY}.cast", "gradtui: twenty sigmoid layers, and what fixes them")
    write_svg(frames, FOLDER / f"{STORY}.svg")
    print(FOLDER / f"{STORY}.svg")


def _trains(lab: LabScreen) -> bool:
    return lab.followed is None or lab.followed.live or lab.followed.findings is None


def run(*arguments: str) -> None:
    """Run Python with these arguments, to its end."""
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)


def try_changes() -> Path:
    """Let `gradtui watch --try` train a script with each change, and draw what it prints on a terminal."""
    command = ("gradtui", "watch", *TRIED, "--", "python", "train.py")
    started = [sys.executable, "-m", "gradtui", *command[1:-2], sys.executable, command[-1]]
    main_side, terminal = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "TERM": "xterm-256color", "PYTHONPATH": os.getcwd()}
    process = subprocess.Popen(
        started, cwd=FOLDER, env=environment, stdin=terminal, stdout=terminal, stderr=subprocess.DEVNULL
    )
    os.close(terminal)
    printed = b""
    with contextlib.suppress(OSError):  # the terminal ends with the process
        while piece := os.read(main_side, 65536):
            printed += piece
    if process.wait():
        raise RuntimeError(printed.decode(errors="replace"))
    report = printed.decode().replace("\r", "")
    report = report[report.index("run 4 times") :]
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), color_system="truecolor")
    console.print(Text(f"$ {shlex.join(command)}", style="bold"))
    console.print(Text.from_ansi(report))
    path = FOLDER / f"{TRIALS}.svg"
    console.save_svg(str(path), title="gradtui watch --try")
    return path


def main(names: Sequence[str]) -> None:
    """Take the pictures of these names (none: all), each in a home of its own: settings are kept there."""
    for name in names or (*PICTURES, *CHARTS, TRIALS, STORY):
        with tempfile.TemporaryDirectory() as home:
            os.environ["GRADTUI_HOME"] = home
            if name == STORY:
                asyncio.run(record())
                continue
            if name == TRIALS:
                print(try_changes())
                continue
            if name in CHARTS:
                run("-m", "gradtui", "study", CHARTS[name], "--quiet", "--svg", str(FOLDER / f"{name}.svg"))
                continue
            for arguments in BEFORE.get(name, ()):
                run(*arguments)
            print(asyncio.run(take(name)))


if __name__ == "__main__":
    main(sys.argv[1:])
