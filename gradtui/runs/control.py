"""Send the commands of viewers to the trainer through control.jsonl; the trainer answers in its events."""

from __future__ import annotations

import contextlib
import os
import stat
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gradtui.runs.errors import RunError
from gradtui.runs.folder import CONTROL_FILE
from gradtui.runs.jsonl import LineReader, encode_line
from gradtui.runs.safe_files import open_file

CommandName = Literal["pause", "resume", "step", "stop", "set", "checkpoint"]

ROOT = 0
"""The user id of the administrator, who may control every run."""
MOST_REFUSED = 20
"""The number of commands of other users that become events of a run."""

LIVE = (
    "optimizer.lr",
    "optimizer.momentum",
    "cures.clip_norm",
    "cures.clip_value",
    "cures.l1",
    "cures.l2",
)
"""The fields of an experiment that "set" may change while it trains, by dotted path."""


@dataclass(frozen=True)
class Command:
    """A Command is one request of a viewer to the trainer."""

    name: str
    id: str
    time: float
    """Seconds since the epoch."""
    fields: dict[str, Any]
    """The command's other fields. The command "set" has the new values by dotted path under "set"."""
    refusal: str = ""
    """The reason why the trainer does not obey it; empty where it may."""


def send(folder: Path, command: CommandName, **fields: Any) -> str:
    """Append one command and return its id. Raises RunError, one line that names the file, when that fails."""
    path = folder / CONTROL_FILE
    _check_owner(folder)
    identity = uuid.uuid4().hex[:12]
    line = encode_line({**fields, "wish": command, "id": identity, "time": time.time()})
    try:
        # Several viewers may write at once, so the line is appended by a single write.
        descriptor = open_file(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        try:
            os.write(descriptor, (b"\n" if _ends_torn(descriptor) else b"") + line)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise RunError(f"{path}: {error.strerror}") from None
    return identity


def _check_owner(folder: Path) -> None:
    """Raise RunError where the run belongs to somebody else, whose trainer would refuse the command."""
    try:
        owner = folder.stat().st_uid
    except OSError:
        # Writing the command will say what is wrong.
        return
    if os.getuid() not in (owner, ROOT):
        raise RunError(f"{folder.name}: belongs to another user, and only its owner can control it")


def refusal_of(about: os.stat_result) -> str:
    """Return why commands in a file with that owner and these permissions are not obeyed; empty where they are."""
    if about.st_uid not in (os.getuid(), ROOT):
        return f"{CONTROL_FILE} belongs to another user"
    if about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"{CONTROL_FILE} can be written by other users"
    return ""


def _keep_to_owner(path: Path) -> None:
    """Make the file, and take from others the permission to write it. Raises OSError."""
    descriptor = open_file(path, os.O_WRONLY | os.O_CREAT)
    try:
        about = os.fstat(descriptor)
        if about.st_uid == os.getuid() and refusal_of(about):
            # It was made by an older gradtui, which left its permissions to the umask.
            os.fchmod(descriptor, stat.S_IMODE(about.st_mode) & ~(stat.S_IWGRP | stat.S_IWOTH))
    finally:
        os.close(descriptor)


def _known_size(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _ends_torn(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"


class StepControl:
    """A StepControl applies the commands pause, resume, step and stop, and says whether a step may be taken."""

    def __init__(self) -> None:
        self.paused = False
        self.stopped = False
        self._single_steps = 0

    def apply(self, command: str) -> list[tuple[str, dict[str, Any]]]:
        """Apply one of the four commands, and return the events that it causes: their names and fields.

        To pause a paused training, or to resume one that runs, causes none.
        """
        control = ("control", {"wish": command})
        if command == "stop":
            self.stopped = True
            return [control]
        changed = self.paused == (command == "resume")
        self.paused = command != "resume"
        if command == "step":
            self._single_steps += 1
        elif changed:
            self._single_steps = 0
        else:
            return []
        return [("paused" if self.paused else "resumed", {}), control] if changed else [control]

    def may_step(self) -> bool:
        """Return whether a step may be taken now; while paused, each single step is granted once."""
        if self.paused and not self.stopped:
            if not self._single_steps:
                return False
            self._single_steps -= 1
        return not self.stopped


class ControlReader:
    """A ControlReader gives the trainer the commands that viewers have sent.

    `poll` costs one stat when nothing is new, so it can be called at every step. `skip_old` leaves out the commands
    sent before now: a resumed run must not obey the stop that ended it.
    """

    def __init__(self, folder: Path, *, skip_old: bool = False) -> None:
        path = folder / CONTROL_FILE
        # A network file system remembers for half a minute that a name does not exist, but a size only for
        # seconds.
        with contextlib.suppress(OSError):
            _keep_to_owner(path)
        # A bare stat: size_of would ask the file server at every step.
        self._lines = LineReader(path, _known_size)
        self._seen: set[str] = set()
        self._refused = 0
        if skip_old:
            self._lines.skip()

    def poll(self) -> list[Command]:
        """Return the new commands in the order in which they were sent. Never raises."""
        entries, _ = self._lines.poll()
        about = self._lines.about
        refusal = refusal_of(about) if entries and about is not None else ""
        if refusal:
            # Others could fill the disk of the owner with the events of refused commands.
            entries = entries[: MOST_REFUSED - self._refused]
            self._refused += len(entries)
        commands = []
        for entry in entries:
            name, identity, sent = entry.pop("wish", None), entry.pop("id", None), entry.pop("time", 0.0)
            if not isinstance(name, str) or not isinstance(identity, str) or identity in self._seen:
                continue
            self._seen.add(identity)
            sent = float(sent) if isinstance(sent, (int, float)) else 0.0
            commands.append(Command(name, identity, sent, entry, refusal))
        return commands
