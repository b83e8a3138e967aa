"""Test every kind of process that a training command starts under `gradtui watch`, with real processes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.command_line import GRADTUI
from tests.support.watched_command import Folder

pytestmark = pytest.mark.long

TRAIN = """
    import torch
    from torch import nn

    def train(steps, width=3):
        model = nn.Linear(4, width)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        for _ in range(steps):
            optimizer.zero_grad()
            model(torch.randn(5, 4)).square().mean().backward()
            optimizer.step()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path)
    made.write(TRAIN, "common.py")
    return made


def steps(folder: Folder) -> list[tuple[str, str, int]]:
    """Name, state and number of steps of all runs."""
    return sorted((run.name, run.status.state, run.steps) for run in folder.runs())


def test_workers_that_train_are_recorded_and_those_of_a_data_loader_are_not(folder: Folder) -> None:
    folder.write("""
        import multiprocessing
        from common import nn, torch, train
        from torch.utils.data import DataLoader, Dataset

        class Noise(Dataset):
            def __len__(self):
                return 12

            def __getitem__(self, index):
                train(1)
                return torch.randn(4)

        if __name__ == "__main__":
            model = nn.Linear(4, 2)
            optimizer = torch.optim.SGD(model.parameters(), 0.1)
            for batch in DataLoader(Noise(), 4, num_workers=2):
                optimizer.zero_grad()
                model(batch).square().mean().backward()
                optimizer.step()
            for kind in ("fork", "spawn"):
                worker = multiprocessing.get_context(kind).Process(target=train, args=(len(kind),))
                worker.start()
                worker.join()
    """)
    folder.python("train.py")
    found = sorted((state, count) for _, state, count in steps(folder))
    assert found == [("finished", 3), ("finished", 4), ("finished", 5)]


def test_packages_subprocesses_and_shell_scripts(folder: Folder) -> None:
    folder.write("", "package/__init__.py")
    folder.write("from common import train\ntrain(3)", "package/__main__.py")
    folder.write("from common import train\ntrain(2)", "inner.py")
    folder.write(
        "import subprocess, sys\nfrom common import train\n"
        "subprocess.run([sys.executable, 'inner.py'], check=True)\ntrain(1)",
        "outer.py",
    )
    script = folder.write(f"{sys.executable} -m package\n{sys.executable} outer.py\nexit 5\n", "run.sh")
    assert folder.run("sh", str(script)).returncode == 5
    assert steps(folder) == [
        ("inner · Linear", "finished", 2),
        ("outer · Linear", "finished", 1),
        ("package · Linear", "finished", 3),
    ]


def test_torchrun_makes_one_run_of_two_processes(folder: Folder) -> None:
    folder.write("""
        import torch
        import torch.distributed as dist
        from torch import nn

        dist.init_process_group("gloo")
        torch.manual_seed(dist.get_rank())
        model = nn.parallel.DistributedDataParallel(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)))
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        for _ in range(5):
            optimizer.zero_grad()
            model(torch.randn(5, 4)).square().mean().backward()
            if dist.get_rank() == 0:
                print(*[m.weight.grad.norm().item() for m in (model.module[0], model.module[2])])
            optimizer.step()
        dist.destroy_process_group()
    """)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "train.py"]
    done = folder.run(*command)
    assert done.returncode == 0, done.stderr
    (run,) = folder.runs()
    assert (run.name, run.status.state, run.steps) == ("train · Sequential", "finished", 5)
    assert run.layer_names == ["0", "2"]
    # The weights' part of the norm, of the gradient over both processes, is what rank 0 sees.
    weights = [[float(number) for number in line.split()] for line in done.stdout.splitlines()]
    _, norms = run.layers("grad_norm")
    assert all(
        seen <= recorded * 1.0001
        for row, record in zip(weights, norms, strict=True)
        for seen, recorded in zip(row, record, strict=True)
    )


def test_the_tests_of_a_suite_that_train_are_runs_by_their_names(folder: Folder) -> None:
    folder.write(
        "from common import train\ndef test_it():\n    train(4)\ndef test_nothing():\n    pass", "test_net.py"
    )
    folder.python("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_net.py")
    assert steps(folder) == [("test_net.py::test_it · Linear", "finished", 4)]


@pytest.mark.skipif(find_spec("nbclient") is None or find_spec("ipykernel") is None, reason="needs jupyter")
def test_a_notebook_is_recorded(folder: Folder) -> None:
    import nbformat

    cells = [nbformat.v4.new_code_cell("from common import train\ntrain(4)")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder.path / "net.ipynb")
    folder.python("-m", "jupyter", "execute", "net.ipynb")
    assert steps(folder) == [("Linear", "finished", 4)]


def test_one_within_another_records_once_and_the_inner_options_hold(folder: Folder) -> None:
    folder.write("from common import train\ntrain(4)")
    inner = [*GRADTUI, "watch", "--every-step", "--name", "inner", "--", sys.executable, "train.py"]
    # The outer one judges the runs of the inner one too.
    done = folder.run(*inner, options=("--name", "outer", "--fail-on", "nonfinite"))
    assert done.returncode == 0
    assert "outer" not in done.stderr
    assert steps(folder) == [("inner", "finished", 4)]


def test_the_own_start_up_modules_run_and_only_the_path_is_changed(folder: Folder) -> None:
    folder.write("import builtins\nbuiltins.own_site = 1", "own/sitecustomize.py")
    folder.write("""
        import builtins, os, sys
        import sitecustomize
        print(builtins.own_site, os.path.basename(os.path.dirname(sitecustomize.__file__)))
        print([folder for folder in sys.path if "startup" in folder])
        print(sorted(set(os.environ) - {"GRADTUI_WATCH"}))
        print([name for name in sys.modules if name.startswith(("gradtui", "torch", "numpy"))])
    """)
    own = {"PYTHONPATH": str(folder.path / "own")}
    watched = folder.run(sys.executable, "train.py", extra=own)
    assert watched.stdout == folder.alone(sys.executable, "train.py", extra=own).stdout
    assert watched.stdout.startswith("1 own\n[]\n")
    assert watched.stdout.endswith("[]\n")


def test_before_the_first_backward_pass_nothing_of_gradtui_is_imported(folder: Folder) -> None:
    folder.write("""
        import sys
        from common import nn, torch
        ours = [name for name in sys.modules if name.startswith("gradtui")]
        nn.Linear(2, 2)(torch.randn(1, 2)).sum()
        torch.optim.SGD(nn.Linear(2, 2).parameters(), 0.1)
        print(ours == [name for name in sys.modules if name.startswith("gradtui")] == [])
        print(type(sys.modules["torch.optim.optimizer"].__spec__.loader).__name__)
    """)
    assert folder.python("train.py").stdout == "True\nSourceFileLoader\n"
    assert folder.runs() == []


@pytest.mark.parametrize("fail_on", [[], ["--fail-on", "vanishing"]])
@pytest.mark.parametrize(("number", "caught"), [(signal.SIGINT, True), (signal.SIGTERM, False)])
def test_signals_reach_the_command(
    folder: Folder, number: signal.Signals, caught: bool, fail_on: list[str]
) -> None:
    folder.write("""
        import time
        from common import train
        train(2)
        print("ready", flush=True)
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            print("interrupted", flush=True)
            raise SystemExit(9)
    """)
    process = subprocess.Popen(
        [*GRADTUI, "watch", *fail_on, "--", sys.executable, "train.py"],
        cwd=folder.path,
        env=folder.environment(),
        stdout=subprocess.PIPE,
        text=True,
        # Without a terminal, as under a scheduler.
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert output == ("interrupted\n" if caught else "")
    expected = 9 if caught else 128 + number if fail_on else -number
    assert process.returncode == expected


def test_ctrl_c_on_a_terminal_reaches_the_command_once(folder: Folder) -> None:
    folder.write("""
        import signal, time
        from common import train
        count = 0

        def note(*_):
            global count
            count += 1

        signal.signal(signal.SIGINT, note)
        train(2)
        print("ready", flush=True)
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            time.sleep(0.1)
        print("counted", count, flush=True)
    """)
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [*GRADTUI, "watch", "--fail-on", "nonfinite", "--", sys.executable, "train.py"],
        cwd=folder.path,
        env=folder.environment(),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        preexec_fn=_own_terminal,
    )
    os.close(theirs)
    shown = b""
    while b"ready" not in shown:
        shown += os.read(ours, 1000)
    time.sleep(0.2)
    os.write(ours, b"\x03")
    while b"counted" not in shown:
        shown += os.read(ours, 1000)
    assert b"counted 1" in shown
    assert b"gradtui: recording" in shown
    assert process.wait(60) == 0
    os.close(ours)


def _own_terminal() -> None:
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.mark.parametrize("terminal", [True, False])
def test_gradients_without_a_step_are_said_at_the_end_on_a_terminal(folder: Folder, terminal: bool) -> None:
    folder.write("""
        import torch
        weight = torch.zeros(4, 1, requires_grad=True)
        for _ in range(3):
            (torch.randn(8, 4) @ weight - 1).square().mean().backward()
            with torch.no_grad():
                weight -= 0.1 * weight.grad
            weight.grad = None
    """)
    command = [*GRADTUI, "watch", "--", sys.executable, "train.py"]
    ours, theirs = os.openpty()
    shown = subprocess.run(
        command,
        cwd=folder.path,
        env=folder.environment(),
        stderr=theirs if terminal else subprocess.PIPE,
        timeout=60,
    )
    os.close(theirs)
    said = b""
    with contextlib.suppress(OSError):
        while piece := os.read(ours, 1000):
            said += piece
    os.close(ours)
    assert shown.returncode == 0
    assert (b"no PyTorch optimizer took a step" in said) == terminal
    assert not shown.stderr


def test_a_finding_that_is_named_makes_it_fail(folder: Folder) -> None:
    folder.write("""
        from common import nn, torch
        torch.manual_seed(0)
        layers = [layer for _ in range(20) for layer in (nn.Linear(16, 16), nn.Sigmoid())]
        model = nn.Sequential(*layers)
        optimizer = torch.optim.SGD(model.parameters(), 0.01)
        for _ in range(60):
            optimizer.zero_grad()
            (model(torch.randn(32, 16)) - 0.1).square().mean().backward()
            optimizer.step()
    """)
    found = folder.run(sys.executable, "train.py", options=("--every-step", "--fail-on", "vanishing"))
    assert found.returncode == 3
    recorded, named = found.stderr.splitlines()
    assert recorded.startswith("gradtui: recorded ")
    assert named.startswith("gradtui: vanishing: found in ")
    other = folder.run(
        sys.executable, "train.py", options=("--every-step", "--quiet", "--fail-on", "nonfinite")
    )
    assert (other.returncode, other.stderr) == (0, "")


def test_without_any_step_it_says_so(folder: Folder) -> None:
    done = folder.run(sys.executable, "-c", "print(1)", options=("--fail-on", "vanishing"))
    assert (done.returncode, done.stdout) == (0, "1\n")
    assert done.stderr == "gradtui: no optimizer took a step that could be recorded, so nothing was found\n"
