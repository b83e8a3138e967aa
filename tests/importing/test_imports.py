"""Test that the readers of other programs' logs import those programs late, and look through no whole disk."""

from __future__ import annotations

from pathlib import Path

import pytest

import gradtui.importing
import gradtui.runs.export
from gradtui.importing.load import load
from gradtui.importing.log import ImportFailed, files_under
from tests.support.imports import loaded_by, modules_of

HEAVY = {"torch", "textual", "tensorboard", "wandb", "pyarrow", "google"}


def test_importing_needs_no_other_program() -> None:
    assert not loaded_by(*modules_of(gradtui.importing)) & HEAVY


def test_exporting_needs_no_other_program() -> None:
    assert not loaded_by(*modules_of(gradtui.runs.export)) & HEAVY


def test_too_many_files_are_not_looked_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradtui.importing.log.MOST_FILES", 20)
    for folder in "ab":
        (tmp_path / folder).mkdir()
        for number in range(11):
            (tmp_path / folder / f"{number}.txt").touch()
    with pytest.raises(
        ImportFailed, match=f"{tmp_path}: contains more than 20 files; name the folder of the logs"
    ):
        list(load(tmp_path, tmp_path / "runs"))
    assert list(files_under(tmp_path / "a", lambda name: name == "7.txt")) == [tmp_path / "a" / "7.txt"]
