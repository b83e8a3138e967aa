"""Test the presets as a curriculum: every preset has one place, and each cure is listed below its problem."""

from __future__ import annotations

import pytest

from gradtui.diagnosis.findings import CODES
from gradtui.experiment.presets import names
from gradtui.experiment.presets.curriculum import CHAPTERS, pair_of, place_of


def test_every_preset_has_one_place() -> None:
    listed = [entry.name for chapter in CHAPTERS for entry in chapter.entries]
    assert sorted(listed) == sorted(names())


@pytest.mark.parametrize("name", names())
def test_a_preset_shows_known_findings_and_its_partner_is_a_preset(name: str) -> None:
    place = place_of(name)
    assert place is not None
    chapter, entry = place
    assert set(entry.shows) <= set(CODES)
    for other in (entry.partner, entry.degrades_after):
        assert not other or place_of(other) is not None
    pair = pair_of(name)
    assert (pair is None) == (not entry.partner)
    if entry.cures:
        above = [other for other in chapter.entries if not other.cures]
        assert entry.partner in {other.name for other in above}, "a cure stands in the chapter of its problem"
        assert pair == (entry.partner, name)


def test_a_pair_is_the_problem_and_its_cure_from_either_side() -> None:
    assert pair_of("sigmoid-20") == pair_of("relu-20") == ("sigmoid-20", "relu-20")
    assert pair_of("mine") is None
