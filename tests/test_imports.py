"""Test which packages may import which, in fresh processes and by the contracts in pyproject.toml."""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path

import pytest

import gradtui.diagnosis
import gradtui.experiment
import gradtui.runs
from tests.support.imports import loaded_by, modules_of

ROOT = Path(__file__).parents[1]


def test_importing_gradtui_costs_nothing() -> None:
    assert not loaded_by("gradtui") & {"numpy", "textual", "torch", "msgspec", "rich", "plotext"}


def test_help_imports_no_subpackage_with_dependencies() -> None:
    assert not loaded_by("gradtui.cli") & {"numpy", "textual", "torch", "msgspec", "rich", "plotext"}


def test_an_experiment_needs_no_numpy() -> None:
    assert not loaded_by(*modules_of(gradtui.experiment)) & {"numpy", "torch", "textual"}


@pytest.mark.parametrize("package", [gradtui.runs, gradtui.diagnosis])
def test_runs_and_diagnosis_need_neither_torch_nor_textual(package: object) -> None:
    loaded = loaded_by(*modules_of(package))
    assert "numpy" in loaded
    assert not loaded & {"torch", "textual", "rich", "plotext"}


def test_starting_a_trainer_does_not_import_torch() -> None:
    assert not loaded_by("gradtui.training.launch") & {"torch", "numpy", "textual"}


def test_reports_do_not_import_torch() -> None:
    assert not loaded_by("gradtui.report.run_page", "gradtui.commands.progress", "gradtui.commands.run") & {
        "torch"
    }


def test_the_app_does_not_import_torch() -> None:
    loaded = loaded_by("gradtui.ui.app")
    assert "textual" in loaded
    assert "torch" not in loaded


def test_the_contracts_hold() -> None:
    lint_imports = Path(sysconfig.get_path("scripts")) / "lint-imports"
    result = subprocess.run([lint_imports], capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
