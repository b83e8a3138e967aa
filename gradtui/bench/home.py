"""A home of the bench's own: its runs lie there, and with it go they and whoever trains one of them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import site
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from gradtui.bench.errors import CannotMeasure
from gradtui.bench.processes import end_tree
from gradtui.bench.signals import held
from gradtui.bench.terminal import Terminal
from gradtui.experiment import Experiment
from gradtui.runs.errors import RunError
from gradtui.runs.meta import read_meta
from gradtui.runs.status import is_alive
from gradtui.training.launch import create_run


class Home:
    """A temporary $GRADTUI_HOME. To be entered; at its end no process is left that it has started, and no file."""

    def __enter__(self) -> Home:
        with held():
            self.path = Path(tempfile.mkdtemp(prefix="gradtui-bench-"))
            self._afterwards = contextlib.ExitStack()
            self._afterwards.callback(shutil.rmtree, self.path, ignore_errors=True)
            self.runs, self.scratch = self.path / "runs", self.path / "scratch"
            self._afterwards.callback(_end_trainers_of, self.runs)
            for folder in (self.runs, self.scratch):
                folder.mkdir()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._afterwards.close()

    def environment(self) -> dict[str, str]:
        """Of a process that is measured: this home, a terminal of all colours, and nothing that would change what
        the app paints."""
        unwanted = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "CLICOLOR_FORCE")
        environment = {
            name: value
            for name, value in os.environ.items()
            if name not in unwanted and not name.startswith("TEXTUAL")
        }
        source = str(Path(__file__).resolve().parents[2])
        if source not in [*site.getsitepackages(), site.getusersitepackages()]:
            # A checkout that is not installed is found by the children too.
            paths = [source, *filter(None, [environment.get("PYTHONPATH")])]
            environment["PYTHONPATH"] = os.pathsep.join(paths)
        terminal = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        # A trainer that is killed leaves its temporary files, and they shall go as well.
        places = {"GRADTUI_HOME": str(self.path), "TMPDIR": str(self.scratch)}
        return {**environment, **terminal, **places}

    @contextlib.contextmanager
    def terminal(self, size: tuple[int, int], module: str, *words: str) -> Iterator[Terminal]:
        """A program of ours on a terminal of that many columns and lines; it is ended with the block."""
        with contextlib.ExitStack() as afterwards:
            with held():
                terminal = Terminal(_command(module, *words), size, self.environment())
                afterwards.callback(terminal.close)
            yield terminal

    @contextlib.contextmanager
    def running(self, module: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        """A program of ours whose stdin and stdout are ours; it is ended with the block."""
        with contextlib.ExitStack() as afterwards:
            with held():
                child = subprocess.Popen(
                    _command(module, *words),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env=self.environment(),
                    # Ctrl-C is the bench's to hear.
                    start_new_session=True,
                )
                afterwards.callback(_end, child)
            yield child

    def answer_of(self, module: str, *words: str) -> bytes:
        """What a program of ours prints. Raises CannotMeasure where it fails."""
        with self.running(module, *words) as child:
            assert child.stdout is not None
            printed = child.stdout.read()
            if child.wait() != 0:
                raise CannotMeasure(f"{module} ended with {child.returncode}")
        return printed

    def train(self, experiment: Experiment) -> Path:
        """The folder of a run that a real trainer trains until this home ends."""
        folder = create_run(experiment, self.runs)
        # As the app starts one, but in our environment: torch leaves files in its temporary folder.
        with held():
            self._afterwards.enter_context(self.running("gradtui.training", str(folder)))
        return folder


def _command(module: str, *words: str) -> list[str]:
    # -P: a random.py where the person happens to be must not be imported in place of Python's own.
    return [sys.executable, "-P", "-m", module, *words]


def _end_trainers_of(runs: Path) -> None:
    """A trainer that a lab has started outlives it, unless it was known as its child."""
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
            # What was never read by it is lost with it.
            with contextlib.suppress(OSError):
                pipe.close()
