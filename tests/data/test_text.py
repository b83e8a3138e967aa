"""Test text data: characters are tokens, pieces follow each other, and the end is kept for the test."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gradtui.data import DataError, load
from gradtui.experiment import ExperimentError
from gradtui.experiment.data_shapes import POEM, vocabulary
from gradtui.experiment.spec import Data


def decode(tokens: torch.Tensor, data: Data) -> str:
    known = vocabulary(data)
    return "".join(known[token] for token in tokens.flatten().tolist())


def test_pieces_are_the_text_and_answers_one_character_on(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    written = "naïve Käse ☃\r\n" * 40
    path.write_bytes(written.encode())
    read = written.replace("\r\n", "\n")
    data = Data(source="text", path=str(path), length=7)
    dataset = load(data, 0)
    pieces = (len(read) - 1) // 7
    assert dataset.shape.outputs == len(set(read))
    assert len(dataset.train_x) + len(dataset.test_x) == pieces
    assert len(dataset.test_x) == pieces // 10
    x, y = torch.cat([dataset.train_x, dataset.test_x]), torch.cat([dataset.train_y, dataset.test_y])
    assert x.dtype == torch.int64
    assert decode(x, data) == read[: 7 * pieces]
    assert decode(y, data) == read[1 : 7 * pieces + 1]


def test_the_poem_ships_with_a_word_on_its_origin() -> None:
    poem = POEM.read_text(encoding="utf-8")
    assert "Water, water, every where,\nNor any drop to drink." in poem
    assert poem.endswith("A sadder and a wiser man,\nHe rose the morrow morn.\n")
    assert poem.isascii()
    assert "Public domain" in POEM.with_name("poem.LICENSE.txt").read_text(encoding="utf-8")
    dataset = load(Data(source="text"), 0)
    assert dataset.train_x.shape[1:] == (30,)
    assert decode(dataset.train_x[:1], Data(source="text")) == poem[:30]


def test_a_text_that_is_too_short_is_named(tmp_path: Path) -> None:
    path = tmp_path / "short.txt"
    path.write_text("abcdefghij")
    with pytest.raises(DataError) as caught:
        load(Data(source="text", path=str(path), length=6), 0)
    assert str(caught.value) == (
        f"data.path: {path} has 10 characters; expected at least 13: two pieces of data.length 6"
    )
    with pytest.raises(ExperimentError, match=r"data\.length: 60"):
        load(Data(source="text", path=str(path), length=60), 0)


def test_a_missing_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError) as caught:
        load(Data(source="text", path=str(tmp_path / "none.txt")), 0)
    assert str(tmp_path / "none.txt") in str(caught.value)
    assert "\n" not in str(caught.value)
