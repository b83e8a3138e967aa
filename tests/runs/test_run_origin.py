"""Test start.json and the parent of a run before and after the trainer has started."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gradtui.runs.errors import RunError
from gradtui.runs.folder import EXPERIMENT_FILE, RUN_FILE, START_FILE
from gradtui.runs.library import list_runs
from gradtui.runs.meta import Parent, RunOrigin, read_meta, read_origin, write_origin
from gradtui.runs.reader import open_run
from tests.support.run_folders import describe

FORK = RunOrigin(
    parent=Parent("20260101-000000-x", 120, "relu"), checkpoint="checkpoints/parent-000000120.safetensors"
)


@pytest.mark.parametrize(
    "start", [RunOrigin(), FORK, RunOrigin(preflight=True), RunOrigin(parent=Parent("a", 0))]
)
def test_written_origin_is_read_back(tmp_path: Path, start: RunOrigin) -> None:
    write_origin(tmp_path, start)
    assert read_origin(tmp_path) == start


def test_run_without_a_parent_has_no_start_json(tmp_path: Path) -> None:
    assert read_origin(tmp_path) == RunOrigin()


@pytest.mark.parametrize("content", [b"", b"[]", b'{"parent": {"run": "a"}}', b"\xff"])
def test_corrupt_start_json_raises_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / START_FILE).write_bytes(content)
    with pytest.raises(RunError) as caught:
        read_origin(tmp_path)
    assert str(tmp_path / START_FILE) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_parent_is_known_before_the_trainer_has_come_and_afterwards(tmp_path: Path) -> None:
    folder = tmp_path / "fork"
    folder.mkdir()
    (folder / EXPERIMENT_FILE).touch()
    assert open_run(folder).parent is None
    write_origin(folder, FORK)
    assert open_run(folder).parent == FORK.parent
    describe(folder, parent=FORK.parent)
    assert open_run(folder).parent == FORK.parent
    assert [info.parent for info in list_runs(tmp_path)] == [FORK.parent]


def test_run_json_says_run_and_step_and_a_cure_only_where_there_is_one(tmp_path: Path) -> None:
    for parent, told in (
        (Parent("a", 7), {"run": "a", "step": 7}),
        (Parent("a", 0, "relu"), {"run": "a", "step": 0, "cure": "relu"}),
    ):
        describe(tmp_path, parent=parent)
        assert json.loads((tmp_path / RUN_FILE).read_bytes())["parent"] == told


def test_a_folder_of_an_older_gradtui_opens(tmp_path: Path) -> None:
    describe(tmp_path)
    old = json.loads((tmp_path / RUN_FILE).read_bytes())
    del old["parent"], old["preflight"]
    (tmp_path / RUN_FILE).write_text(json.dumps(old))
    assert (read_meta(tmp_path).parent, read_meta(tmp_path).preflight) == (None, False)
    assert open_run(tmp_path).parent is None
