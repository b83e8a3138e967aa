"""Test files with one JSON object a line."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradtui.runs.jsonl import LineReader, decode_line, encode_line
from gradtui.runs.meta import LayerMeta

texts = st.text().filter(lambda text: text not in ("nan", "inf", "-inf") and text.isprintable())
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
values = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=8)


@given(st.dictionaries(texts, values))
def test_an_entry_is_one_line_and_is_read_unchanged(entry: dict) -> None:
    line = encode_line(entry)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert decode_line(line) == entry


def test_numbers_that_are_not_finite_are_the_strings_of_the_design() -> None:
    line = encode_line({"a": math.nan, "b": [math.inf, -math.inf]})
    assert line == b'{"a":"nan","b":["inf","-inf"]}\n'
    entry = decode_line(line)
    assert entry is not None
    assert math.isnan(entry["a"])
    assert entry["b"] == [math.inf, -math.inf]


def test_numpy_values_paths_and_structs_are_encoded_as_plain_json() -> None:
    entry = {
        "number": np.float32(0.5),
        "count": np.int64(3),
        "array": np.array([1.0, np.nan]),
        "path": Path("a/b"),
        "struct": LayerMeta("dense1", "dense", 3),
        "lone": "\ud800",
        3: "key",
    }
    decoded = decode_line(encode_line(entry))
    assert decoded is not None
    assert decoded["number"] == 0.5
    assert decoded["count"] == 3
    assert decoded["array"][0] == 1.0
    assert math.isnan(decoded["array"][1])
    assert decoded["path"] == "a/b"
    assert decoded["struct"] == msgspec.to_builtins(LayerMeta("dense1", "dense", 3))
    assert decoded["3"] == "key"


def test_lines_without_an_object_are_skipped() -> None:
    assert [decode_line(line) for line in (b"", b"3", b"[1]", b"{", b"\xff", b"nonsense")] == [None] * 6


def test_a_torn_line_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    reader = LineReader(path)
    assert reader.poll() == ([], False)
    path.write_bytes(b'{"a":1}\n{"b":')
    assert reader.poll() == ([{"a": 1}], False)
    assert reader.poll() == ([], False)
    with path.open("ab") as file:
        file.write(b'2}\nrubbish\n\n{"c":3}\n')
    assert reader.poll() == ([{"b": 2}, {"c": 3}], False)
    assert reader.poll() == ([], False)


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=4))
def test_any_bytes_in_any_pieces_give_the_same(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, cuts: list[int]
) -> None:
    content = content.replace(b"\x00", b'{"a":1}').replace(b"\x01", b"\n")
    path = tmp_path_factory.mktemp("lines") / "lines"
    reader, got = LineReader(path), []
    for end in [*sorted(cuts), len(content)]:
        path.write_bytes(content[:end])
        got += reader.poll()[0]
    path.write_bytes(content)
    assert got == LineReader(path).poll()[0]


def test_replaced_file_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b'{"a":1}\n{"a":2}\n')
    reader = LineReader(path)
    reader.poll()
    path.write_bytes(b'{"a":3}\n')
    assert reader.poll() == ([{"a": 3}], True)
