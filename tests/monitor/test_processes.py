"""Test real processes: the run ends with its script, children write nothing, and commands arrive."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

import gradtui
from gradtui.runs.library import list_runs
from gradtui.runs.reader import Run

BEGINNING = """
    import os, sys, time
    import torch
    from torch import nn
    import gradtui

    def step(model, optimizer):
        optimizer.zero_grad()
        model(torch.randn(8, 4)).square().sum().backward()
        optimizer.step()
"""
WATCHED = """
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    probe = gradtui.watch(model, optimizer, budget=None)
"""


def start(tmp_path: Path, body: str, beginning: str = BEGINNING + WATCHED) -> subprocess.Popen[str]:
    """Start a script with this body in a process of its own."""
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(beginning) + textwrap.dedent(body))
    environment = {**os.environ, "GRADTUI_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, str(script)],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def the_run(tmp_path: Path) -> Run:
    """Return the only run."""
    (found,) = list_runs(tmp_path / "home" / "runs")
    return gradtui.open_run(found.run)


def wait_for_step(tmp_path: Path, step: int) -> Run:
    """Return the run after it has taken `step` steps."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        runs = list_runs(tmp_path / "home" / "runs")
        if runs and runs[0].steps >= step:
            return gradtui.open_run(runs[0].run)
        time.sleep(0.05)
    raise AssertionError("the script has not taken so many steps")


@pytest.mark.long
def test_the_run_of_a_script_that_ends_is_finished(tmp_path: Path) -> None:
    process = start(tmp_path, "for _ in range(7): step(model, optimizer)")
    assert process.communicate(timeout=60) == ("", "")
    run = the_run(tmp_path)
    assert (run.status.state, run.steps) == ("finished", 7)
    assert run.name == "script · Sequential"
    assert run.meta is not None
    assert run.meta.kind == "script"


@pytest.mark.long
def test_the_run_of_a_script_that_fails_names_the_error(tmp_path: Path) -> None:
    process = start(tmp_path, "step(model, optimizer); raise ValueError('no such luck')")
    assert "no such luck" in process.communicate(timeout=60)[1]
    status = the_run(tmp_path).status
    assert (status.state, status.reason, status.step) == ("failed", "ValueError: no such luck", 1)


@pytest.mark.long
def test_every_step_before_an_exit_without_handlers_is_kept(tmp_path: Path) -> None:
    """`os._exit` and forked workers run no exit handlers; a forked child ends no run of its parent."""
    body = """
        import multiprocessing

        def train(how, code=0):
            model = nn.Linear(4, 2)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
            probe = gradtui.watch(model, optimizer, budget=None, name=how)
            for _ in range(20): step(model, optimizer)
            if how.startswith("exit"): os._exit(code)
            if how == "raises": raise ValueError("in a worker")
            if how == "parent":
                if os.fork() == 0: os._exit(3)
                os.wait()
                for _ in range(20): step(model, optimizer)
                own = os._exit
                probe.close()
                assert os._exit is not own and os._exit.__module__ == "posix"
            return model, optimizer, probe

        for arguments in (("exit 0",), ("exit 5", 5), ("returns",), ("raises",)):
            worker = multiprocessing.get_context("fork").Process(target=train, args=arguments)
            worker.start()
            worker.join()
            assert worker.exitcode == {"exit 5": 5, "raises": 1}.get(arguments[0], 0)
        train("parent")
        kept = [train(name) for name in ("open a", "open b")]
    """
    process = start(tmp_path, body, BEGINNING)
    assert "in a worker" in process.communicate(timeout=60)[1]
    assert process.returncode == 0
    runs = {info.name: gradtui.open_run(info.run) for info in list_runs(tmp_path / "home" / "runs")}
    found = {name: (run.status.state, run.status.reason, run.steps) for name, run in runs.items()}
    assert found == {
        "exit 0": ("finished", "", 20),
        "exit 5": ("failed", "the process ended itself with exit code 5", 20),
        "returns": ("finished", "", 20),
        "raises": ("failed", "ValueError: in a worker", 20),
        "parent": ("finished", "", 40),
        "open a": ("finished", "", 20),
        "open b": ("finished", "", 20),
    }
    assert all(len(run.layers("grad_norm")[0]) == run.steps for run in runs.values())


@pytest.mark.long
def test_the_with_block_records_how_it_ended(tmp_path: Path) -> None:
    body = """
        for number in range(2):
            model = nn.Linear(4, 2)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            try:
                with gradtui.watch(model, optimizer, name=f"part {number}") as probe:
                    step(model, optimizer)
                    if number:
                        raise RuntimeError("half way")
            except RuntimeError:
                pass
            step(model, optimizer)
    """
    assert start(tmp_path, body, BEGINNING).communicate(timeout=60) == ("", "")
    runs = {info.name: info.status for info in list_runs(tmp_path / "home" / "runs")}
    assert (runs["part 0"].state, runs["part 0"].step) == ("finished", 1)
    assert (runs["part 1"].state, runs["part 1"].reason) == ("failed", "RuntimeError: half way")


def test_ctrl_c_ends_the_script_at_once(tmp_path: Path) -> None:
    process = start(tmp_path, "for _ in range(100_000): step(model, optimizer)")
    wait_for_step(tmp_path, 10)
    process.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in process.communicate(timeout=10)[1]
    status = the_run(tmp_path).status
    assert (status.state, status.reason) == ("stopped", "interrupted (Ctrl-C)")


@pytest.mark.long
def test_the_run_of_a_killed_script_has_died(tmp_path: Path) -> None:
    process = start(tmp_path, "for _ in range(100_000): step(model, optimizer)")
    run = wait_for_step(tmp_path, 10)
    assert run.status.state == "running"
    process.kill()
    process.communicate(timeout=60)
    assert run.status.state == "died"
    assert np.isfinite(run.layers("grad_norm")[1]).all()


@pytest.mark.long
@pytest.mark.parametrize("how", ["fork", "spawn"])
def test_child_processes_write_nothing(tmp_path: Path, how: str) -> None:
    body = f"""
        import torch.multiprocessing as multiprocessing

        def train(model, optimizer):
            for _ in range(20):
                step(model, optimizer)

        class Data(torch.utils.data.Dataset):
            def __len__(self):
                return 40
            def __getitem__(self, index):
                return torch.full((4,), float(index))

        def main():
            torch.manual_seed(0)
            model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2))
            optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
            probe = gradtui.watch(model, optimizer, budget=None)
            # Before the first step, and after it.
            for _ in range(2):
                child = multiprocessing.get_context("{how}").Process(target=train, args=(model, optimizer))
                child.start()
                child.join()
                assert child.exitcode == 0, child.exitcode
                loader = torch.utils.data.DataLoader(
                    Data(), batch_size=8, num_workers=2, multiprocessing_context="{how}"
                )
                for batch in loader:
                    optimizer.zero_grad()
                    model(batch).sum().backward()
                    optimizer.step()
                    probe.log(loss=0.5)

        if __name__ == "__main__":
            main()
    """
    assert start(tmp_path, body, BEGINNING).communicate(timeout=120) == ("", "")
    run = the_run(tmp_path)
    assert run.status.state == "finished"
    np.testing.assert_array_equal(run.layers("grad_norm")[0], np.arange(1, 11))
    np.testing.assert_array_equal(run.scalars("loss")[0], np.arange(1, 11))
    assert [event["event"] for event in run.events()].count("end") == 1


@pytest.mark.long
def test_commands_reach_a_script_that_asks_for_them(tmp_path: Path) -> None:
    from gradtui.runs.control import send

    body = """
        while True:
            commands = probe.control()
            if commands.lr is not None:
                optimizer.param_groups[0]["lr"] = commands.lr
            if commands.clip is not None:
                print("clip", commands.clip, flush=True)
            if commands.stop:
                break
            if commands.paused:
                time.sleep(0.01)
                continue
            step(model, optimizer)
            time.sleep(0.005)
    """
    process = start(tmp_path, body)
    run = wait_for_step(tmp_path, 5)
    send(run.folder, "set", set={"optimizer.lr": 0.005, "cures.clip_norm": 2, "optimizer.momentum": 0.5})
    deadline = time.monotonic() + 30
    while run.scalars("lr")[1][-1] != np.float32(0.005) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert run.scalars("lr")[1][-1] == np.float32(0.005)
    send(run.folder, "pause")
    while run.status.state != "paused" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert run.status.state == "paused"
    time.sleep(0.2)
    paused_at = run.steps
    send(run.folder, "step")
    while run.steps < paused_at + 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)
    assert run.steps == paused_at + 1
    send(run.folder, "stop")
    assert process.communicate(timeout=30)[0] == "clip 2.0\n"
    told = [(e["wish"], e.get("set")) for e in run.events() if e["event"] in ("control", "refused")]
    assert told == [
        ("set", {"optimizer.momentum": 0.5}),
        ("set", {"optimizer.lr": 0.005, "cures.clip_norm": 2.0}),
        ("pause", None),
        ("step", None),
        ("stop", None),
    ]
    assert run.status.state == "finished"
