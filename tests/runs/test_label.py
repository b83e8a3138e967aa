"""Test the names and tags that people give runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradtui.runs.errors import RunError
from gradtui.runs.filter import parse_filter
from gradtui.runs.label import (
    Label,
    name_of,
    note_of,
    read_label,
    retagged,
    shown_note,
    tags_of,
    write_label,
    write_note,
)
from gradtui.runs.run_info import RunInfo
from gradtui.runs.status import RunStatus


def test_written_label_is_read_back(tmp_path: Path) -> None:
    label = Label("a name", ("one", "two"))
    write_label(tmp_path, label)
    assert read_label(tmp_path) == label
    assert [path.name for path in tmp_path.iterdir()] == ["label.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"name": 3}', b"\xff\xfe"])
def test_invalid_label_file_gives_an_empty_label(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "label.json").write_bytes(content)
    assert read_label(tmp_path) == Label()


def test_unwritable_label_raises_one_line(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"label\.json: No such file or directory"):
        write_label(tmp_path / "gone", Label("x"))


def test_tags_are_words_in_order_each_once() -> None:
    assert tags_of(" paper, b  Alpha paper,") == ("Alpha", "b", "paper")
    assert retagged(Label(tags=("a", "b")), add=("c",), remove=("a",)).tags == ("b", "c")
    assert name_of("  two \n words ") == "two words"


def test_a_note_keeps_its_lines_and_the_rest_of_the_label(tmp_path: Path) -> None:
    write_label(tmp_path, Label("a name", ("one",)))
    write_note(tmp_path, " one \n\ttwo\x1b[31m \n\n")
    assert read_label(tmp_path) == Label("a name", ("one",), "one\ntwo[31m")
    assert shown_note(read_label(tmp_path), "of the script") == "one\ntwo[31m"
    write_note(tmp_path, "")
    assert shown_note(read_label(tmp_path), "of the script") == ""
    assert shown_note(Label(), "of the script") == "of the script"
    with pytest.raises(RunError, match="at most 2,000 characters, and this one has 2,001"):
        note_of("x" * 2001)


@pytest.mark.parametrize("text", ["x" * 41, "a*", 'qu"ote', "bell\a", "[x]"])
def test_a_tag_that_could_not_be_found_again_is_refused(text: str) -> None:
    with pytest.raises(RunError) as caught:
        tags_of(text)
    assert "\n" not in str(caught.value)


def test_a_name_that_is_too_long_is_refused() -> None:
    with pytest.raises(RunError, match="at most 200 characters, and this one has 201"):
        name_of("x" * 201)


@given(st.text(max_size=60))
def test_every_tag_that_is_taken_can_be_filtered_by(text: str) -> None:
    try:
        tags = tags_of(text)
    except RunError:
        return
    info = RunInfo(Path("x"), "x", RunStatus("finished"), 0.0, label=Label(tags=tags))
    for tag in tags:
        assert parse_filter(f"tag:{tag}").matches(info)
