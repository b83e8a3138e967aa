"""Test the list of runs and the search for one."""

from __future__ import annotations

import itertools
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from gradtui.runs.errors import RunNotFound
from gradtui.runs.folder import runs_root
from gradtui.runs.label import Label, write_label
from gradtui.runs.library import Library, find_run, list_runs
from gradtui.runs.reader import open_run
from gradtui.runs.run_info import RunSummary
from gradtui.runs.writer import RunWriter
from tests.support.run_folders import columns_of, describe, make, write_rows


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "runs"
    make(root, "20260101-100000-old", started=1e9, name="deep sigmoid")
    make(root, "20260101-110000-new", started=2e9, name="deep relu")
    make(root, "20260101-103000-mid", started=1.5e9, name="deep sigmoid fixed")
    return root


def test_runs_are_listed_newest_first(root: Path) -> None:
    runs = list_runs(root)
    assert [(info.id, info.name, info.status.state, info.steps, info.started) for info in runs] == [
        ("20260101-110000-new", "deep relu", "finished", 40, 2e9),
        ("20260101-103000-mid", "deep sigmoid fixed", "finished", 40, 1.5e9),
        ("20260101-100000-old", "deep sigmoid", "finished", 40, 1e9),
    ]
    assert runs[0].run == root / "20260101-110000-new"


def test_corrupt_runs_and_other_folders_do_not_break_the_list(root: Path) -> None:
    (root / "notes").mkdir()
    (root / "file").write_text("")
    (root / "dangling").symlink_to(root / "nowhere")
    (root / "empty.toml").mkdir()
    (root / "bad").mkdir()
    (root / "bad" / "run.json").write_text('{"id": 3')
    (root / "odd").mkdir()
    (root / "odd" / "run.json").mkdir()
    (root / "odd" / "experiment.toml").write_text("= nonsense")
    (root / "soon").mkdir()
    (root / "soon" / "experiment.toml").write_text("= nonsense")
    runs = {info.id: info for info in list_runs(root)}
    assert set(runs) >= {"20260101-110000-new", "bad", "soon"}
    assert not set(runs) & {"notes", "file", "dangling", "empty.toml"}
    assert runs["bad"].status.state == "failed"
    assert [name for name, info in runs.items() if not info.readable and name != "odd"] == ["bad"]
    assert "run.json" in runs["bad"].status.reason
    assert runs["soon"].status.state == "starting"
    assert len(runs) - 3 <= 3


def test_missing_root_has_no_runs(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "gone") == []


def test_the_default_root_is_the_users(home: Path) -> None:
    assert list_runs() == []
    make(runs_root(), "a", started=1e9)
    assert [info.id for info in list_runs()] == ["a"]
    assert find_run() == home / "runs" / "a"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, "20260101-110000-new"),
        ("20260101-100000-old", "20260101-100000-old"),
        ("old", "20260101-100000-old"),
        ("relu", "20260101-110000-new"),
        # Whole before part: only one is called just so.
        ("deep sigmoid", "20260101-100000-old"),
        ("fixed", "20260101-103000-mid"),
    ],
)
def test_run_is_found_by_a_unique_id_name_or_tag(root: Path, text: str | None, found: str) -> None:
    assert find_run(text, root) == root / found


def test_a_run_is_found_by_its_path(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_run(str(root / "20260101-100000-old"), tmp_path / "elsewhere") == root / "20260101-100000-old"
    monkeypatch.chdir(root / "20260101-100000-old")
    assert find_run(".", tmp_path) == Path(".")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tanh", "no run with this name"),
        ("deep", "3 runs match: 20260101-110000-new, "),
        ("", "3 runs match"),
    ],
)
def test_text_that_matches_no_run_or_several_raises_one_line(root: Path, text: str, says: str) -> None:
    with pytest.raises(RunNotFound) as caught:
        find_run(text, root)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_empty_root_raises_one_line(tmp_path: Path) -> None:
    with pytest.raises(RunNotFound, match="no runs yet"):
        find_run(None, tmp_path)


def test_a_run_that_never_started_is_listed_by_when_its_folder_changed(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    folder.mkdir()
    (folder / "experiment.toml").write_text("")
    old = time.time() - 100
    os.utime(folder, (old, old))
    (info,) = list_runs(tmp_path)
    assert (info.status.state, info.name) == ("failed", "x")
    assert abs(info.started - old) < 1


def test_a_name_that_a_person_gave_is_the_runs_name_everywhere(root: Path) -> None:
    old = root / "20260101-100000-old"
    write_label(old, Label(name="the bad one", tags=("paper",)))
    assert open_run(old).name == "the bad one"
    assert open_run(old).label.tags == ("paper",)
    assert find_run("bad one", root) == old
    assert [info.name for info in list_runs(root)][-1] == "the bad one"
    write_label(old, Label())
    assert open_run(old).name == "deep sigmoid"


def test_changed_runs_are_read_again_and_ended_ones_are_not(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = Library(root)
    first = library.read()
    reads: list[Path] = []

    def counting(folder: Path, *about: object) -> RunSummary:
        reads.append(folder)
        return RunSummary()

    monkeypatch.setattr("gradtui.runs.library.summary_of", counting)
    second = library.read()
    assert all(one is other for one, other in zip(first, second, strict=True))
    assert not reads
    changed = root / "20260101-103000-mid"
    write_label(changed, Label(tags=("seen",)))
    assert [info.label.tags for info in library.read()] == [(), ("seen",), ()]
    assert reads == [changed]


def test_growth_end_and_removal_of_a_run_are_noticed(root: Path) -> None:
    library = Library(root)
    folder = root / "live"
    meta = describe(folder, started=3e9)
    assert library.read()[0].status.state == "starting"
    writer = RunWriter(folder, columns_of(meta))
    writer.event("phase", phase="training")
    for step in (1, 2):
        writer.append("scalars", step, [2.0 / step, 0, 0])
        writer.flush()
        info = library.read()[0]
        assert (info.status.state, info.steps, info.summary.loss) == ("running", step, 2.0 / step)
    writer.event("finding", code="vanishing", step=1)
    writer.event("end", status="stopped")
    writer.close()
    info = library.read()[0]
    assert (info.status.state, info.summary.findings) == ("stopped", ("vanishing",))
    shutil.rmtree(folder)
    assert library.read()[0].id == "20260101-110000-new"


def test_resumed_run_is_live_again(root: Path) -> None:
    library = Library(root)
    library.read()
    folder = root / "20260101-110000-new"
    with (folder / "events.jsonl").open("a") as events:
        events.write('{"event":"phase","phase":"training","time":1}\n')
    assert library.read()[0].status.state == "running"


def test_digest_of_a_live_run_is_that_of_its_files(root: Path) -> None:
    folder = root / "figures"
    describe(folder, started=4e9, layers=30)
    rng = np.random.default_rng(0)
    norms = 10.0 ** rng.uniform(-12, 3, (3, 30)).astype(np.float32)
    write_rows(folder, {"grad_norm": norms, "scalars": np.array([[3.0, 0, 0], [2.0, 0, 0], [1.5, 0, 0]])})
    summary = list_runs(root)[0].summary
    assert summary.depth == 30
    assert summary.loss == 1.5
    logs = np.log10(norms[-1].astype(np.float64))
    edges = [30 * at // 16 for at in range(17)]
    folded = [np.sort(logs[low:high])[(high - low) // 2] for low, high in itertools.pairwise(edges)]
    assert summary.profile == pytest.approx(folded)
