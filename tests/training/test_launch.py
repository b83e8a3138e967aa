"""Test the creation of runs and the imports of the starting process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from gradtui.experiment import load
from gradtui.runs.folder import EXPERIMENT_FILE, runs_root
from gradtui.training.launch import create_run
from tests.support.trainings import small


def test_a_new_run_holds_the_experiment() -> None:
    exp = small()
    folder = create_run(exp)
    assert folder.parent == runs_root()
    assert load(folder / EXPERIMENT_FILE) == exp


def test_simultaneous_runs_have_different_folders(tmp_path: Path) -> None:
    assert create_run(small(), tmp_path) != create_run(small(), tmp_path)


def test_starting_trainers_needs_neither_torch_nor_numpy() -> None:
    code = (
        "import sys; from gradtui.training import launch; from gradtui.experiment import resolve;"
        "launch.create_run(resolve('sigmoid-20'));"
        "print([m for m in ('torch', 'numpy', 'textual') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
