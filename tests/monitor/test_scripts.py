"""Published kinds of training scripts, with one added line, are watched from a second process while they run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import gradtui
from gradtui.runs.follower import Follower
from gradtui.runs.library import list_runs
from gradtui.runs.reader import Run

SCRIPTS = Path(__file__).parent / "scripts"
FIRST_AND_LAST = {
    "gpt": ("transformer.h.0.attn", "transformer.h.3.mlp"),
    "conv": ("conv1", "fc2"),
    "gan": ("generator.main.0", "generator.main.6"),
    "lstm": ("rnn", "decoder"),
    "residual": ("blocks.0.fc1", "blocks.498.fc2"),
}
LAYERS = {
    "gpt": [
        "transformer.wte",
        "transformer.wpe",
        *(f"transformer.h.{block}.{part}" for block in range(4) for part in ("ln_1", "attn", "ln_2", "mlp")),
        "transformer.ln_f",
    ],
    "conv": ["conv1", "conv2", "fc1", "fc2"],
    "gan": [
        *(f"generator.main.{at}" for at in (0, 1, 3, 4, 6)),
        *(f"discriminator.main.{at}" for at in (0, 2, 3, 5)),
    ],
    "lstm": ["encoder", "rnn", "decoder"],
    "residual": [
        "stem",
        *(f"blocks.{block}.{part}" for block in range(499) for part in ("fc1", "fc2")),
        "head",
    ],
}


def begun(root: Path, process: subprocess.Popen[str]) -> Run:
    """Return the run of a script once it exists."""
    while not (found := list_runs(root)):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    return gradtui.open_run(found[0].run)


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("gpt", 120),
        pytest.param("conv", 96, marks=pytest.mark.long),
        ("gan", 150),
        pytest.param("lstm", 120, marks=pytest.mark.long),
        pytest.param("residual", 200, marks=pytest.mark.long),
    ],
)
@pytest.mark.long
def test_a_published_script_is_watched_while_it_runs(tmp_path: Path, name: str, steps: int) -> None:
    environment = {**os.environ, "GRADTUI_HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, str(SCRIPTS / f"{name}.py"), str(steps)],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Some fifty lines: the script cannot get further ahead of who reads what it prints.
        pipesize=4096,
    ) as process:
        follower = Follower(begun(tmp_path / "runs", process))
        live, lines = [], []
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            lines.append(line)
            snapshot = follower.poll()
            if snapshot is not None and snapshot.status.state == "running":
                live.append(snapshot.step)
            time.sleep(0.01)
        errors = process.stderr.read()
    assert errors == ""
    # It was seen to grow.
    assert len(set(live)) > 1
    (info,) = list_runs(tmp_path / "runs")
    run = gradtui.open_run(info.run)
    assert (run.name, run.status.state) == (name, "finished")
    assert run.layer_names == LAYERS[name]
    said = np.array([[float(word) for word in line.split()] for line in lines])
    recorded, norms = run.layers("grad_norm")
    assert recorded[0] == 1
    # How many the budget allows is a matter of the machine and of what else it does.
    assert len(recorded) >= 2
    expected = said[recorded - 1]
    np.testing.assert_array_equal(expected[:, 0], recorded)
    np.testing.assert_allclose(run.scalars("grad_norm")[1], expected[:, 2], rtol=1e-4)
    for column, layer in enumerate(FIRST_AND_LAST[name], 3):
        measured = norms[:, run.layer_names.index(layer)]
        np.testing.assert_allclose(measured, expected[:, column], rtol=1e-4)
    if name in ("gpt", "lstm", "residual"):
        logged, losses = run.scalars("loss")
        np.testing.assert_array_equal(logged, np.arange(1, steps + 1))
        np.testing.assert_allclose(losses, said[:, 1], rtol=1e-4)
    if name in ("gpt", "lstm"):
        limit = {"gpt": 1.0, "lstm": 0.25}[name]
        after = run.scalars("grad_norm_clipped")[1]
        np.testing.assert_allclose(after, np.minimum(expected[:, 2], limit), rtol=1e-3)
