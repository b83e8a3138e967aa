"""Write a report of a crash of the app: its place, the versions and the last events, without the person's data.

A report may be sent to others. So it has no values of variables, no typed text, no names of runs or layers, and an
error's message only if Python composes it from names in the program.
"""

from __future__ import annotations

import contextlib
import linecache
import os
import platform
import re
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any

from textual import events
from textual.app import App
from textual.widgets import Input, TextArea

from gradtui.runs.folder import runs_root
from gradtui.runs.safe_files import make_folder, make_parents, opened_folder

CRASH_FOLDER = "crashes"
KEPT_REPORTS = 20
_NAME = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9]+\.txt")
"""The name of a report; other files stay in the folder."""
KEPT_EVENTS = 40
MOST_FRAMES = 60
"""The most frames of a traceback; of an endless recursion, the first and the last half of them are written."""

PROGRAM_ERRORS = (AttributeError, NameError, ImportError, TypeError, RecursionError, NotImplementedError)
"""The errors whose messages consist of names and types in the program, as those of queries do. Other messages may quote
values."""


class RecentEvents:
    """RecentEvents holds the last events of an app, without typed text."""

    def __init__(self) -> None:
        self._events: deque[tuple[float, str]] = deque(maxlen=KEPT_EVENTS)

    def note(self, app: App[Any], event: events.Event) -> None:
        """Remember an event of the keyboard, the mouse or the terminal."""
        if isinstance(event, events.MouseMove):
            return
        what = type(event).__name__
        if isinstance(event, events.Key):
            typing = event.is_printable and isinstance(app.focused, Input | TextArea)
            what = "Key (a character of a text)" if typing else f"Key {event.key}"
        screen = type(app.screen_stack[-1]).__name__ if app.screen_stack else "no screen"
        self._events.append((time.monotonic(), f"{what} on {screen}"))

    def lines(self) -> list[str]:
        """Return one line per event, the newest last, with the seconds before now."""
        now = time.monotonic()
        return [f"  {moment - now:8.2f} s  {what}" for moment, what in self._events]


def write_report(error: BaseException, recent: RecentEvents) -> Path | None:
    """Write a report that only this user can read, and return its path; None if it cannot be written."""
    content = report_of(error, recent)
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    folder = runs_root().parent / CRASH_FOLDER
    with contextlib.suppress(OSError):
        make_parents(folder.parent)
        with contextlib.suppress(FileExistsError):
            make_folder(folder)
        with opened_folder(folder) as opened:
            _remove_old(opened)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            return _write(os.open(name, flags, 0o600, dir_fd=opened), folder / name, content)
    with contextlib.suppress(OSError):
        descriptor, path = tempfile.mkstemp(prefix="gradtui-crash-", suffix=".txt")
        return _write(descriptor, Path(path), content)
    return None


def _write(descriptor: int, path: Path, content: str) -> Path:
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
        file.write(content)
    return path


def _remove_old(folder: int) -> None:
    reports = sorted(filter(_NAME.fullmatch, os.listdir(folder)))
    for name in reports[: max(0, len(reports) - KEPT_REPORTS + 1)]:
        os.unlink(name, dir_fd=folder)


def report_of(error: BaseException, recent: RecentEvents) -> str:
    """Return the text of a report."""
    return "\n".join(
        [
            "gradtui crashed. This report holds no values of your data: no numbers, names of runs or typed texts.",
            "",
            *_versions(),
            "",
            *_chain(error),
            "",
            "Last events, with the seconds before the crash:",
            *recent.lines(),
            "",
        ]
    )


def place_of(error: BaseException) -> str:
    """Return in a few words which error was raised and where, in case no report can be written."""
    frames = list(_frames(error.__traceback__))
    return f"{type(error).__name__}{f' in {frames[-1][0]}' if frames else ''}"


def _versions() -> list[str]:
    lines = [f"python {platform.python_version()} on {platform.system()} {platform.release()}"]
    for name in ("gradtui", "textual", "rich", "numpy", "torch"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            lines.append(f"{name} {metadata.version(name)}")
    terminal = [
        f"{name}={os.environ.get(name, '')}" for name in ("TERM", "COLORTERM", "TERM_PROGRAM", "LANG")
    ]
    size = ""
    with contextlib.suppress(OSError):
        size = f", {'x'.join(map(str, os.get_terminal_size(0)))} cells"
    return [*lines, f"terminal: {' '.join(terminal)}{size}"]


def _chain(error: BaseException) -> Iterator[str]:
    """Yield the tracebacks of the errors that led to this one, and then its own."""
    chain, seen = [error], {id(error)}
    while (before := _before(chain[0])) is not None and id(before) not in seen:
        chain.insert(0, before)
        seen.add(id(before))
    for index, one in enumerate(chain):
        yield "which led to:" if index else "Traceback, the last call last:"
        frames = list(_frames(one.__traceback__))
        half = MOST_FRAMES // 2
        for number, (where, line) in enumerate(frames):
            if half <= number < len(frames) - half:
                if number == half:
                    yield f"  … {len(frames) - MOST_FRAMES} more calls"
                continue
            yield f"  {where}"
            if line:
                yield f"    {line}"
        yield f"{type(one).__module__}.{type(one).__qualname__}: {_message(one)}"


def _before(error: BaseException) -> BaseException | None:
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _frames(trace: TracebackType | None) -> Iterator[tuple[str, str]]:
    while trace is not None:
        code = trace.tb_frame.f_code
        line = linecache.getline(code.co_filename, trace.tb_lineno).strip()
        yield f"{_short(code.co_filename)}:{trace.tb_lineno} in {code.co_name}", line
        trace = trace.tb_next


def _short(path: str) -> str:
    """Return the path of a source file below the folder of its package, since the rest may name the person."""
    for place in sorted((place for place in sys.path if place), key=len, reverse=True):
        if path.startswith(place.rstrip("/") + "/"):
            return path[len(place.rstrip("/")) + 1 :]
    return Path(path).name


def _message(error: BaseException) -> str:
    if isinstance(error, OSError):
        return os.strerror(error.errno) if error.errno else "(left out)"
    if isinstance(error, PROGRAM_ERRORS) or type(error).__module__ == "textual.css.query":
        return " ".join(str(error).split())[:300]
    return f"(a message of {len(str(error)):,} characters is left out: it may quote values)"
