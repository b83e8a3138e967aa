"""The trainer as a process: its signals, its log, its standby, and how it says why it failed.

Torch is imported only when the run's folder already says that this process is at it, so that a viewer sees
"importing" instead of nothing for three seconds.
"""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import sys
import traceback
from pathlib import Path

from msgspec.structs import replace

from gradtui import __version__
from gradtui.experiment import load, to_dict
from gradtui.runs.control import ControlReader
from gradtui.runs.folder import EXPERIMENT_FILE, LOG_FILE, RUN_FILE
from gradtui.runs.meta import RunMeta, read_meta, write_meta
from gradtui.runs.start import read_start
from gradtui.runs.status import is_in_use
from gradtui.runs.writer import RunWriter
from gradtui.training.failures import reason_of
from gradtui.training.parent import end_with_parent
from gradtui.training.stopping import StopRequest

USAGE = "usage: python -m gradtui.training FOLDER | --standby | --worker | --tied-worker"


def main(arguments: list[str]) -> int:
    """Train the run in the folder that is named, or wait for a name on stdin, or for many. Returns the exit code.

    0: trained, however badly; 1: the training failed, and the run's events say why; 2: wrong arguments.
    """
    if len(arguments) != 1:
        print(USAGE, file=sys.stderr)
        return 2
    for harmless in (signal.SIGHUP, signal.SIGINT):
        signal.signal(harmless, signal.SIG_IGN)
    if arguments in (["--worker"], ["--tied-worker"]):
        if arguments == ["--tied-worker"]:
            # SIGTERM: the run that it is at ends after its step, and goes on from there some day.
            end_with_parent(signal.SIGTERM)
        from gradtui.training.turns import take_turns

        return take_turns()
    folder = _standby() if arguments == ["--standby"] else Path(arguments[0])
    if folder is None:
        return 0
    if not folder.is_dir():
        print(f"{folder}: no such folder", file=sys.stderr)
        return 2
    return train_folder(folder)


def _standby() -> Path | None:
    """Import torch, warm it up, say so, and wait for a folder; None when whoever keeps us has ended."""
    from gradtui.training.warm import warm_up

    warm_up()
    # Nobody listens any more where the run was handed over before torch was there: it waits on stdin.
    with contextlib.suppress(BrokenPipeError):
        os.write(1, b"ready\n")
    line = sys.stdin.buffer.readline()
    return Path(os.fsdecode(line.rstrip(b"\n"))) if line else None


def train_folder(folder: Path, *, shared: bool = False) -> int:
    """Train the run in `folder` from its experiment to its "end" event. Returns the exit code.

    A run that was trained before is resumed from its newest checkpoint; one that is being trained is left alone.
    `shared`: torchrun has started this process to lead others (see distributed).
    """
    if is_in_use(folder):
        print(f"{folder}: is being trained already", file=sys.stderr)
        return 2
    _detach(folder)
    stop = StopRequest()
    stop.listen()
    try:
        status, reason = _train(folder, stop, shared)
    except Exception as error:
        traceback.print_exc()
        status, reason = "failed", reason_of(error)
    # A writer of its own: that of the training may be the very thing that failed.
    ending = RunWriter(folder, {})
    ending.event("end", status=status, reason=reason)
    ending.close()
    if ending.error is not None:
        print(f"the end could not be recorded: {ending.error}", file=sys.stderr)
    return 1 if status == "failed" else 0


def _train(folder: Path, stop: StopRequest, shared: bool) -> tuple[str, str]:
    meta = RunMeta.of_this_process(
        id=folder.name,
        name=folder.name,
        versions={"python": platform.python_version(), "gradtui": __version__},
    )
    wishes = None
    if (folder / RUN_FILE).exists():
        # Before torch is imported: what is wished meanwhile is meant for us.
        wishes = ControlReader(folder, skip_old=True)
        meta = meta.taking_up(read_meta(folder))
    try:
        start = read_start(folder)
        meta = replace(meta, parent=start.parent, preflight=start.preflight)
        exp = load(folder / EXPERIMENT_FILE)
        meta = replace(meta, name=exp.name, experiment=to_dict(exp), steps=exp.run.steps)
    finally:
        write_meta(folder, meta)
    opening = RunWriter(folder, {})
    try:
        opening.event("phase", phase="importing", text="importing torch")
        opening.flush()
        from gradtui.training.preflight import preflight
        from gradtui.training.run import train
    finally:
        opening.close()
    if start.preflight:
        return preflight(folder, exp, meta)
    return train(folder, exp, meta, stop, wishes=wishes, start=start, shared=shared)


def _detach(folder: Path) -> None:
    """Print into the run's log and read nothing: the terminal or pipe that we had may end before us."""
    log = os.open(folder / LOG_FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    nothing = os.open(os.devnull, os.O_RDONLY)
    sys.stdout.flush()
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.dup2(nothing, 0)
    os.close(log)
    os.close(nothing)
