"""A file server that stops answering keeps no key from working, `q` from quitting, nor another run from being shown."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gradtui.runs.library import Library
from gradtui.runs.patience import Patience
from tests.benchmarks.figures import CannotMeasure
from tests.support.dead_server import DeadServer
from tests.support.person_terminal import PersonTerminal, patched
from tests.support.run_folders import make
from tests.support.studies import sigmoids, write_run

GOOD, BAD = "20260101-000000-good", "20260101-000001-bad"
KEYS = {"\x1b": "esc", " ": "space", "\r": "enter"}
Open = Callable[..., tuple[PersonTerminal, DeadServer]]


@pytest.fixture
def opened(home: Path, tmp_path: Path) -> Iterator[Open]:
    """Opens the lab on a run whose folder, or whose folder of runs, can be made to stop answering."""
    terminals: list[PersonTerminal] = []
    for name in (GOOD, BAD):
        (home / "runs" / name).mkdir(parents=True)
        live = {"end": None} if name == BAD else {}
        write_run(home / "runs" / name, sigmoids(name=name[16:]), **live)  # type: ignore[arg-type]

    def open_lab(dead: Path) -> tuple[PersonTerminal, DeadServer]:
        server = DeadServer(home / dead, tmp_path)
        terminal = PersonTerminal(home, command=patched(server.patch, "attach", BAD))
        terminals.append(terminal)
        terminal.until_text("step ")
        terminal.stay(0.7)
        return terminal, server

    yield open_lab
    for terminal in terminals:
        terminal.close()


def assert_keys_work(terminal: PersonTerminal, after: str) -> None:
    """The list of keys comes and goes."""
    for _ in range(3):
        terminal.press("?")
        try:
            terminal.until(lambda screen: "Everywhere" in screen.text or "esc back" in screen.text, 4, after)
        except CannotMeasure:
            # It was pressed into something that was about to close.
            continue
        terminal.press("\x1b")
        terminal.stay(0.3)
        return
    raise AssertionError(f"no key is answered after {after}")


@pytest.mark.long
@pytest.mark.parametrize("dead", ["runs/" + BAD, "runs", "."])
def test_every_key_works(dead: str, opened: Open) -> None:
    terminal, server = opened(Path(dead))
    server.die()
    terminal.stay(0.5)
    for key in (" ", ".", "x", "L", "m", "\r", "f", "T", "c", "s", "p", "r", "S", "R", "i", "U"):
        terminal.press(key)
        terminal.stay(0.5)
        terminal.press("\x1b")
        terminal.stay(0.2)
        assert_keys_work(terminal, KEYS.get(key, key))
    terminal.press("q")
    assert terminal.until_ended(6) == 0
    assert terminal.faults() == []


@pytest.mark.long
def test_another_run_is_shown(opened: Open) -> None:
    terminal, server = opened(Path("runs") / BAD)
    server.die()
    terminal.stay(0.5)
    terminal.press("r")
    terminal.until(lambda screen: "good" in screen.text and "2" in screen.line(0), 10, "the list of runs")
    terminal.until(lambda screen: "failed" in screen.text, 10, "that one does not answer")
    # Wherever the cursor is, the name finds it.
    terminal.press("/")
    terminal.stay(0.3)
    terminal.press("good\r")
    terminal.stay(0.5)
    terminal.press("\r")
    terminal.until(lambda screen: "good" in screen.line(0) and "step " in screen.line(0), 10, "the other run")
    terminal.press("q")
    assert terminal.until_ended(6) == 0


def test_runs_that_answer_are_listed(tmp_path: Path) -> None:
    for number in range(6):
        make(tmp_path, f"run{number}", started=1e9 + number)
    release: list[bool] = []

    class Dead(Library):
        def _look(self, name: str):  # type: ignore[no-untyped-def]
            while name in ("run2", "run5") and not release:
                time.sleep(0.01)
            return super()._look(name)

    library = Dead(tmp_path)
    library._patience = Patience(library._look, 0.3)
    for _ in range(2):
        states = {info.id: info.status.reason for info in library.read()}
        silent = "its file server does not answer"
        assert states == {f"run{number}": silent if number in (2, 5) else "" for number in range(6)}
    release.append(True)
    end = time.monotonic() + 10
    while any(info.status.reason for info in library.read()):
        assert time.monotonic() < end
        time.sleep(0.05)
