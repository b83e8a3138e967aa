"""Test `gradtui watch --try` on scripts with a fault, in real processes: the best change, and what stays unchanged."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import gradtui
from tests.support.watched_command import Folder

FAR_TOO_LARGE = """
    import os, sys
    import torch
    from torch import nn

    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 5))
    optimizer = torch.optim.SGD(net.parameters(), lr=20.0)
    true = torch.randn(20, 5)
    taken = 0
    try:
        for step in range(1000):
            x = torch.randn(64, 20)
            loss = nn.functional.cross_entropy(net(x), (x @ true).argmax(1))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            taken += 1
    finally:
        with open(f"{sys.argv[1]}.out", "w") as file:
            file.write(f"{os.environ.get('GRADTUI_TRIAL')} {taken}")
"""

DEEP_WITH_TINY_WEIGHTS = """
    import torch
    from torch import nn

    torch.manual_seed(0)
    layers = [nn.Linear(10, 32), nn.Tanh()]
    for _ in range(14):
        layers += [nn.Linear(32, 32), nn.Tanh()]
    net = nn.Sequential(*layers, nn.Linear(32, 2))
    for layer in net:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    for step in range(1000):
        x = torch.randn(64, 10)
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), (x[:, 0] > 0).long()).backward()
        optimizer.step()
"""


HALF = """
    import torch
    from torch import nn

    torch.manual_seed(0)
    first, last = nn.Linear(8, 16), nn.Linear(16, 1)
    net = nn.ModuleList([first, last])
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    scaler = torch.amp.GradScaler("cpu", init_scale=1.0, enabled=SCALED)
    for step in range(1000):
        x = torch.randn(32, 8)
        # A gradient of 1e-9 is 0 in float16.
        hidden = first(x).tanh().half()
        loss = 1e-9 * (last(hidden.float()) - x[:, :1]).square().mean()
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
"""


@dataclass(frozen=True)
class Tried:
    """What `gradtui watch --try … --json` has printed, and where."""

    folder: Folder
    answer: dict[str, Any]
    stderr: str

    def run(self, change: str) -> dict[str, Any]:
        """Return the run of a change."""
        (found,) = (run for run in self.answer["runs"] if run["change"] == change)
        return found


@pytest.fixture(scope="module")
def too_large(tmp_path_factory: pytest.TempPathFactory) -> Tried:
    folder = Folder(tmp_path_factory.mktemp("large"))
    script = folder.write(FAR_TOO_LARGE)
    before = {path.name: path.read_bytes() for path in folder.path.iterdir()}
    options = ("--try", "lr=x0.01", "--try", "init=he", "--steps", "110", "--jobs", "2", "--json")
    done = folder.run(sys.executable, str(script), "{run}", options=options)
    assert done.returncode == 0, done.stderr
    assert {name: (folder.path / name).read_bytes() for name in before} == before
    return Tried(folder, json.loads(done.stdout), done.stderr)


@pytest.mark.long
def test_a_script_with_a_far_too_large_rate_is_cured_by_a_smaller_one(too_large: Tried) -> None:
    first, second = too_large.answer["ranking"]
    assert (first["change"], first["healed"], first["findings"]) == ("lr=x0.01", True, [])
    assert (second["change"], second["healed"]) == ("init=he", False)
    assert too_large.run("")["findings"]
    assert first["loss"] < 1


@pytest.mark.long
def test_each_trial_ends_after_its_steps_and_the_script_can_keep_its_outputs_apart(too_large: Tried) -> None:
    assert {
        run["change"]: (run["steps"], run["status"], run["exit_code"]) for run in too_large.answer["runs"]
    } == {
        "": (110, "finished", 0),
        "lr=x0.01": (110, "finished", 0),
        "init=he": (110, "finished", 0),
    }
    written = {path.name: path.read_text() for path in too_large.folder.path.glob("*.out")}
    # The last step ends within `optimizer.step()`. One more was left out where the weights were new.
    assert written == {
        "unchanged.out": "unchanged 109",
        "lr-x0.01.out": "lr=x0.01 109",
        "init-he.out": "init=he 110",
    }


@pytest.mark.long
def test_a_changed_run_is_marked_with_its_change(too_large: Tried) -> None:
    unchanged = gradtui.open_run(too_large.run("")["run"])
    run = gradtui.open_run(too_large.run("lr=x0.01")["run"])
    assert (unchanged.change, unchanged.parent) == ("", None)
    assert run.change == "lr=x0.01"
    assert run.name == "train · Sequential · lr=x0.01"
    assert run.parent is not None
    assert run.parent.run == unchanged.folder.name
    assert [event["change"] for event in run.events() if event["event"] == "trial"] == ["lr=x0.01"]
    _, rates = run.scalars("lr")
    assert rates[0] == pytest.approx(0.2)
    listed = too_large.folder.alone(sys.executable, "-m", "gradtui", "runs", "--json")
    assert sorted(row["change"] for row in json.loads(listed.stdout)) == ["", "init=he", "lr=x0.01"]
    page = too_large.folder.alone(sys.executable, "-m", "gradtui", "diagnose", run.folder.name, "--json")
    assert json.loads(page.stdout)["change"] == "lr=x0.01"


@pytest.mark.long
def test_a_deep_net_with_tiny_weights_is_cured_by_what_is_advised(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    script = folder.write(DEEP_WITH_TINY_WEIGHTS)
    done = folder.run(sys.executable, str(script), options=("--try", "all", "--steps", "120"))
    assert done.returncode == 0, done.stderr
    table = done.stdout.splitlines()
    first = next(line for line in table if line.startswith("1  "))
    assert first.split()[1].startswith("init=")
    assert "fixed" in first
    assert any(line.strip().startswith("unchanged") and "vanishing" in line for line in table)
    assert "Gradient of each layer at the last step, unchanged" in table


@pytest.mark.long
@pytest.mark.parametrize("scaled", [True, False], ids=["with a scaler", "without"])
def test_a_loss_scale_brings_back_what_float16_lost_and_the_recorded_norms_are_unscaled(
    tmp_path: Path, scaled: bool
) -> None:
    folder = Folder(tmp_path)
    script = folder.write(HALF.replace("SCALED", str(scaled)))
    options = ("--try", "loss_scale=65536", "--steps", "20", "--json")
    done = folder.run(sys.executable, str(script), options=options)
    assert done.returncode == 0, done.stderr
    runs = [gradtui.open_run(run["run"]) for run in json.loads(done.stdout)["runs"]]
    lost, found = (run.layers("grad_norm")[1] for run in runs)
    assert runs[0].layer_names == ["0", "1"]
    assert (lost[:, 0] == 0).all()
    # The first step still has the scale of before.
    assert (found[2:, 0] > 0).all()
    assert found[2:].max() == pytest.approx(lost[2:].max(), rel=0.5)
    # So are the losses.
    assert found[2:].max() < 1e-7
    losses = [run.scalars("loss")[1] for run in runs]
    assert losses[1][2:] == pytest.approx(losses[0][2:], rel=0.5)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--try", "lr=fast"), "--try: lr=fast: expected lr=0.01 or x0.1"),
        (("--try", "lr=x2", "--try", "lr=x2"), "--try: lr=x2 is given twice"),
        (("--try", "warmup=300"), "--try: warmup=300: the trial has only 200 steps"),
        (("--try", "clip=1", "--steps", "0"), "--steps: 0 is not allowed"),
        (("--try", "clip=1", "--jobs", "0"), "--jobs: 0 is not allowed"),
        (("--try", "clip=1", "--fail-on", "spikes"), "--fail-on: not together with --try"),
        (("--steps", "20"), "--steps: only together with --try"),
        (("--json",), "--json: only together with --try"),
    ],
)
def test_what_cannot_be_tried_is_refused_before_anything_starts(
    tmp_path: Path, options: tuple[str, ...], expected: str
) -> None:
    folder = Folder(tmp_path)
    done = folder.run(sys.executable, "-c", "open('started', 'w')", options=options)
    assert done.returncode == 2
    assert done.stdout == ""
    assert expected in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "started").exists()


@pytest.mark.long
def test_a_change_that_the_optimizer_has_not_is_refused_before_its_first_step(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    script = folder.write(FAR_TOO_LARGE)
    done = folder.run(
        sys.executable, str(script), "{run}", options=("--try", "lr=x2", "--try", "betas=0.9,0.9")
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "gradtui: --try betas=0.9,0.9: SGD has no betas\n"
    assert [path.read_text() for path in tmp_path.glob("*.out")] == ["unchanged 0"]
    assert folder.runs() == []


@pytest.mark.long
def test_a_command_that_trains_nothing_fails_with_what_it_said_last(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    done = folder.run(sys.executable, "-c", "raise SystemExit('no data here')", options=("--try", "clip=1"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "exit code 1: no data here" in done.stderr
    missing = folder.run("no-such-command", options=("--try", "clip=1"))
    assert missing.returncode == 2
    assert "no-such-command: no such command" in missing.stderr
    (tmp_path / "train.py").write_text("print(1)")
    script = folder.run("train.py", options=("--try", "clip=1"))
    assert script.returncode == 2
    assert "train.py: is not a command; write python train.py instead" in script.stderr
