"""Remove control characters from every line that the app paints."""

from __future__ import annotations

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from gradtui.plain_text import plain


class PlainFilter(LineFilter):
    """A PlainFilter removes control characters from the finished lines of every widget."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments of a line without such characters."""
        if all(segment.text.isprintable() for segment in segments):
            return segments
        return [segment if segment.control else _plain(segment) for segment in segments]


def _plain(segment: Segment) -> Segment:
    text = plain(segment.text, "")
    # The few that have a width are replaced by spaces, so that nothing moves.
    return Segment(text + " " * (segment.cell_length - cell_len(text)), segment.style)
