"""Run `gradtui` as a person does, in a separate process."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from threading import Thread
from typing import Any

from tests.support.bounded_command import run_command

GRADTUI = [sys.executable, "-m", "gradtui"]


def environment(home: Path) -> dict[str, str]:
    """Return this process's environment with a GRADTUI_HOME and a width, and without requests for colours."""
    clean = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "NO_COLOR")}
    return {**clean, "GRADTUI_HOME": str(home), "COLUMNS": "100"}


def gradtui(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run gradtui to its end, without a terminal."""
    return subprocess.run(
        [*GRADTUI, *words],
        env=environment(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def forked_gradtui(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command that starts no process of its own in a fork of this process, which has imported everything."""
    done = run_command(words, home, seconds=30)
    return subprocess.CompletedProcess(words, done.code, done.stdout, done.stderr)


def start(home: Path, *words: str) -> subprocess.Popen[str]:
    """Start gradtui without a terminal, and do not wait for its end."""
    return subprocess.Popen(
        [*GRADTUI, *words],
        env=environment(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def gradtui_on_a_terminal(home: Path, *words: str) -> tuple[subprocess.CompletedProcess[str], str]:
    """Run gradtui to its end with stderr on a terminal, and also return that terminal's text."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [*GRADTUI, *words],
        env={**environment(home), "TERM": "xterm-256color"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    )
    os.close(theirs)
    shown: list[bytes] = []
    # A terminal that is not read is soon full, and then the writer waits.
    reader = Thread(target=_drain, args=(ours, shown))
    reader.start()
    output, _ = process.communicate(timeout=120)
    reader.join()
    os.close(ours)
    return subprocess.CompletedProcess(words, process.returncode, output), b"".join(shown).decode()


def _drain(terminal: int, into: list[bytes]) -> None:
    # On Linux, reading a terminal whose other end is closed raises; elsewhere it gives nothing.
    with contextlib.suppress(OSError):
        while piece := os.read(terminal, 65536):
            into.append(piece)


def strictly(text: str) -> Any:
    """Return the JSON value of `text`; refuse NaN and Infinity, which JSON does not have."""

    def refuse(word: str) -> float:
        raise AssertionError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)
