"""Who may import whom, seen from outside: in fresh processes, and by the contracts in pyproject.toml."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import gradtui.diagnosis
import gradtui.experiment
import gradtui.runs

ROOT = Path(__file__).parents[1]


def loaded_by(*modules: str) -> set[str]:
    """Top-level names in sys.modules after importing these in a fresh process."""
    code = f"import sys, {', '.join(modules)}; print(*{{name.split('.')[0] for name in sys.modules}})"
    output = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT
    )
    return set(output.stdout.split())


def modules_of(package: object) -> list[str]:
    """The package and all that lies in it, by name."""
    name, path = package.__name__, package.__path__  # type: ignore[attr-defined]
    return [name, *(module.name for module in pkgutil.walk_packages(path, f"{name}."))]


def test_importing_gradtui_costs_nothing() -> None:
    assert not loaded_by("gradtui") & {"numpy", "textual", "torch", "msgspec", "rich", "plotext"}


def test_help_needs_none_of_the_rooms() -> None:
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
    assert not loaded_by("gradtui.report.page", "gradtui.commands.progress") & {"torch"}


def test_the_app_does_not_import_torch() -> None:
    loaded = loaded_by("gradtui.ui.app")
    assert "textual" in loaded
    assert "torch" not in loaded


def test_the_contracts_hold() -> None:
    lint_imports = Path(sysconfig.get_path("scripts")) / "lint-imports"
    result = subprocess.run([lint_imports], capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
