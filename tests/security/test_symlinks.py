"""Symbolic links and special files in a run folder never lead gradtui to anything else."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gradtui.experiment import from_dict
from gradtui.runs import trash
from gradtui.runs.control import ControlReader, send
from gradtui.runs.errors import RunError
from gradtui.runs.label import Label, write_label
from gradtui.runs.library import Library
from gradtui.runs.meta import RunMeta, RunOrigin, write_meta, write_origin
from gradtui.runs.records import RecordFile
from gradtui.runs.safe_files import replacing
from gradtui.runs.writer import RunWriter
from gradtui.study.study_folder import OwnerLock
from gradtui.training.checkpoints.files import list_checkpoints, tidy
from gradtui.training.launch import create_run, start_trainer, write_experiment
from tests.support.run_folders import make

PRECIOUS = b"a thesis\n" * 50
EXPERIMENT = from_dict({"name": "quick", "run": {"steps": 3, "device": "cpu"}})


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """A file outside of all runs."""
    path = tmp_path / "elsewhere" / "thesis.tex"
    path.parent.mkdir()
    path.write_bytes(PRECIOUS)
    os.utime(path, (1e9, 1e9))
    return path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make(tmp_path / "runs", "foreign", started=1e9)


def replace_by_link(path: Path, target: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def write_tables(folder: Path) -> None:
    writer = RunWriter(folder, {"scalars": ["loss"]}, resume_at=1)
    for step in range(2, 40):
        writer.append("scalars", step, [0.5])
    writer.event("phase", 2, phase="training")
    writer.close()


def obey(folder: Path) -> None:
    ControlReader(folder).poll()
    with pytest.raises(RunError):
        send(folder, "stop")


def lock(folder: Path) -> None:
    held = OwnerLock(folder)
    held.take()
    held.release()


WRITES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "rows": ("scalars.f32", write_tables),
    "level": ("scalars.16.f32", write_tables),
    "events": ("events.jsonl", write_tables),
    "heartbeat": ("heartbeat", write_tables),
    "control": ("control.jsonl", obey),
    "label": ("label.json", lambda folder: write_label(folder, Label(name="a"))),
    "meta": ("run.json", lambda folder: write_meta(folder, RunMeta.of_this_process(id="a", name="a"))),
    "start": ("start.json", lambda folder: write_origin(folder, RunOrigin(preflight=True))),
    "experiment": ("experiment.toml", lambda folder: write_experiment(folder, EXPERIMENT)),
    "study's lock": ("keeper.json", lock),
    "study's heartbeat": ("heartbeat", lock),
}


@pytest.mark.parametrize("kind", WRITES)
def test_no_write_goes_through_a_link_in_a_run_folder(kind: str, run: Path, precious: Path) -> None:
    name, write = WRITES[kind]
    replace_by_link(run / name, precious)
    # A trainer only keeps the error, the other writers raise it; files that are replaced take the link's place.
    with contextlib.suppress(OSError, RunError):
        write(run)
    assert precious.read_bytes() == PRECIOUS
    assert precious.stat().st_mtime == 1e9
    assert [path.name for path in precious.parent.iterdir()] == [precious.name]


def test_trainer_does_not_write_its_log_through_a_link(tmp_path: Path, precious: Path) -> None:
    folder = create_run(EXPERIMENT, tmp_path / "runs")
    (folder / "trainer.log").symlink_to(precious)
    with pytest.raises(OSError, match="symbolic link"):
        start_trainer(folder)
    assert precious.read_bytes() == PRECIOUS


def test_dangling_link_makes_no_file_elsewhere(run: Path, tmp_path: Path) -> None:
    target = tmp_path / "authorized_keys"
    for name in ("control.jsonl", "heartbeat", "label.json", "events.jsonl"):
        replace_by_link(run / name, target)
    write_tables(run)
    with pytest.raises(RunError, match="symbolic link"):
        send(run, "stop")
    assert not target.exists()


@pytest.mark.long
def test_resuming_a_foreign_folder_overwrites_nothing_outside(tmp_path: Path, precious: Path) -> None:
    folder = create_run(EXPERIMENT, tmp_path / "runs")
    assert start_trainer(folder).wait(120) == 0
    outside = tmp_path / "outside"
    (folder / "checkpoints").rename(outside)
    (folder / "checkpoints").symlink_to(outside)
    files = {path.name: path.read_bytes() for path in outside.iterdir()}
    replace_by_link(folder / "grad_norm.f32", precious)
    write_experiment(folder, from_dict({"name": "quick", "run": {"steps": 6, "device": "cpu"}}))
    start_trainer(folder).wait(120)
    assert precious.read_bytes() == PRECIOUS
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == files


def test_checkpoints_behind_a_link_are_not_tidied_away(run: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for step in range(1, 9):
        (outside / f"step-{step:09d}.safetensors").write_bytes(b"")
    (run / "checkpoints").symlink_to(outside)
    assert len(list_checkpoints(run)) == 8
    tidy(run)
    assert len(list(outside.iterdir())) == 8


# -- the trash


OLD = "1000000000000000000"
"""The name of what was deleted in September 2001."""


def test_listing_runs_deletes_nothing_behind_a_linked_trash(tmp_path: Path, run: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / OLD / "precious").mkdir(parents=True)
    (run.parent / ".trash").symlink_to(elsewhere)
    trash.purge(run.parent)
    assert (elsewhere / OLD / "precious").is_dir()
    assert trash.undelete(run.parent) == []
    with pytest.raises(RunError, match="symbolic link"):
        trash.delete([run])
    assert run.is_dir()
    assert [path.name for path in elsewhere.iterdir()] == [OLD]


def test_links_in_the_trash_are_not_followed(tmp_path: Path, run: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "precious").mkdir(parents=True)
    (run.parent / ".trash" / OLD).mkdir(parents=True)
    (run.parent / ".trash" / OLD / "link").symlink_to(elsewhere)
    (run.parent / ".trash" / "1000000000000000001").symlink_to(elsewhere)
    trash.purge(run.parent)
    assert (elsewhere / "precious").is_dir()
    assert not (run.parent / ".trash" / OLD).exists()


@pytest.mark.parametrize(
    "name", ["1", "2019", "notes", "١٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠", "1000000000000000000x", OLD + "0"]
)
def test_what_gradtui_did_not_name_stays_in_the_trash(run: Path, name: str) -> None:
    (run.parent / ".trash" / name / "precious").mkdir(parents=True)
    trash.purge(run.parent, older_than=-time.time())
    trash.undelete(run.parent)
    assert (run.parent / ".trash" / name / "precious").is_dir()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make files of another user")
def test_trash_of_another_user_is_not_purged(run: Path) -> None:
    (run.parent / ".trash" / OLD / "a").mkdir(parents=True)
    os.chown(run.parent / ".trash", 65534, 65534)
    trash.purge(run.parent)
    assert (run.parent / ".trash" / OLD / "a").is_dir()


# -- drafts and special files


def test_draft_has_no_name_while_it_is_written(tmp_path: Path) -> None:
    with replacing(tmp_path / "run.json") as file:
        file.write(b"{}")
        assert list(tmp_path.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_draft_has_an_unpredictable_name(
    tmp_path: Path, precious: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on a file system whose files need names.
    monkeypatch.delattr(os, "O_TMPFILE")
    names = set()
    for _ in range(3):
        with replacing(tmp_path / "run.json") as file:
            [draft] = tmp_path.glob(".run.json.*")
            names.add(draft.name)
            file.write(b"{}")
    assert len(names) == 3
    assert all(len(name) > len(".run.json.") + 12 for name in names)
    assert str(os.getpid()) not in {name.rpartition(".")[2] for name in names}
    assert not list(tmp_path.glob(".run.json.*"))


def test_draft_whose_name_is_refused_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    with replacing(tmp_path / "run.json") as file:
        file.write(b"x" * 100_000)
    assert (tmp_path / "run.json").read_bytes() == b"x" * 100_000
    assert stat.S_IMODE((tmp_path / "run.json").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize("name", ["run.json", "label.json", "events.jsonl", "scalars.f32", "experiment.toml"])
@pytest.mark.parametrize("kind", ["fifo", "zero", "folder"])
def test_special_file_does_not_hang_the_list_nor_fill_the_memory(run: Path, name: str, kind: str) -> None:
    good = make(run.parent, "good", started=1e9)
    (run / name).unlink(missing_ok=True)
    match kind:
        case "fifo":
            os.mkfifo(run / name)
        case "zero":
            (run / name).symlink_to("/dev/zero")
        case "folder":
            (run / name).mkdir()
    assert good.name in {info.id for info in Library(run.parent).read()}


def test_fifo_in_place_of_a_table_is_refused_by_the_writer(run: Path) -> None:
    (run / "scalars.f32").unlink(missing_ok=True)
    os.mkfifo(run / "scalars.f32")
    file = RecordFile(run / "scalars.f32", np.dtype([("step", "<u4")]))
    with pytest.raises(OSError, match="not an ordinary file"):
        file.append(np.zeros(3, file.dtype))
