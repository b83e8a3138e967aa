"""What every test shares: a home of its own, so that no test sees or touches the person's runs."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh GRADTUI_HOME."""
    folder = tmp_path / "home"
    monkeypatch.setenv("GRADTUI_HOME", str(folder))
    return folder
