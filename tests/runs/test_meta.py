"""Test the description of a run in run.json."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import msgspec
import pytest

from gradtui.runs.errors import RunError
from gradtui.runs.label import Label, read_label, write_label
from gradtui.runs.meta import LayerMeta, RunMeta, TableMeta, read_meta, write_meta

FULL = RunMeta(
    id="20260101-000000-x",
    name="é\n深い",
    kind="script",
    experiment={"net": [{"width": 64}]},
    layers=(LayerMeta("dense1", "dense", 4160), LayerMeta("output", "dense", 650)),
    tables={"scalars": TableMeta(("loss",), "scalars"), "hidden_grad": TableMeta(("0", "1"), "lags")},
    steps=500,
    pid=12,
    pid_started=None,
    host="here",
    machine="boot pid:[1]",
    started=1.5,
    versions={"torch": "2"},
    device="cpu",
    chance_loss=2.3,
    parameters=4810,
    data={"source": "digits"},
)


def test_written_meta_is_read_back(tmp_path: Path) -> None:
    write_meta(tmp_path, FULL)
    assert read_meta(tmp_path) == FULL
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_half_of_a_pair_of_utf_16_is_written_as_a_question_mark(tmp_path: Path) -> None:
    """It stands in names that JSON escapes, and in file names of other encodings."""
    odd = "a\ud800b"
    changes = {"id": odd, "name": odd, "note": odd, "layers": (LayerMeta(odd, odd, 1),), "data": {odd: [odd]}}
    write_meta(tmp_path, msgspec.structs.replace(FULL, **changes))
    read = read_meta(tmp_path)
    assert (read.id, read.name, read.note, read.layers[0].name) == ("a?b",) * 4
    assert read.data == {"a?b": ["a?b"]}
    write_label(tmp_path, Label(odd, (odd,), odd, odd))
    assert read_label(tmp_path) == Label("a?b", ("a?b",), "a?b", "a?b")


def test_meta_of_this_process_has_its_pid_and_machine() -> None:
    meta = RunMeta.of_this_process(id="a", name="b", steps=3)
    assert (meta.pid, meta.steps, meta.name) == (os.getpid(), 3, "b")
    assert meta.started > 1e9
    assert meta.host


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not a run's description"),
        (b"{", "not a run's description"),
        (b"\xff\xfe", "not a run's description"),
        (b'{"id": "a"}', "name"),
        (b'{"id": "a", "name": 3}', "name"),
        (b'{"id": "a", "name": "b", "format": 2}', "format 2"),
        (b'{"id": "a", "name": "b", "tables": {"../x": {"columns": []}}}', "not a name of a table"),
    ],
)
def test_a_corrupt_file_is_named_in_one_line(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(RunError) as caught:
        read_meta(tmp_path)
    text = str(caught.value)
    assert str(tmp_path / "run.json") in text
    assert says in text
    assert "\n" not in text


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"run\.json: no such file"):
        read_meta(tmp_path)


def test_fields_of_a_later_gradtui_are_ignored(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_bytes(b'{"id": "a", "name": "b", "colour": "red"}')
    assert read_meta(tmp_path).name == "b"


def test_reader_sees_the_whole_old_or_the_whole_new_file(tmp_path: Path) -> None:
    long = msgspec.structs.replace(FULL, layers=tuple(LayerMeta(f"dense{n}") for n in range(2000)))
    write_meta(tmp_path, FULL)
    done = threading.Event()

    def write() -> None:
        for number in range(30):
            write_meta(tmp_path, long if number % 2 else FULL)
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    seen = set()
    while not done.is_set():
        seen.add(len(read_meta(tmp_path).layers))
    thread.join()
    assert seen <= {2, 2000}


def test_missing_folder_raises_oserror_and_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        write_meta(tmp_path / "gone", FULL)
    assert not list(tmp_path.iterdir())
