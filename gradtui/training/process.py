"""Run the trainer as a process: its signals, its log, its standby, its runs one after another, and its exit code.

Torch is imported only after run.json names this process, so that a viewer shows "importing" during the three seconds
that it takes.
"""

from __future__ import annotations

import contextlib
import gc
import os
import platform
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from threading import Thread

from msgspec.structs import replace

from gradtui import __version__
from gradtui.experiment import Experiment, RunSettings, load, to_dict
from gradtui.runs.control import ControlReader
from gradtui.runs.folder import EXPERIMENT_FILE, LOG_FILE, RUN_FILE
from gradtui.runs.meta import RunMeta, read_meta, read_origin, write_meta
from gradtui.runs.reserve import keep_reserve
from gradtui.runs.run_lock import NOT_STARTED, train_alone
from gradtui.runs.safe_files import open_file
from gradtui.runs.writer import RunWriter
from gradtui.training.controls import StopRequest
from gradtui.training.failures import reason_of, recording_problem
from gradtui.training.without_compiler import postpone_compiler

USAGE = "usage: python -m gradtui.training FOLDER | --standby SCRATCH | --worker | --tied-worker"
PARENT_POLL_SECONDS = 0.5


def main(arguments: list[str]) -> int:
    """Train the run in the folder that the arguments name, or the runs that stdin names. Returns the exit code.

    0: the run was trained; 1: the training failed, and the run's events say why; 2: wrong arguments.
    """
    standby = len(arguments) == 2 and arguments[0] == "--standby"
    if len(arguments) != 1 and not standby:
        print(USAGE, file=sys.stderr)
        return 2
    for harmless in (signal.SIGHUP, signal.SIGINT):
        signal.signal(harmless, signal.SIG_IGN)
    if arguments in (["--worker"], ["--tied-worker"]):
        if arguments == ["--tied-worker"]:
            # SIGTERM ends the present run after its step; it can be resumed later.
            end_with_parent(signal.SIGTERM)
        return train_named_folders()
    folder = _standby(Path(arguments[1])) if standby else Path(arguments[0])
    if folder is None:
        return 0
    if not folder.is_dir():
        print(f"{folder}: no such folder", file=sys.stderr)
        return 2
    return train_folder(folder)


def end_with_parent(
    how: signal.Signals, *, parent: int | None = None, before: Callable[[], object] = lambda: None
) -> None:
    """Call `before` and send this process the signal `how` when its parent has ended.

    A process in a session of its own would otherwise survive its parent. `parent` is the id of the parent, which may
    have ended already; by default it is the present parent.
    """
    expected = os.getppid() if parent is None else parent

    def watch() -> None:
        while os.getppid() == expected:
            time.sleep(PARENT_POLL_SECONDS)
        before()
        os.kill(os.getpid(), how)

    Thread(target=watch, daemon=True).start()


def train_named_folders() -> int:
    """Train the runs whose folders stdin names, one per line, until stdin ends or a training fails.

    Torch is imported only once. After each run, a line with its exit code is written to stdout. When the input ends,
    the present run is still trained to its end. After a failed run the process ends, because the failure may have left
    it in a bad state. Returns the exit code of the last run.
    """
    # Each run redirects the descriptors 0, 1 and 2 to its own log.
    with os.fdopen(os.dup(0), "rb") as folders, os.fdopen(os.dup(1), "wb", buffering=0) as answers:
        code = 0
        while code == 0 and (line := folders.readline()):
            code = train_folder(Path(os.fsdecode(line.rstrip(b"\n"))))
            # The run's own handler would set a flag that is not read any more.
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            try:
                answers.write(b"%d\n" % code)
            except BrokenPipeError:
                break
            # The run leaves reference cycles, such as its net, which were frozen before its first step. They are
            # collected while the parent reads the answer, because this takes a sixth of a second.
            gc.unfreeze()
            gc.collect()
    return code


def _standby(scratch: Path) -> Path | None:
    """Import torch, warm it up, print "ready" and return the folder from stdin; None when the parent has ended."""
    try:
        warm_up(scratch)
    finally:
        # The folder belongs to the parent, which may have been killed meanwhile.
        shutil.rmtree(scratch, ignore_errors=True)
    # The pipe is closed already if the parent has sent a run before torch was imported; its name is then on stdin.
    with contextlib.suppress(BrokenPipeError):
        os.write(1, b"ready\n")
    line = sys.stdin.buffer.readline()
    return Path(os.fsdecode(line.rstrip(b"\n"))) if line else None


def warm_up(scratch: Path) -> None:
    """Train a tiny net for two steps in a temporary folder.

    This imports and sets up everything, so that the first step of a run is as fast as its second.
    """
    import torch

    from gradtui.training.run import train

    postpone_compiler()
    exp = Experiment(name="warm-up", run=RunSettings(steps=2, device="cpu"))
    meta = RunMeta.of_this_process(id="", name="", experiment=to_dict(exp))
    train(scratch, exp, meta, StopRequest())
    torch.cuda.is_available()


def train_folder(folder: Path, *, shared: bool = False) -> int:
    """Train the run in `folder` from its experiment to its "end" event. Returns the exit code.

    A run that was trained before is resumed from its newest checkpoint; a run that another process trains is not
    touched. `shared`: this process is rank 0 of several that an agent has started (see `distributed`).
    """
    # The agent of several ranks holds the lock for all of them.
    return train_alone(folder, lambda: _train_locked(folder, shared), locked=shared)


def _train_locked(folder: Path, shared: bool) -> int:
    try:
        _detach(folder)
    except OSError as error:
        print(f"{folder / LOG_FILE}: {error.strerror}", file=sys.stderr)
        return NOT_STARTED
    stop = StopRequest()
    stop.listen()
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        status, reason = _train(folder, stop, shared)
    except Exception as error:
        traceback.print_exc()
        status, reason = "failed", reason_of(error)
    place = _place_of(held, folder)
    os.close(held)
    if place != folder:
        status, reason = "failed", f"its folder was moved to {place} during the training"
    # The end needs a new writer, because the training's writer may be the part that failed.
    ending = RunWriter(place, {})
    ending.end(status, reason)
    if ending.error is not None:
        print(recording_problem(place, ending.error), file=sys.stderr)
    return 1 if status == "failed" else 0


def _place_of(held: int, folder: Path) -> Path:
    """Return the present path of an opened folder, or its old path where the present one is not known."""
    with contextlib.suppress(OSError):
        # Linux names the present path of what is open.
        place = Path(os.readlink(f"/proc/self/fd/{held}"))
        if not folder.exists() and os.path.samestat(os.stat(place), os.fstat(held)):
            return place
    return folder


def _train(folder: Path, stop: StopRequest, shared: bool) -> tuple[str, str]:
    meta = RunMeta.of_this_process(
        id=folder.name,
        name=folder.name,
        versions={"python": platform.python_version(), "gradtui": __version__},
    )
    commands = None
    if (folder / RUN_FILE).exists():
        # The reader is made before torch is imported, so that commands that arrive meanwhile are obeyed.
        commands = ControlReader(folder, skip_old=True)
        meta = meta.resumed_by(read_meta(folder))
    try:
        start = read_origin(folder)
        meta = replace(meta, parent=start.parent, preflight=start.preflight)
        exp = load(folder / EXPERIMENT_FILE)
        meta = replace(meta, name=exp.name, experiment=to_dict(exp), steps=exp.run.steps)
    finally:
        write_meta(folder, meta)
    keep_reserve(folder)
    opening = RunWriter(folder, {})
    try:
        opening.event("phase", phase="importing", text="importing torch")
        opening.flush()
        from gradtui.training.run import preflight, train

        postpone_compiler()
    finally:
        opening.close()
    if start.preflight:
        return preflight(folder, exp, meta)
    return train(folder, exp, meta, stop, commands=commands, start=start, shared=shared)


def _detach(folder: Path) -> None:
    """Redirect output to the run's log and input to nothing, because the parent's terminal or pipe may end first."""
    log = open_file(folder / LOG_FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    nothing = os.open(os.devnull, os.O_RDONLY)
    sys.stdout.flush()
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.dup2(nothing, 0)
    os.close(log)
    os.close(nothing)
