"""Test that the readers of other programs' logs import those programs late."""

from __future__ import annotations

import gradtui.importing
import gradtui.runs.export
from tests.support.imports import loaded_by, modules_of

HEAVY = {"torch", "textual", "tensorboard", "wandb", "pyarrow", "google"}


def test_importing_needs_no_other_program() -> None:
    assert not loaded_by(*modules_of(gradtui.importing)) & HEAVY


def test_exporting_needs_no_other_program() -> None:
    assert not loaded_by(*modules_of(gradtui.runs.export)) & HEAVY
