"""Test that every block of code on the page about watching runs unchanged."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

import gradtui
from gradtui.monitor.guard import WatchWarning
from gradtui.runs.reader import Run
from tests.monitor.distributed.launching import launch

PAGE = Path(gradtui.__file__).parent / "monitor" / "README.md"

# What the page says a script has.
HEAD = """
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 12), nn.Tanh(), nn.Linear(12, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
loader = torch.utils.data.DataLoader(
    torch.utils.data.TensorDataset(torch.randn(64, 8), torch.arange(64) % 3), batch_size=4
)


def loss_of(model, batch):
    x, y = batch
    return nn.functional.cross_entropy(model(x), y)
"""


class Block(NamedTuple):
    section: str
    language: str
    code: str


def blocks() -> Iterator[Block]:
    section = ""
    for found in re.finditer(
        r"^#+ ([^\n]+)$|^```(\w*)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL
    ):
        section = found[1] or section
        if found[3]:
            yield Block(section, found[2], found[3])


BLOCKS = list(blocks())
ALONE = [b for b in BLOCKS if b.language == "python" and b.section not in ("DDP", "FSDP2")]
SEVERAL = [b for b in BLOCKS if b.section in ("DDP", "FSDP2")]
SHELL = [b for b in BLOCKS if b.language == "sh"]
LIBRARIES = {"Lightning": "lightning", "Hugging Face's Trainer": "transformers"}


def named(found: list[Block]) -> list[object]:
    return [pytest.param(block, id=f"{block.section} {number}") for number, block in enumerate(found)]


def given(folder: Path, section: str) -> dict[str, Any]:
    """Return the names that a block uses, as the page says that they are there."""
    names: dict[str, Any] = {}
    exec(HEAD, names)
    if section == "Lightning":
        from tests.support.lightning_model import Classifier

        names["lightning_module"] = Classifier()
    if section == "Hugging Face's Trainer":
        from tests.support.transformers_trainer import Classifier as Model
        from tests.support.transformers_trainer import trainer

        made = trainer(folder, Model())
        names |= {"hf_model": made.model, "hf_arguments": made.args, "hf_dataset": made.train_dataset}
    return names


def the_run(root: Path) -> Run:
    """Return the only one."""
    (folder,) = root.iterdir()
    return gradtui.open_run(folder)


def test_every_block_of_the_page_is_tested() -> None:
    assert len(ALONE) + len(SEVERAL) + len(SHELL) == len(BLOCKS) == 17
    assert PAGE.read_text().count("```") == 2 * len(BLOCKS)
    assert {block.section for block in BLOCKS} >= set(LIBRARIES)


@pytest.mark.parametrize("block", named(ALONE))
def test_a_python_block_of_the_page_runs(
    block: Block,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    recwarn: pytest.WarningsRecorder,
) -> None:
    library = LIBRARIES.get(block.section)
    if library is not None and find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    monkeypatch.chdir(tmp_path)
    names = given(tmp_path, block.section)
    before = [p.detach().clone() for p in names["model"].parameters()]
    exec(block.code, names)
    if "probe" in names:
        names["probe"].close()
    run = the_run(home)
    norms = run.layers("grad_norm")[1]
    assert len(norms) >= 1
    assert len(run.layer_names) >= 2
    assert torch.isfinite(torch.from_numpy(norms)).all()
    assert run.status.state == "finished"
    assert not [w for w in recwarn if issubclass(w.category, WatchWarning)]
    if "G" not in names and library is None:
        # The block trains the script's model.
        assert not any(torch.equal(a, b) for a, b in zip(before, names["model"].parameters(), strict=True))


@pytest.mark.long
@pytest.mark.parametrize("block", named(SEVERAL))
def test_a_block_for_several_processes_runs(block: Block, tmp_path: Path) -> None:
    done = launch(tmp_path, block.code, tmp_path, head=HEAD)
    assert done.returncode == 0, done.stderr
    assert "WatchWarning" not in done.stderr
    run = the_run(tmp_path / "runs")
    assert run.layer_names == ["0", "2"]
    assert len(run.layers("grad_norm")[0]) >= 1
    assert run.status.state == "finished"


def shell(folder: Path, code: str) -> str:
    """Run shell code with the Python of the tests, and return what it prints."""
    programs = str(Path(sys.executable).parent)
    environment = {**os.environ, "HOME": str(folder), "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code],
        cwd=folder, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


@pytest.mark.long
def test_the_commands_without_any_line_run(tmp_path: Path, home: Path) -> None:
    (block,) = [block for block in SHELL if block.section == "Without a change of the script"]
    (tmp_path / "train.py").write_text(
        HEAD + ALONE[0].code.replace("import gradtui", "").replace("probe", "# probe")
    )
    commands = [line for line in block.code.splitlines() if "torchrun" not in line]
    assert len(commands) == 2
    for command in commands:
        shell(tmp_path, command)
    runs = [gradtui.open_run(folder) for folder in sorted(home.iterdir())]
    assert [run.name for run in runs] == ["train · Sequential"] * 2
    assert all(run.status.state == "finished" for run in runs)


@pytest.mark.long
def test_the_commands_that_try_a_fix_run(tmp_path: Path, home: Path) -> None:
    (block,) = [block for block in SHELL if block.section == "Try a fix on your own script"]
    (tmp_path / "train.py").write_text(
        HEAD + ALONE[0].code.replace("import gradtui", "").replace("probe", "# probe")
    )
    first, second = block.code.splitlines()
    assert "Ranked by what was measured, against unchanged" in shell(tmp_path, first)
    assert json.loads(shell(tmp_path, second))["runs"][0]["change"] == ""
    assert {gradtui.open_run(folder).change for folder in home.iterdir()} >= {"", "lr=x0.1", "clip=1.0"}


@pytest.mark.long
def test_the_cluster_commands_of_the_page_run(tmp_path: Path) -> None:
    job, login = [block for block in SHELL if block.section == "On a cluster"]
    (tmp_path / "train.py").write_text(HEAD + ALONE[0].code)
    shell(tmp_path, job.code)
    assert the_run(tmp_path / "gradtui" / "runs").status.state == "finished"
    assert "train · Sequential" in shell(tmp_path, login.code)
