"""Test that an experiment survives its short string, and that any other text is refused in one line."""

from __future__ import annotations

import base64
import contextlib
import random
import re
import zlib

import pytest

from gradtui.experiment import ExperimentError, from_dict, resolve, set_fields
from gradtui.experiment.presets import load_preset, names
from gradtui.experiment.short_string import (
    LARGEST_TEXT,
    LONGEST_STRING,
    PREFIX,
    from_short_string,
    to_short_string,
)


@pytest.mark.parametrize("name", names())
def test_every_preset_survives_a_round_trip(name: str) -> None:
    experiment = load_preset(name)
    text = to_short_string(experiment)
    assert re.fullmatch(r"gt1-[\w-]+", text, re.ASCII)
    assert len(text) < 700
    assert from_short_string(text) == resolve(text) == experiment


def test_changes_survive_a_round_trip() -> None:
    experiment = set_fields(
        load_preset("sigmoid-20"), {"name": "naïve 层 ✓", "net.0.repeat": 7, "optimizer.lr": 0.1 + 0.2}
    )
    assert from_short_string(to_short_string(experiment)) == experiment


def packed(content: bytes) -> str:
    return PREFIX + base64.urlsafe_b64encode(zlib.compress(content, 9)).decode().rstrip("=")


GOOD = to_short_string(from_dict({}))
BAD = {
    "nothing": PREFIX,
    "another version": GOOD.replace("gt1-", "gt2-"),
    "cut": GOOD[:-5],
    "longer": GOOD + "AAAA",
    "twice": GOOD + GOOD,
    "not compressed": PREFIX + base64.urlsafe_b64encode(b"name = 'a'").decode().rstrip("="),
    "odd characters": GOOD + "é",
    "lines": GOOD + "\n",
    "path": PREFIX + "..%2f",
    "no text": packed(b"\xff\xfe\x00"),
    "no toml": packed(b"= = ="),
    "no such field": packed(b"colour = 'red'"),
    "out of range": packed(b"[optimizer]\nlr = -1.0"),
    "pickle": packed(b"\x80\x04\x95c__main__"),
    "bomb": packed(b"#" * (50 * LARGEST_TEXT)),
    "nested": packed(b"a=" + b"[" * 5000 + b"]" * 5000),
    "too long": PREFIX + "A" * LONGEST_STRING,
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_bad_strings_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(ExperimentError) as caught:
        resolve(text)
    assert str(caught.value).isprintable()


def test_a_damaged_character_is_an_error_or_another_valid_experiment() -> None:
    random.seed(1)
    for _ in range(300):
        at = random.randrange(len(PREFIX), len(GOOD))
        changed = GOOD[:at] + random.choice("abcXYZ019-_") + GOOD[at + 1 :]
        # Any other error fails the test.
        with contextlib.suppress(ExperimentError):
            from_short_string(changed)
