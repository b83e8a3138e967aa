"""`gradtui watch --on-finding` runs a command of the person once for each finding."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.support.command_line import gradtui

SCRIPT = """
import torch
model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
optimizer = torch.optim.SGD(model.parameters(), 0.1)
for step in range(30):
    optimizer.zero_grad()
    (model(torch.randn(16, 4)).square().mean() * (float("nan") if step > 10 else 1.0)).backward()
    optimizer.step()
print("trained")
"""


@pytest.mark.long
def test_the_command_gets_each_finding_as_json_and_the_script_keeps_its_output(tmp_path: Path) -> None:
    script, told = tmp_path / "train.py", tmp_path / "told.jsonl"
    script.write_text(SCRIPT)
    command = f"cat >> {told}; echo noticed"
    done = gradtui(tmp_path / "home", "watch", "--on-finding", command, "--", sys.executable, str(script))
    assert (done.returncode, done.stdout) == (0, "trained\n"), done.stderr
    found = [json.loads(line) for line in told.read_text().splitlines()]
    assert "nonfinite" in [finding["code"] for finding in found]
    assert {"code", "severity", "step", "layers", "evidence", "cures"} <= set(found[0])
    assert done.stderr.count("noticed") == len(found)


def test_it_is_refused_together_with_trials(tmp_path: Path) -> None:
    done = gradtui(
        tmp_path, "watch", "--try", "lr=x0.1", "--on-finding", "cat", "--", sys.executable, "-c", "0"
    )
    assert done.returncode == 2
    assert done.stderr.strip().endswith("--on-finding: not together with --try")
