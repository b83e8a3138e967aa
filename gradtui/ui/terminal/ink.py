"""The escape sequences that change the terminal's ink from one style to another, as short as they can be."""

from __future__ import annotations

from rich.color import ColorSystem
from rich.style import Style

RESET = "\x1b[0m"


class Ink:
    """What a terminal writes with at present. Starts and ends plain: after `reset` anybody may write on."""

    def __init__(self, system: ColorSystem) -> None:
        self._system = system
        self._style: Style | None = None
        self._codes: dict[Style, tuple[object, str, str]] = {}

    def to(self, style: Style | None) -> str:
        """The sequence that makes `style` the ink; of two styles that differ in the letters' colour only, that."""
        if style is self._style:
            return ""
        before, self._style = self._style, style
        if style is None:
            return RESET
        rest, colour, whole = self._of(style)
        if before is not None:
            old_rest, old_colour, _ = self._of(before)
            if rest == old_rest:
                return "" if colour == old_colour else f"\x1b[{colour}m"
        return f"\x1b[0;{whole}m" if whole else RESET

    def reset(self) -> str:
        """Back to plain."""
        return self.to(None)

    def _of(self, style: Style) -> tuple[object, str, str]:
        found = self._codes.get(style)
        if found is None:
            colour = ";".join(style.color.downgrade(self._system).get_ansi_codes()) if style.color else "39"
            # Rich has no public word for it; a style without colour is not rendered at all.
            whole = style._make_ansi_codes(self._system)
            attributes = (style.bold, style.dim, style.italic, style.underline, style.blink, style.blink2)
            more = (style.reverse, style.conceal, style.strike, style.underline2, style.frame, style.overline)
            found = self._codes[style] = ((style.bgcolor, attributes, more), colour, whole)
        return found
