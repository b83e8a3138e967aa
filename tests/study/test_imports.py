"""Test in a fresh process that the study package loads neither torch nor the screens."""

from __future__ import annotations

import gradtui.study
from tests.support.imports import loaded_by, modules_of


def test_importing_studies_loads_neither_torch_nor_textual() -> None:
    loaded = loaded_by(*modules_of(gradtui.study))
    assert "numpy" in loaded
    assert not loaded & {"torch", "textual", "rich", "plotext"}
