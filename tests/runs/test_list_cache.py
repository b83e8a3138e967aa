"""Test that the file with the list of thousands of runs never shows anything that the folders do not."""

from __future__ import annotations

import math
import os
import shutil
import stat
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from gradtui.absent import ABSENT
from gradtui.runs import library
from gradtui.runs.label import Label, write_label
from gradtui.runs.library import Library, list_runs
from gradtui.runs.list_cache import FEWEST_RUNS, read_cache, write_cache
from gradtui.runs.run_info import RunInfo
from gradtui.runs.writer import RunWriter
from tests.support.run_folders import make
from tests.support.studies import sigmoids, write_run

COUNT = FEWEST_RUNS + 10


@pytest.fixture
def root(home: Path) -> Path:
    root = home / "runs"
    first = make(root, "20260101-000000-run0", started=1e9)
    for number in range(1, COUNT - 1):
        shutil.copytree(first, root / f"20260101-0000{number:02d}-run{number}")
    folder = root / "20260102-000000-sigmoids"
    folder.mkdir()
    write_run(folder, sigmoids(), learns=True)
    return root


def same(one: RunInfo, other: RunInfo) -> bool:
    """Compare to the bit: NaN stands for none or for a number that broke."""
    profiles = [struct.pack(f"{len(info.summary.profile)}d", *info.summary.profile) for info in (one, other)]
    bare = [replace(info, summary=replace(info.summary, profile=())) for info in (one, other)]
    return profiles[0] == profiles[1] and bare[0] == bare[1]


def test_kept_list_is_the_list(root: Path) -> None:
    fresh = list_runs(root)
    kept = read_cache(root)
    assert len(kept) == len(fresh) == COUNT
    again = list_runs(root)
    assert all(same(one, other) for one, other in zip(fresh, again, strict=True))
    assert [info.run for info in again] == [info.run for info in fresh]


def test_list_is_read_from_the_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    list_runs(root)
    read: list[Path] = []
    meta_of = library.read_meta

    def counting(folder: Path) -> object:
        read.append(folder)
        return meta_of(folder)

    monkeypatch.setattr(library, "read_meta", counting)
    list_runs(root)
    assert read == []


def test_every_change_is_seen(root: Path) -> None:
    list_runs(root)
    folder = root / "20260101-000007-run7"
    write_label(folder, Label("named"))
    shutil.rmtree(root / "20260101-000008-run8")
    (root / "20260101-000009-run9" / "run.json").write_text("{")
    writer = RunWriter(root / "20260101-000011-run11", {})
    writer.event("finding", 3, code="vanishing", severity="critical", layers=["a"], evidence="x", cures=[])
    writer.close()
    make(root, "20260103-000000-new", started=3e9)
    found = {info.id: info for info in list_runs(root)}
    assert found[folder.name].name == "named"
    assert "20260101-000008-run8" not in found
    assert found["20260101-000009-run9"].status.state == "failed"
    assert found["20260101-000011-run11"].summary.findings == ("vanishing",)
    assert list_runs(root)[0].id == "20260103-000000-new"


def test_hasty_readings_see_every_change_after_some(root: Path) -> None:
    lister = Library(root)
    lister.read()
    write_label(root / "20260101-000007-run7", Label("named"))
    for _ in range(library.UNCHANGED_ROUNDS):
        found = lister.read(hastily=True)
    assert "named" in {info.name for info in found}
    shutil.rmtree(root / "20260101-000008-run8")
    assert len(lister.read(hastily=True)) == COUNT - 1
    assert lister.read(hastily=True) is lister.read(hastily=True)


def test_numbers_that_are_none_or_broke_stay_what_they_are(root: Path) -> None:
    info = list_runs(root)[0]
    odd = replace(info, summary=replace(info.summary, loss=math.inf, profile=(ABSENT, math.nan, -math.inf)))
    write_cache(root, {info.id: ((), odd)})
    assert same(read_cache(root)[info.id][1], odd)


@pytest.mark.parametrize("content", [b"", b"\xc1", b"\x93\x01", b"\xdd\xff\xff\xff\xff", b"\x91" * 100_000])
def test_damaged_file_is_no_file(content: bytes, root: Path, home: Path) -> None:
    before = list_runs(root)
    [file] = (home / "cache").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_bytes(content)
    assert len(list_runs(root)) == len(before)
    file.unlink(missing_ok=True)
    os.mkfifo(file)
    assert len(list_runs(root)) == len(before)
