"""Render only those widgets that a changed part of the screen shows.

Textual renders every line of every widget within the rectangle around all changes: with one change at the top and one
at the bottom, that is the whole screen. Most of it is taken from caches and thrown away, but that takes longer
than drawing the charts.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import textual.screen
from textual.geometry import Region

try:
    # Private classes of Textual: without them it renders as it always does.
    from textual._compositor import ChopsUpdate, Compositor
except ImportError:  # pragma: no cover
    Compositor = object  # type: ignore[assignment, misc]
    ChopsUpdate = None  # type: ignore[assignment, misc]


class DirtyCompositor(Compositor):
    """A DirtyCompositor leaves out widgets of which no changed cell shows anything, and lines of them."""

    def render_partial_update(self) -> Any:
        """Return the update for the regions that changed; None where there are none."""
        if self.root is not None and self.root.styles.background.a < 1:
            # A dialog takes over the screen behind it while it is rendered whole.
            return super().render_partial_update()
        regions = self._dirty_regions.copy()
        self._dirty_regions.clear()
        if not regions:
            return None
        spans = list(self._regions_to_spans(regions))
        cuts = self.cuts
        # A chop is the part of a line between two cuts; one widget fills it. These are the ones that changed.
        missing: dict[int, set[int]] = {}
        for y, left, right in spans:
            wanted = missing.setdefault(y, set())
            wanted.update(start for start, end in pairwise(cuts[y]) if start < right and end > left)
        chops: list[dict[int, Any]] = [dict.fromkeys(line[:-1]) for line in cuts]
        # From front to back: what a widget fills is hidden in those behind it.
        for widget, (region, clip) in self.visible_widgets.items():
            shown = region.intersection(clip)
            first, last = shown.column_span
            lines = [
                y
                for y, wanted in missing.items()
                if shown.y <= y < shown.bottom and any(first <= start < last for start in wanted)
            ]
            if not lines:
                continue
            top = lines[0]
            crop = Region(shown.x - region.x, top - region.y, shown.width, lines[-1] - top + 1)
            strips = widget.render_lines(crop)
            for y in lines:
                within = [cut for cut in cuts[y] if first <= cut <= last]
                pieces = strips[y - top].divide([cut - first for cut in within[1:]])
                wanted = missing[y]
                for start, piece in zip(within, pieces, strict=False):
                    if start in wanted:
                        chops[y][start] = piece
                        wanted.discard(start)
                if not wanted:
                    del missing[y]
            if not missing:
                break
        return ChopsUpdate(chops, spans, [line[1:] for line in cuts])


def install() -> None:
    """Let the screens of this process use it, where Textual has what it relies on."""
    needed = ("_regions_to_spans", "cuts", "visible_widgets", "render_partial_update")
    if ChopsUpdate is not None and all(hasattr(Compositor, name) for name in needed):
        textual.screen.Compositor = DirtyCompositor  # type: ignore[attr-defined]
