"""Find the run that a script continues (`watch(resume=…)`), lock it for this process, and check that it fits."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from torch import Tensor
from torch.optim import Optimizer

from gradtui.ordinary_files import given_path, open_to_read
from gradtui.runs.errors import RunError
from gradtui.runs.events import EventLog, step_of
from gradtui.runs.folder import HEARTBEAT_FILE, is_run_folder, make_root, slug_of
from gradtui.runs.label import LABEL_FILE, read_label
from gradtui.runs.meta import RunMeta, change_of, read_meta
from gradtui.runs.run_lock import RunTaken, lock_run, unlock_run
from gradtui.runs.status import read_status, status_by

ANSWER_SECONDS = 2.0
"""The seconds in which the process that recorded the run before may end: a preempted job is often started anew while
the old one is still being stopped."""
HEARTBEATS_SECONDS = 4.0
"""The seconds in which the heartbeat of a process on another host has to be renewed, or that process is gone."""
POLL_SECONDS = 0.05
STEPS_BEFORE = "optimizer_steps_before"
"""The name in run.json of how many steps the optimizer had taken at the run's step 0, where these were any."""

_held: set[int] = set()
"""The locks of this process. A forked child closes its copies, or the run would stay locked after its parent's end."""


def _release_in_child() -> None:
    while _held:
        with contextlib.suppress(OSError):
            os.close(_held.pop())


os.register_at_fork(after_in_child=_release_in_child)


class RunLock:
    """A RunLock keeps other processes from recording the same run, until it is released or this process ends."""

    def __init__(self, folder: Path) -> None:
        """Lock the run; there is no lock where the file system has none. Raises RunTaken and OSError."""
        self._descriptor = lock_run(folder)
        self._process = os.getpid()
        if self._descriptor is not None:
            _held.add(self._descriptor)

    def release(self) -> None:
        """Let another process record the run."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None and os.getpid() == self._process:
            _held.discard(descriptor)
            unlock_run(descriptor)


class ResumedRun:
    """A ResumedRun is a run of an earlier process that this process has locked and may continue."""

    def __init__(self, folder: Path, lock: RunLock) -> None:
        """Take the folder and the lock; read what the run holds. Raises RunError."""
        self.folder = folder
        self.lock = lock
        self.meta: RunMeta = read_meta(folder)
        log = EventLog(folder)
        log.poll()
        self.last_step = status_by(folder, self.meta, log).step
        """The last step of which anything is known."""
        self._left_out = sorted(
            step for event in log.entries if event["event"] == "skipped" and (step := step_of(event))
        )

    @property
    def layer_names(self) -> tuple[str, ...]:
        """Return the layers in the order of the run's columns; empty if it ended before they were described."""
        return tuple(layer.name for layer in self.meta.layers)

    def step_after(self, optimizer_steps: int) -> int:
        """Return the run's step at which the optimizer had taken so many steps.

        A step that a gradient scaler left out is a step of the run, and none of the optimizer.
        """
        before = self.meta.data.get(STEPS_BEFORE)
        step = optimizer_steps - (before if isinstance(before, int) else 0)
        for left_out in self._left_out:
            step += left_out <= step
        return max(0, step)

    def why_not(self, layers: Iterable[tuple[str, int]], scalars: Sequence[str]) -> str:
        """Return why a training with these layers, by name and number of parameters, cannot continue in this run.

        `scalars` are the columns of the table of scalars. The reason is empty if nothing prevents it.
        """
        before = {layer.name: layer.parameters for layer in self.meta.layers}
        now = dict(layers)
        if before and before.keys() != now.keys():
            only = next(iter([*(now.keys() - before.keys()), *(before.keys() - now.keys())]))
            return f"it has other layers ({len(before):,} there, {len(now):,} here; {only} is in one of them only)"
        for name, count in now.items():
            # Before its first step a lazy layer has no parameters yet.
            if before and count and before[name] and before[name] != count:
                return f"its layer {name} has {before[name]:,} parameters there and {count:,} here"
        table = self.meta.tables.get("scalars")
        if table is not None and table.columns != tuple(scalars):
            return "its optimizers have other parameter groups"
        return ""


@contextlib.contextmanager
def taking_up(text: str, root: Path) -> Iterator[ResumedRun | None]:
    """Yield the run that a script names, locked; None if there is no such run.

    Until the block ends, no other process on the same `root` is within such a block: of two that begin a run of one
    name at the same moment, the second finds the run of the first. Raises RunTaken if another process records the run.
    """
    with _one_at_a_time(root):
        folder = find_script_run(text, root)
        yield None if folder is None else _locked(folder)


def find_script_run(text: str, root: Path) -> Path | None:
    """Return the newest run of a script that has this path, id or name, also one that people have renamed."""
    if os.sep in text and is_run_folder(given_path(text)):
        return given_path(text)
    slug = slug_of(text)
    try:
        names = sorted((entry.name for entry in os.scandir(root) if entry.is_dir()), reverse=True)
    except OSError:
        return None
    for name in names:
        folder = root / name
        # A folder resembles the name of its run, so that few of thousands of runs have to be read.
        if name.startswith(".") or not (slug in name or os.path.exists(folder / LABEL_FILE)):
            continue
        with contextlib.suppress(RunError, OSError):
            meta = read_meta(folder)
            fits = text in (name, meta.name, read_label(folder).name)
            if fits and meta.kind == "script" and change_of(meta) is None:
                return folder
    return None


def steps_taken(optimizers: Sequence[Optimizer]) -> int | None:
    """Return how many steps an optimizer has taken by its own count, which a checkpoint brings back.

    None where that is not known: most optimizers without a mean of squares do not count, and of several optimizers
    that take turns the number of rounds does not follow.
    """
    if len(optimizers) != 1:
        return None
    known = 0
    for state in optimizers[0].state.values():
        step = state.get("step") if isinstance(state, dict) else None
        if isinstance(step, Tensor) and step.numel() == 1:
            step = step.item()
        if isinstance(step, int | float):
            known = max(known, int(step))
    return known or None


def _locked(folder: Path) -> ResumedRun:
    """Return the run, locked. Raises RunTaken if another process records it, RunError and OSError."""
    last = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            lock = RunLock(folder)
        except RunTaken:
            if time.monotonic() > last:
                raise _taken(folder) from None
            time.sleep(POLL_SECONDS)
            continue
        try:
            # A run that was begun without resume= is not locked, but its process may be alive.
            while read_status(folder).live:
                if _is_silent(folder):
                    break
                if time.monotonic() > last:
                    raise _taken(folder)
            return ResumedRun(folder, lock)
        except BaseException:
            lock.release()
            raise


def _taken(folder: Path) -> RunTaken:
    return RunTaken(
        f"{folder.name} is being recorded by another process; gradtui attach {folder.name} shows it"
    )


def _is_silent(folder: Path) -> bool:
    """Return whether the process of a live run is on another host and has stopped renewing the heartbeat.

    The process of this host would be known to be alive or not.
    """
    from gradtui.runs import process

    meta = read_meta(folder)
    if (meta.host, meta.machine) == (process.host_name(), process.machine()):
        time.sleep(POLL_SECONDS)
        return False
    first, last = _beat(folder), time.monotonic() + HEARTBEATS_SECONDS
    while time.monotonic() < last:
        time.sleep(POLL_SECONDS)
        if _beat(folder) != first:
            return False
    return True


def _beat(folder: Path) -> int:
    try:
        # On a network file system an open asks the server, which a bare stat does not.
        with os.fdopen(open_to_read(folder / HEARTBEAT_FILE), "rb") as file:
            return os.fstat(file.fileno()).st_mtime_ns
    except OSError:
        return 0


@contextlib.contextmanager
def _one_at_a_time(root: Path) -> Iterator[None]:
    """Let one process at a time look for a run and begin one; where the file system has no locks, all at once."""
    descriptor = None
    with contextlib.suppress(OSError):
        make_root(root)
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        last = time.monotonic() + ANSWER_SECONDS + HEARTBEATS_SECONDS + 1
        while descriptor is not None and time.monotonic() < last:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(POLL_SECONDS)
            except OSError:
                break
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)
