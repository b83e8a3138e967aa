"""Test a folder that is copied while it is written: the copy always becomes equal to the folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradtui.runs.safe_files import replacing
from gradtui.runs.writer import RunWriter
from gradtui.study.engines.folder_copy import FileChange, FolderChanges, apply_changes


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def there(tmp_path: Path) -> Path:
    folder = tmp_path / "there"
    folder.mkdir()
    return folder


@pytest.fixture
def here(tmp_path: Path) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


def test_growing_run_is_copied_row_by_row_each_byte_once(there: Path, here: Path) -> None:
    changes = FolderChanges(there)
    writer = RunWriter(there, {"grad_norm": ("a", "b")})
    travelled = 0
    for step in range(1, 200):
        writer.append("grad_norm", step, np.array([step, 2.0 * step]))
        if step % 7 == 0:
            writer.flush()
            new = changes.collect()
            travelled += sum(len(one.data or b"") for one in new)
            apply_changes(here, new)
    writer.event("end", status="finished", reason="")
    writer.close()
    new = changes.collect()
    travelled += sum(len(one.data or b"") for one in new)
    apply_changes(here, new)
    assert contents(here) == contents(there)
    assert travelled == sum(map(len, contents(there).values())), "each byte once"
    assert changes.collect() == []


def grow(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def replace(path: Path, data: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as file:
        file.write(data)


def cut(path: Path, data: bytes) -> None:
    """Cut the file, as a resumed run cuts off the rows after its checkpoint."""
    if path.exists():
        os.truncate(path, path.stat().st_size // 2)


def remove(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)


ACTS: list[tuple[Callable[[Path, bytes], None], str]] = [
    *((act, name) for act in (grow, cut, remove) for name in ("grad_norm.f32", "events.jsonl")),
    *((act, name) for act in (replace, remove) for name in ("run.json", "checkpoints/step-1.safetensors")),
]


@given(
    st.lists(st.tuples(st.sampled_from(ACTS), st.binary(max_size=40), st.booleans()), max_size=30),
    st.integers(1, 50),
)
def test_copy_equals_the_folder_after_any_sequence_of_changes(
    tmp_path_factory: pytest.TempPathFactory,
    acts: list[tuple[tuple[Callable[[Path, bytes], None], str], bytes, bool]],
    most: int,
) -> None:
    there, here = tmp_path_factory.mktemp("there"), tmp_path_factory.mktemp("here")
    changes = FolderChanges(there)
    for number, ((act, name), data, look) in enumerate(acts):
        # Rows have time stamps, so no two of them are the same.
        act(there / name, data + b"%8d" % number)
        if look:
            apply_changes(here, changes.collect(most))
    apply_changes(here, changes.collect(most))
    while changes.more:
        apply_changes(here, changes.collect(most))
    assert contents(here) == contents(there)


def test_rows_cut_and_rewritten_between_two_calls_are_copied_anew(there: Path, here: Path) -> None:
    table = there / "scalars.f32"
    grow(table, b"old rows, then older")
    changes = FolderChanges(there)
    apply_changes(here, changes.collect())
    os.truncate(table, 4)
    grow(table, b"rows of another time, and more of them than before")
    apply_changes(here, changes.collect())
    assert contents(here) == contents(there)


def test_events_are_copied_after_all_other_files(there: Path) -> None:
    for name in ("events.jsonl", "grad_norm.f32", "zz.f32"):
        grow(there / name, b"0123456789")
    changes = FolderChanges(there)
    arrived: list[str] = []
    while not arrived or changes.more:
        arrived += [one.path for one in changes.collect(4)]
    assert arrived.count("events.jsonl") == 3
    assert set(arrived[:6]) == {"grad_norm.f32", "zz.f32"}


def test_drafts_and_excluded_files_are_not_copied(there: Path) -> None:
    grow(there / ".run.json.77", b"half a")
    grow(there / "control.jsonl", b"{}\n")
    assert FolderChanges(there, leave=("control.jsonl",)).collect() == []


def test_changes_collected_once_are_not_collected_again(there: Path) -> None:
    grow(there / "trainer.log", b"before\n")
    changes = FolderChanges(there)
    changes.collect_all()
    assert changes.collect() == []
    grow(there / "trainer.log", b"after\n")
    assert changes.collect() == [FileChange("trainer.log", b"after\n", 7)]
