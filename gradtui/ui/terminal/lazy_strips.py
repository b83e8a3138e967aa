"""Make the caches of a strip when they are first used.

Textual gives each line of each widget seven caches when the line is made, and most of them are never used. To make
them takes longer than the line itself, and the garbage collector has to look at all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.segment import Segment
from textual.cache import FIFOCache
from textual.strip import Strip

_OTHERS = {"_segments", "_cell_length", "_render_cache", "_link_ids", "_cell_count"}
"""The parts of a strip that are no caches of this kind; if Textual has others, its strips stay as they are."""

_sizes: dict[str, int] = {}
"""The largest number of entries in each cache, by its name."""


def install() -> None:
    """Let the strips of this process make their caches late, where Textual's strips have the parts that we know."""
    if _sizes or not hasattr(Strip, "__slots__"):
        return
    example = Strip([])
    parts = {name: getattr(example, name, None) for name in Strip.__slots__}
    caches = {name: cache._maxsize for name, cache in parts.items() if isinstance(cache, FIFOCache)}
    if parts.keys() - caches.keys() == _OTHERS:
        _sizes.update(caches)
        Strip.__init__ = _make  # type: ignore[method-assign]
        Strip.__getattr__ = _cache_of  # type: ignore[attr-defined]


def _make(self: Strip, segments: Iterable[Segment], cell_length: int | None = None) -> None:
    self._segments = list(segments)
    self._cell_length = cell_length
    self._render_cache = None
    self._link_ids = None
    self._cell_count = None


def _cache_of(self: Strip, name: str) -> FIFOCache[Any, Any]:
    """Make a cache that is asked for. Python calls this where a strip has no such attribute yet."""
    size = _sizes.get(name)
    if size is None:
        raise AttributeError(f"'Strip' object has no attribute {name!r}", name=name, obj=self)
    cache: FIFOCache[Any, Any] = FIFOCache(size)
    setattr(self, name, cache)
    return cache
