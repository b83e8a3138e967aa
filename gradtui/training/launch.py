"""Create runs and start their trainers, from a process that must never import torch.

A trainer runs in a session of its own and uses only its run's folder, so it survives the process that started it. A
`Standby` has imported torch already and waits for one run; a `Worker` trains many, one at a time. Both end when their
parent ends in any way, because they read from a pipe that only their parent holds open.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import site
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gradtui.runs.folder import EXPERIMENT_FILE, LOG_FILE, new_folder, runs_root
from gradtui.runs.run_lock import INHERITED_VARIABLE
from gradtui.runs.safe_files import make_subfolder, open_file, replacing
from gradtui.runs.scratch import Scratch

if TYPE_CHECKING:
    from gradtui.experiment import Experiment
    from gradtui.runs.meta import Parent


def create_run(
    exp: Experiment,
    root: Path | None = None,
    *,
    parent: Parent | None = None,
    checkpoint: Path | None = None,
    preflight: bool = False,
    share: bool = False,
) -> Path:
    """Make the folder of a new run in `root` (by default where runs are kept) and write down what to train.

    Args:
        parent: the run that this one is compared with, for run.json.
        checkpoint: a checkpoint of the parent, from which the run continues instead of starting with fresh weights. It
            is copied into the run's folder, so the parent may be deleted. `forks.create` also checks whether the run
            can continue from it.
        preflight: whether the trainer only measures one batch at initialisation, and trains nothing.
        share: whether the group may read the run.

    Raises OSError where the folder cannot be made.
    """
    from gradtui.runs.meta import RunOrigin, write_origin

    folder = new_folder(runs_root() if root is None else root, exp.name, share=share)
    try:
        taken = "" if checkpoint is None else _link_or_copy(checkpoint, folder, parent.step if parent else 0)
        start = RunOrigin(parent, taken, preflight)
        if start != RunOrigin():
            write_origin(folder, start)
        write_experiment(folder, exp)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def _link_or_copy(checkpoint: Path, folder: Path, step: int) -> str:
    """Link a file into the new run's folder, or copy it there. Returns its path in that folder.

    Checkpoints are replaced and deleted, never changed, so two runs can share one.
    """
    from gradtui.training.checkpoints.files import parent_path

    path = parent_path(folder, step)
    make_subfolder(path.parent)
    try:
        os.link(checkpoint, path)
    except OSError:
        # The folder is on another disk, or on one without hard links.
        with checkpoint.open("rb") as source, replacing(path) as copy:
            shutil.copyfileobj(source, copy)
    return str(path.relative_to(folder))


def write_experiment(folder: Path, exp: Experiment) -> None:
    """Write the experiment of a new run, or of a run that is resumed with changes such as more steps. Raises OSError.

    A reader sees either the old or the new file.
    """
    from gradtui.experiment import dumps

    with replacing(folder / EXPERIMENT_FILE) as file:
        file.write(dumps(exp).encode())


class Trainer:
    """A Trainer is a trainer process that this process started. Its results are in its run's folder."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self.folder = folder
        self._process = process

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    def poll(self) -> int | None:
        """Return None while it runs, then its exit code: 1 if the training failed, negative if a signal ended it."""
        return self._process.poll()

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return the exit code. Raises subprocess.TimeoutExpired after `timeout` seconds."""
        return self._process.wait(timeout)

    def terminate(self) -> None:
        """Ask the process to end."""
        self._process.terminate()

    def kill(self) -> None:
        """Kill the process at once."""
        self._process.kill()


def start_trainer(folder: Path, processes: int = 1, lock: int | None = None) -> Trainer:
    """Start a trainer of the run in `folder`; a run that was trained before continues from its newest checkpoint.

    Several `processes` share each batch (see distributed). The trainer inherits the `lock` of the run (see run_lock).

    Raises OSError where no process or log can be made.
    """
    with os.fdopen(open_file(folder / LOG_FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "ab") as log:
        process = subprocess.Popen(
            trainer_command(str(folder.resolve()), processes=processes),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=trainer_environment() | ({} if lock is None else {INHERITED_VARIABLE: str(lock)}),
            pass_fds=() if lock is None else (lock,),
        )
    return Trainer(process, folder)


class Standby:
    """A Standby is a trainer without a run yet: it has imported torch, and waits for one folder.

    Keep one while the screens are open, and a new one as soon as it has been used.
    """

    def __init__(self) -> None:
        """Start the process and return at once. Raises OSError where no process can be made."""
        # This process owns the folder, because the standby may be killed before it can remove it.
        self._scratch = Scratch()
        try:
            self._process = _spawn("--standby", str(self._scratch.path))
        except OSError:
            self._scratch.remove()
            raise
        self._ready = False

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    @property
    def ready(self) -> bool:
        """Return whether it has imported torch and waits. Does not block."""
        return self.wait(0)

    def wait(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds until it is ready. Returns whether it is."""
        stdout = self._process.stdout
        if not self._ready and stdout is not None and not stdout.closed:
            readable, _, _ = select.select([stdout], [], [], timeout)
            # When the process ends, the pipe is readable too, and empty.
            self._ready = bool(readable) and os.read(stdout.fileno(), 16).startswith(b"ready")
        return self._ready and self._process.poll() is None

    def start(self, folder: Path) -> Trainer:
        """Make it the trainer of the run in `folder`, even while it is still importing. Call this only once.

        If the standby has ended, an ordinary trainer is started. Raises OSError as `start_trainer` does.
        """
        process, stdin = self._process, self._process.stdin
        if stdin is None or stdin.closed:
            raise RuntimeError("a standby takes one run only")
        sent = process.poll() is None
        if sent:
            try:
                stdin.write(os.fsencode(folder.resolve()) + b"\n")
                stdin.flush()
            except BrokenPipeError:
                sent = False
        _close_pipes(self._process)
        # The process itself removes the folder, as soon as it has warmed up.
        self._scratch.let_go()
        if sent:
            return Trainer(process, folder)
        process.wait()
        return start_trainer(folder)

    def close(self) -> None:
        """End the process, unless it has become a trainer."""
        stdin = self._process.stdin
        if stdin is None or stdin.closed:
            return
        _close_pipes(self._process)
        # The process would notice the end of its input, but only after it has imported torch.
        self._process.kill()
        self._process.wait()
        self._scratch.remove()


class Worker:
    """A Worker is a trainer process for many runs, one at a time.

    When its parent ends in any way, it ends after its present run.
    """

    def __init__(self, *, tied: bool = False) -> None:
        """Start the process and return at once. Raises OSError where no process can be made.

        `tied`: when its parent ends, the present run ends too, after its present step.
        """
        self._process = _spawn("--tied-worker" if tied else "--worker")
        self._run: WorkerRun | None = None

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Return whether the process runs."""
        return self._process.poll() is None

    @property
    def free(self) -> bool:
        """Return whether it runs and can take a run. After a failed run it ends."""
        return (self._run is None or self._run.poll() == 0) and self.alive

    def start(self, folder: Path) -> WorkerRun:
        """Train the run in `folder`, if the worker is free. Raises OSError where it has ended meanwhile."""
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(os.fsencode(folder.resolve()) + b"\n")
        stdin.flush()
        self._run = WorkerRun(self._process)
        return self._run

    def close(self) -> None:
        """Close its input, so that it ends now or after its present run."""
        _close_pipes(self._process)

    def kill(self) -> None:
        """Kill the process, even in the middle of its present run."""
        self._process.kill()
        self._process.wait()
        self.close()


class WorkerRun:
    """A WorkerRun is one run of a worker."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._code: int | None = None

    def poll(self) -> int | None:
        """Return None while it is trained, then the exit code; it is negative if a signal ended the worker in the run.

        It does not block.
        """
        if self._code is None:
            self._code = self._answer()
        return self._code

    def _answer(self) -> int | None:
        stdout = self._process.stdout
        if stdout is None or stdout.closed:
            return self._process.poll()
        readable, _, _ = select.select([stdout], [], [], 0)
        if not readable:
            return None
        # There is one run at a time, so one short line; when the worker ends, the pipe is readable and empty.
        line = os.read(stdout.fileno(), 16)
        return int(line) if line.endswith(b"\n") else self._process.wait()


def _spawn(*arguments: str) -> subprocess.Popen[bytes]:
    """Start a trainer process that reads the folders of its runs from stdin and answers on stdout."""
    return subprocess.Popen(
        trainer_command(*arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=trainer_environment(),
    )


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def trainer_command(*arguments: str, processes: int = 1) -> list[str]:
    """Return the command line of a trainer."""
    # With -P, a random.py in the current folder is not imported instead of Python's own.
    python = [sys.executable, "-P", "-u", "-m"]
    if processes > 1:
        return [*python, "gradtui.training.distributed.agent", *arguments, str(processes)]
    return [*python, "gradtui.training", *arguments]


def trainer_environment() -> dict[str, str]:
    """Return the environment of a trainer: that of this process, if necessary with the path of gradtui.

    So a trainer also finds a gradtui that was imported from a checkout and is not installed.
    """
    home = str(Path(__file__).resolve().parents[2])
    environment = dict(os.environ)
    if home not in [*site.getsitepackages(), site.getusersitepackages()]:
        others = environment.get("PYTHONPATH", "")
        environment["PYTHONPATH"] = f"{home}{os.pathsep}{others}" if others else home
    return environment
