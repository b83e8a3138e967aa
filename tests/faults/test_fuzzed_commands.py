"""Every command with every kind of bad value ends with 2 and one clear line, or does its work."""

from __future__ import annotations

import argparse
import errno
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from gradtui.cli import COMMANDS
from gradtui.commands.command import OneLineParser
from tests.support.bounded_command import run_command
from tests.support.fuzzing import faults_of_case, fuzz, warm
from tests.support.hostile_text import KINDS
from tests.support.studies import full_run, sigmoids, write_run

RUN, OTHER = "20260101-000000-full", "20260101-000001-other"
BAD = (
    "",
    " ",
    "-",
    "--",
    "--x",
    "-1",
    "0",
    "nan",
    "inf",
    "-inf",
    "1e999",
    "1e-999",
    "1_000",
    "0x10",
    "٣",
    "²",
    "9" * 400,
    "9" * 5000,
    "x" * 5000,
    "x/" * 2500,
    "~nouser-here/x",
    "~",
    ".",
    "..",
    "/",
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/null/x",
    "/proc/self/mem",
    os.fsdecode(b"\xff\xfe"),
    "[",
    "{" * 500,
    "(",
    "*",
    "%s%n",
    "=",
    "a=b",
    "a.b.c=1",
    "net=[]",
    "net.0.width=",
    "net.99999.width=1",
    "optimizer.lr=nan",
    "run.steps=1e9",
    "@",
    "@5",
    f"{RUN}@5",
    f"{RUN}@{'9' * 400}",
    "gt1-",
    "gt1-AAAA",
    "gt99999-x",
    "vanishing,nothing",
    ",",
    "findings:",
    "depth>" + "9" * 400,
    "loss<nan",
    '"',
    "lr=x",
    "lr=x1e999",
    "clip=-1",
    "betas=1",
    "init=nothing",
    "warmup=" + "9" * 400,
    "PLACE/fifo",
    "PLACE/folder",
    "PLACE/empty.toml",
    "PLACE/deep.toml",
    "PLACE/binary.toml",
    "PLACE/nothing.html",
    "PLACE/link",
    f"PLACE/home/runs/{RUN}/run.json",
    f"PLACE/home/runs/{RUN}",
    RUN,
    "000",
    *KINDS.values(),
)
"""Values that no option or only some options may have. """


def options_of(name: str) -> list[argparse.Action]:
    """Return what a command takes, as its own parser says."""
    parser = OneLineParser("x", allow_abbrev=False)
    COMMANDS[name].configure(parser)
    return [action for action in parser._actions if action.dest != "help"]


def filled(action: argparse.Action, value: str | None) -> Iterator[str]:
    """Yield an option or an argument with its value."""
    if action.option_strings:
        yield action.option_strings[-1]
    if value is not None and action.nargs != 0:
        yield value


GOOD = {
    "run": ["plain-5"],
    "watch": ["--", "true"],
    "attach": [RUN],
    "diagnose": [RUN],
    "fix": ["plain-5"],
    "predict": ["plain-5"],
    "study": ["depth"],
    "report": [RUN, "PLACE/out.html"],
    "export": [RUN, "--to", "csv", "PLACE/out"],
    "import": ["PLACE/folder"],
}
"""Words with which a command does its work; it cannot start another process."""


def prepared(place: Path) -> Path:
    """Make a home with two runs, and odd files beside it."""
    home = place / "home"
    (home / "runs").mkdir(parents=True)
    full_run(home / "runs" / RUN, OTHER)
    (home / "runs" / OTHER).mkdir()
    write_run(home / "runs" / OTHER, sigmoids())
    os.mkfifo(place / "fifo")
    (place / "folder").mkdir()
    (place / "empty.toml").touch()
    (place / "deep.toml").write_text("a = " + "[" * 5000)
    (place / "binary.toml").write_bytes(bytes(range(256)))
    (place / "link").symlink_to(place / "link")
    return home


def attack(rng: random.Random, template: Path, place: Path) -> list[str]:
    """Give a command bad values for some of its options and arguments."""
    name = rng.choice(list(COMMANDS))
    words = [] if rng.randrange(2) else list(GOOD.get(name, []))
    for action in rng.sample(options := options_of(name), min(len(options), rng.choice((1, 1, 2, 3)))):
        words[rng.choice((0, len(words))) : 0] = filled(action, rng.choice(BAD))
    return fault_of(name, words, template, place)


def fault_of(name: str, words: list[str], template: Path, place: Path) -> list[str]:
    """Run a command on a fresh copy of the home, and return its fault."""
    shutil.copytree(template, place, symlinks=True, dirs_exist_ok=True, copy_function=_copy)
    here = [word.replace("PLACE", str(place)).replace("\0", "") for word in (name, *words)]
    outcome = run_command(here, place / "home", before=lambda: start_nothing(place))
    fault = outcome.fault
    # A training that could not be started has failed; a study's table says it.
    if outcome.code == 1 and "Resource temporarily unavailable" not in outcome.stderr and name != "study":
        fault = fault or f"ended with 1: {outcome.stderr}"
    return [f"{' '.join(here)[:300]!r}: {fault}"] if fault else []


def start_nothing(place: Path) -> None:
    """Refuse every process that the command would start, as a machine does on which there are too many."""
    # A value may be the name of a folder that is made here.
    os.chdir(place)

    def refuse(*given: Any, **options: Any) -> NoReturn:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    subprocess.Popen = refuse  # type: ignore[misc,assignment]
    os.execvpe = refuse  # type: ignore[assignment]


def _copy(source: str, target: str) -> str:
    if Path(source).is_fifo():
        os.mkfifo(target)
        return target
    return str(shutil.copy2(source, target))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("template")
    prepared(place)
    return place


@pytest.mark.long
@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_refuses_every_bad_value(name: str, template: Path, tmp_path: Path) -> None:
    warm("gradtui.diagnosis.monitor", "gradtui.report.output", "gradtui.study.study", "gradtui.ui.app")
    faults = []
    for action in options_of(name):
        values: tuple[str | None, ...] = (None,) if action.nargs == 0 else (None, *BAD)
        for value in values:
            if (name, value) == ("import", "/"):
                # It would look through the whole disk, as it was told to.
                continue
            place = tmp_path / "case"
            shutil.rmtree(place, ignore_errors=True)
            words = [*filled(action, value)]
            faults += fault_of(name, words, template, place)
    assert faults == []


@pytest.mark.parametrize("seed", range(3))
def test_bad_values_are_one_line(seed: int, template: Path, tmp_path: Path) -> None:
    assert faults_of_case(lambda rng, place: attack(rng, template, place), seed, tmp_path) == []


@pytest.mark.long
def test_fuzz_commands(template: Path, tmp_path: Path) -> None:
    warm("gradtui.diagnosis.monitor", "gradtui.report.output", "gradtui.study.study", "gradtui.ui.app")
    fuzz(lambda rng, place: attack(rng, template, place), tmp_path)
