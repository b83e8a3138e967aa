"""Provide a temporary home for a measurement; its end removes its runs and every process that it started."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, TracebackType

from gradtui.experiment import Experiment
from gradtui.runs.errors import RunError
from gradtui.runs.meta import read_meta
from gradtui.runs.status import is_alive
from gradtui.training.launch import create_run
from tests.benchmarks.figures import CannotMeasure
from tests.benchmarks.processes import end_tree
from tests.benchmarks.terminal import Terminal

SOURCE = Path(__file__).resolve().parents[2]
"""The checkout, where both gradtui and the benchmarks are imported from."""
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Home:
    """A temporary $GRADTUI_HOME, to be entered; no process that it started and no file is left at its end."""

    def __enter__(self) -> Home:
        with delayed():
            self.path = Path(tempfile.mkdtemp(prefix="gradtui-bench-"))
            self._cleanup = contextlib.ExitStack()
            self._cleanup.callback(shutil.rmtree, self.path, ignore_errors=True)
            self.runs, self.scratch = self.path / "runs", self.path / "scratch"
            self._cleanup.callback(_end_trainers_of, self.runs)
            for folder in (self.runs, self.scratch):
                folder.mkdir()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cleanup.close()

    def environment(self) -> dict[str, str]:
        """Return the environment of a measured process: this home, all colours, and no setting of the person's."""
        unwanted = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "CLICOLOR_FORCE")
        environment = {
            name: value
            for name, value in os.environ.items()
            if name not in unwanted and not name.startswith("TEXTUAL")
        }
        paths = [str(SOURCE), *filter(None, [environment.get("PYTHONPATH")])]
        return {
            **environment,
            "PYTHONPATH": os.pathsep.join(paths),
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "GRADTUI_HOME": str(self.path),
            # A trainer that is killed leaves temporary files; they are removed with this home.
            "TMPDIR": str(self.scratch),
        }

    @contextlib.contextmanager
    def terminal(self, size: tuple[int, int], module: str, *words: str) -> Iterator[Terminal]:
        """Run a module on a terminal of that many columns and lines until the block ends."""
        with contextlib.ExitStack() as cleanup:
            with delayed():
                terminal = Terminal(_command(module, *words), size, self.environment())
                cleanup.callback(terminal.close)
            yield terminal

    @contextlib.contextmanager
    def running(self, module: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a module until the block ends; its stdin and stdout are pipes of this process."""
        with contextlib.ExitStack() as cleanup:
            with delayed():
                child = subprocess.Popen(
                    _command(module, *words),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env=self.environment(),
                    # Ctrl-C is for the benchmark alone, which then ends its children.
                    start_new_session=True,
                )
                cleanup.callback(_end, child)
            yield child

    def answer_of(self, module: str, *words: str) -> bytes:
        """Return what a module prints. Raises CannotMeasure where it fails."""
        with self.running(module, *words) as child:
            assert child.stdout is not None
            printed = child.stdout.read()
            if child.wait() != 0:
                raise CannotMeasure(f"{module} ended with {child.returncode}")
        return printed

    def train(self, experiment: Experiment) -> Path:
        """Return the folder of a run that a real trainer trains until this home ends."""
        folder = create_run(experiment, self.runs)
        with delayed():
            self._cleanup.enter_context(self.running("gradtui.training", str(folder)))
        return folder


def _command(module: str, *words: str) -> list[str]:
    # -P: a random.py in the current folder must not be imported instead of Python's own.
    return [sys.executable, "-P", "-m", module, *words]


def _end_trainers_of(runs: Path) -> None:
    """Kill the trainers of these runs: one that a lab has started outlives the lab."""
    for folder in runs.iterdir():
        with contextlib.suppress(RunError, OSError):
            meta = read_meta(folder)
            if meta.pid != os.getpid() and is_alive(folder, meta):
                os.kill(meta.pid, signal.SIGKILL)


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        end_tree(child.pid)
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


# -- Signals: Ctrl-C and its like end the benchmark, but never in the middle of starting or cleaning up.

_delays = 0
_waiting = 0
_stopped = False


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """End the block at the first signal that means "stop", and ignore further ones until the process ends.

    A signal that was ignored before stays ignored.
    """
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    mine = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in mine:
        signal.signal(number, _stop)
    try:
        yield
    finally:
        # After a stop, a second signal would change the exit code.
        if not _stopped:
            for number in mine:
                signal.signal(number, before[number])


@contextlib.contextmanager
def delayed() -> Iterator[None]:
    """Delay a stop signal to the end of the block, so that a process that was just started is known first."""
    global _delays
    _delays += 1
    try:
        yield
    finally:
        _delays -= 1
        if _waiting and not _delays:
            _raise(_waiting)


def _stop(number: int, frame: FrameType | None) -> None:
    global _waiting, _stopped
    _stopped = True
    for each in STOP_SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    _waiting = number
    if not _delays:
        _raise(number)


def _raise(number: int) -> None:
    global _waiting
    _waiting = 0
    # Not KeyboardInterrupt: Python would end itself by the signal instead of the exit code.
    raise SystemExit(128 + number)
