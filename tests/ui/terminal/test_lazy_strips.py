"""A strip whose caches are made late gives the same lines, keeps what it has made, and refuses unknown names."""

from __future__ import annotations

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.cache import FIFOCache
from textual.strip import Strip

from gradtui.ui.terminal import lazy_strips


def test_a_strip_has_the_caches_that_were_used_and_gives_the_same_line() -> None:
    lazy_strips.install()
    strip = Strip([Segment("one ", Style(bold=True)), Segment("漢字 two")], 12)
    assert len(lazy_strips._sizes) == 7
    assert not any(_is_made(strip, name) for name in lazy_strips._sizes)
    assert strip.crop(2, 8).text == "e 漢字"
    assert strip.crop(2, 8) is strip.crop(2, 8)
    assert [part.text for part in strip.divide([4, 12])] == ["one ", "漢字 two"]
    assert strip.adjust_cell_length(14).text == "one 漢字 two  "
    assert isinstance(strip._crop_cache, FIFOCache)
    assert strip._crop_cache._maxsize == 16
    with pytest.raises(AttributeError, match="no_such_part"):
        strip.no_such_part  # noqa: B018


def _is_made(strip: Strip, name: str) -> bool:
    """Return whether a strip has a cache, without making it."""
    try:
        object.__getattribute__(strip, name)
    except AttributeError:
        return False
    return True
