"""A file server that stops answering keeps no key from working, `q` from quitting, nor another run from being shown."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gradtui.runs.bounded_reads import BoundedReads
from gradtui.runs.library import Library
from gradtui.study.presets import names
from gradtui.study.spec import loads
from gradtui.study.study_folder import write_study
from tests.benchmarks.figures import CannotMeasure
from tests.support.command_line import environment
from tests.support.dead_server import DeadServer
from tests.support.person_terminal import PersonTerminal, patched
from tests.support.run_folders import make
from tests.support.studies import DEPTHS, sigmoids, write_run
from tests.support.terminal_screen import TerminalScreen

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
    """The list of keys, or a dialog that came late, comes and goes."""

    def covered(screen: TerminalScreen) -> bool:
        # The last line has the keys of the screen itself.
        return "─ Keys ─" in screen.text or "esc back" in screen.text[: screen.text.rstrip().rfind("\n")]

    for _ in range(3):
        terminal.press("?")
        try:
            terminal.until(covered, 4, after)
            terminal.press("\x1b")
            terminal.until(lambda screen: not covered(screen), 4, after)
        except CannotMeasure:
            # It was pressed into something that was about to close.
            continue
        return
    raise AssertionError(f"no key is answered after {after}")


def assert_left_by_q(terminal: PersonTerminal) -> None:
    """The app ends by q, in order, and leaves the terminal as it was."""
    end = time.monotonic() + 60
    with contextlib.suppress(CannotMeasure):
        # Raised as soon as the program has ended. A first q may close a screen, or come with an escape as one key.
        while time.monotonic() < end:
            terminal.press("q")
            terminal.stay(1.0)
    assert terminal.until_ended(6) == 0
    assert terminal.faults() == []


def command_on(server: DeadServer, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command that would wait forever if it waited for the server."""
    return subprocess.run(
        patched(server.patch, *words),
        env=environment(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_list_of_runs_says_that_the_server_does_not_answer(home: Path, tmp_path: Path) -> None:
    server = DeadServer(home / "runs", tmp_path)
    server.die()
    result = command_on(server, home, "runs")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"gradtui: {home / 'runs'}: its file server does not answer\n"


@pytest.mark.long
@pytest.mark.parametrize("dead", ["runs", "runs/" + BAD])
def test_no_command_waits_for_ever(dead: str, home: Path, tmp_path: Path) -> None:
    for name in (GOOD, BAD):
        (home / "runs" / name).mkdir(parents=True)
        write_run(home / "runs" / name, sigmoids())
    server = DeadServer(home / dead, tmp_path)
    server.die()
    out = str(tmp_path / "out")
    commands: list[list[str]] = [["diagnose", BAD], ["report", BAD, GOOD, out + ".html"]]
    if dead == "runs":
        commands += [
            ["runs"],
            ["study", names()[0]],
            ["diagnose"],
            ["attach"],
            ["diagnose", str(home / "runs" / BAD)],
        ]
        commands += [["export", BAD, "--to", "csv", out], ["import", str(home / "runs" / BAD)]]
    with ThreadPoolExecutor(4) as together:
        results = list(together.map(lambda words: command_on(server, home, *words), commands))
    for words, result in zip(commands, results, strict=True):
        assert (words, result.returncode, result.stdout) == (words, 2, "")
        assert result.stderr.endswith(": its file server does not answer\n"), words
        assert result.stderr.count("\n") == 1
    if dead != "runs":
        listed = command_on(server, home, "runs")
        assert listed.returncode == 0
        assert len(listed.stdout.splitlines()) == 2
        assert command_on(server, home, "diagnose", GOOD).returncode == 0


@pytest.mark.long
def test_checkpoints_and_trash_that_do_not_answer(home: Path, tmp_path: Path) -> None:
    for name in (GOOD, BAD):
        (home / "runs" / name).mkdir(parents=True)
        write_run(home / "runs" / name, sigmoids())
    for name in ("trash", "checkpoints"):
        (tmp_path / name).mkdir()
    trash = DeadServer(home / "runs" / ".trash", tmp_path / "trash")
    trash.die()
    assert command_on(trash, home, "runs").returncode == 0
    checkpoints = DeadServer(home / "runs" / BAD / "checkpoints", tmp_path / "checkpoints")
    checkpoints.die()
    assert command_on(checkpoints, home, "diagnose", BAD).returncode == 0
    for way in ("--from", "--resume"):
        result = command_on(checkpoints, home, "run", way, BAD, "--steps", "90")
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr == f"gradtui: {checkpoints.folder}: its file server does not answer\n"


@pytest.mark.long
@pytest.mark.parametrize("dead", ["studies", "studies/depths", "settings.toml"])
def test_what_does_not_need_the_dead_folder_is_done(dead: str, home: Path, tmp_path: Path) -> None:
    (home / "runs" / GOOD).mkdir(parents=True)
    write_run(home / "runs" / GOOD, sigmoids())
    write_study(home / "studies" / "depths", loads(DEPTHS))
    (tmp_path / "depths.toml").write_text(DEPTHS)
    (home / "settings.toml").write_text('language = "zh"\n')
    server = DeadServer(home / dead, tmp_path)
    server.die()
    says = f"gradtui: {home / dead}: its file server does not answer\n"
    done: list[list[str]] = [
        ["learn"],
        ["runs"],
        ["diagnose", GOOD],
        ["report", GOOD, str(tmp_path / "x.md")],
    ]
    if dead == "settings.toml":
        done.append(["study", str(tmp_path / "depths.toml"), "--list"])
    else:
        result = command_on(server, home, "study", str(tmp_path / "depths.toml"))
        assert (result.returncode, result.stdout, result.stderr) == (2, "", says)
        result = command_on(server, home, "report", "depths", str(tmp_path / "y.md"))
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr.startswith(says)
    for words in done:
        result = command_on(server, home, *words)
        assert (words, result.returncode) == (words, 0)
        assert result.stderr == (says if words[0] == "report" and dead == "studies" else "")


@pytest.mark.long
@pytest.mark.parametrize("dead", ["runs/" + BAD, "runs", "."])
@pytest.mark.parametrize("screen", ["layer", "study", "compare", "runs", "log", "report"])
def test_screen_is_left_from(screen: str, dead: str, opened: Open, home: Path) -> None:
    """The server dies while the screen is open; keys are answered, and q leads out of the app."""
    spec = loads(DEPTHS)
    write_study(home / "studies" / "depths", spec)
    terminal, server = opened(Path(dead))
    keys, there = {
        "layer": ("2\r", "parameters"),
        "study": ("S\r", "depths"),
        "compare": ("r \x1b[B C", "Waterfalls"),
        "runs": ("r", "runs"),
        "log": ("L", ""),
        "report": ("W", ""),
    }[screen]
    for key in re.findall(r"\x1b\[.|.", keys, re.DOTALL):
        terminal.press(key)
        terminal.stay(0.8)
    if there:
        terminal.until_text(there)
    server.die()
    ended = time.monotonic() + 20
    with contextlib.suppress(CannotMeasure):
        # Raised as soon as the program has ended.
        terminal.stay(1.0)
        for key in ("\x1b[B", "m", "\r", "c"):
            terminal.press(key)
            terminal.stay(0.3)
        while time.monotonic() < ended:
            for key in ("\x1b", "q"):
                terminal.press(key)
                terminal.stay(0.4)
    if terminal.process.poll() is None:
        terminal.process.send_signal(signal.SIGUSR1)
        terminal.stay(0.3)
        pytest.fail(f"it waits in {server.stacks.read_text()}")
    assert terminal.process.poll() == 0, [report.read_text() for report in home.glob("crashes/*")]
    assert terminal.faults() == []


@pytest.mark.long
@pytest.mark.parametrize(
    "dead", ["runs/" + BAD, "runs", ".", "runs/.trash", f"runs/{BAD}/checkpoints", "studies", "cache"]
)
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
    assert_left_by_q(terminal)


@pytest.mark.long
def test_list_of_runs_whose_trash_does_not_answer(opened: Open) -> None:
    terminal, server = opened(Path("runs/.trash"))
    terminal.press("r")
    terminal.until_text("good")
    server.die()
    terminal.press("\x1b[B")
    for key in ("d", "y", "u"):
        terminal.press(key)
        terminal.stay(0.5)
        assert_keys_work(terminal, key)
    assert_left_by_q(terminal)


@pytest.mark.long
@pytest.mark.parametrize(
    "ways",
    [{"\x0f": "TOML file"}, {"s": "esc back"}, {"S": "studies", "\x0f": "a TOML file"}],
    ids=["open", "save", "study"],
)
def test_path_on_a_dead_server_typed_into_a_dialog(ways: dict[str, str], opened: Open, home: Path) -> None:
    (home / "far").mkdir()
    terminal, server = opened(Path("far"))
    server.die()
    for key, there in ways.items():
        terminal.press(key)
        terminal.until_text(there)
        # The text of a field is selected a moment after the field is painted.
        terminal.stay(0.8)
    terminal.press("\x15")
    for letter in f"{home}/far/x.toml":
        terminal.press(letter)
    terminal.until_text("x.toml", 15)
    terminal.press("\r")
    terminal.until(lambda screen: "the disk" in screen.text.lower(), 5, "word of the disk")
    terminal.press("\r")
    for _ in ways:
        terminal.press("\x1b")
        terminal.stay(0.4)
    assert_keys_work(terminal, "the dialog")
    assert_left_by_q(terminal)


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
    assert_left_by_q(terminal)


def test_runs_that_answer_are_listed(tmp_path: Path) -> None:
    for number in range(6):
        make(tmp_path, f"run{number}", started=1e9 + number)
    release: list[bool] = []

    class Dead(Library):
        def _refreshed(self, name: str):  # type: ignore[no-untyped-def]
            while name in ("run2", "run5") and not release:
                time.sleep(0.01)
            return super()._refreshed(name)

    library = Dead(tmp_path)
    library._reads = BoundedReads(library._refreshed, 0.3)
    for _ in range(2):
        states = {info.id: info.status.reason for info in library.read()}
        silent = "its file server does not answer"
        assert states == {f"run{number}": silent if number in (2, 5) else "" for number in range(6)}
    release.append(True)
    end = time.monotonic() + 10
    while any(info.status.reason for info in library.read()):
        assert time.monotonic() < end
        time.sleep(0.05)
