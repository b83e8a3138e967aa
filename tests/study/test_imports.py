"""A study starts trainers and reads runs: it needs neither torch nor the screens, seen in a fresh process."""

from __future__ import annotations

import gradtui.study
from tests.support.imports import loaded_by, modules_of


def test_a_study_needs_neither_torch_nor_textual() -> None:
    loaded = loaded_by(*modules_of(gradtui.study))
    assert "numpy" in loaded
    assert not loaded & {"torch", "textual", "rich", "plotext"}
