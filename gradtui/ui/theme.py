"""Define the themes of gradtui, and which one fits a terminal; the palette offers every theme of Textual too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rich.style import Style
from textual.color import BLACK, WHITE, Color
from textual.theme import BUILTIN_THEMES, Theme

if TYPE_CHECKING:
    from textual.app import App

DARK = Theme(
    name="gradtui-dark",
    primary="#7aa2d8",
    secondary="#98a0b3",
    accent="#e8c15a",
    foreground="#d5d9e2",
    background="#11141b",
    surface="#161a22",
    panel="#1e2430",
    success="#7fbf8e",
    warning="#e8a04c",
    error="#f48074",
    dark=True,
    variables={
        "scrollbar": "#343c4c",
        "scrollbar-hover": "#4a5468",
        "scrollbar-active": "#e8c15a",
        "scrollbar-background": "#161a22",
        "scrollbar-background-hover": "#161a22",
        "scrollbar-background-active": "#161a22",
        "scrollbar-corner-color": "#161a22",
        "border": "#343c4c",
        "border-blurred": "#343c4c",
        "footer-background": "#161a22",
        "footer-key-foreground": "#e8c15a",
        "footer-description-foreground": "#9aa3b5",
        "block-cursor-background": "#2c3850",
        "block-cursor-foreground": "#f2f4f8",
        "block-cursor-text-style": "bold",
        "block-cursor-blurred-background": "#1e2430",
        "block-cursor-blurred-foreground": "#d5d9e2",
        "block-cursor-blurred-text-style": "none",
    },
)

LIGHT = Theme(
    name="gradtui-light",
    primary="#2f5f9e",
    secondary="#555a68",
    accent="#7a5600",
    foreground="#22262e",
    background="#fafaf7",
    surface="#f3f3ee",
    panel="#e8e8e1",
    success="#286a3b",
    warning="#8a5000",
    error="#b3261e",
    dark=False,
    variables={
        "scrollbar": "#c5c5bb",
        "scrollbar-hover": "#a8a89d",
        "scrollbar-active": "#7a5600",
        "scrollbar-background": "#f3f3ee",
        "scrollbar-background-hover": "#f3f3ee",
        "scrollbar-background-active": "#f3f3ee",
        "scrollbar-corner-color": "#f3f3ee",
        "border": "#c5c5bb",
        "border-blurred": "#c5c5bb",
        "footer-background": "#f3f3ee",
        "footer-key-foreground": "#7a5600",
        "footer-description-foreground": "#555a66",
        "block-cursor-background": "#cfdcf0",
        "block-cursor-foreground": "#11141b",
        "block-cursor-text-style": "bold",
        "block-cursor-blurred-background": "#e8e8e1",
        "block-cursor-blurred-foreground": "#22262e",
        "block-cursor-blurred-text-style": "none",
    },
)
_ALIKE = {
    "border": "#808080",
    "border-blurred": "#808080",
    "scrollbar": "ansi_bright_blue",
    "scrollbar-hover": "ansi_bright_blue",
    "scrollbar-background": "ansi_default",
    "scrollbar-background-hover": "ansi_default",
    "scrollbar-background-active": "ansi_default",
}
"""What both themes of 16 colours share. Frames stand back: `QuietFilter` shows each true colour as the terminal's own
letters, dimmed. Textual's frames are magenta, and would be the first thing that is seen. The track of a scroll bar has
no colour: NO_COLOR would reverse it like the thumb, and hide where one is."""
ANSI_DARK = replace(
    BUILTIN_THEMES["ansi-dark"],
    primary="ansi_bright_blue",
    error="ansi_bright_red",
    variables={
        **BUILTIN_THEMES["ansi-dark"].variables,
        **_ALIKE,
        "footer-key-foreground": "ansi_green",
        "input-selection-background": "ansi_cyan",
    },
)
"""Textual's theme with lighter blue and red: the plain ones are too dark on black. Keys have the accent's colour."""
ANSI_LIGHT = replace(
    BUILTIN_THEMES["ansi-light"],
    secondary="ansi_bright_black",
    success="ansi_blue",
    warning="ansi_red",
    variables={
        **BUILTIN_THEMES["ansi-light"].variables,
        **_ALIKE,
        "block-cursor-background": "ansi_black",
        "input-selection-background": "ansi_black",
        "input-selection-foreground": "ansi_bright_white",
    },
)
"""Textual's theme with colours that can be read on white, where green and cyan are too pale, and with another cursor:
its letters of magenta and cyan cannot be read on blue."""

_LIGHT_GROUNDS = frozenset({"7", "15"})

CURSOR_CONTRAST = 3.0
"""The least contrast of coloured letters with the ground of the chosen line, where they are bold."""
READABLE_CONTRAST = 4.5
"""The least contrast of letters with their ground, as the Web Content Accessibility Guidelines ask."""
_OF_LETTERS = ("secondary", "accent", "success", "warning", "error")
"""The colours of a theme in which gradtui writes letters; Textual uses most of them for areas only."""
_DEFAULT_GROUNDS = {True: "#121212", False: "#efefef"}
"""The grounds of a dark and of a light theme that names none."""


def readable(theme: Theme) -> Theme:
    """Return a theme whose colours of letters stand out from its ground; those that do not are moved away from it.

    Themes of the terminal's own colours stay as they are: their owner has made them readable.
    """
    if theme.name.startswith("ansi"):
        return theme
    known = _MADE.get(theme.name)
    if known is not None and known[0] is theme:
        return known[1]
    ground = Color.parse(theme.background or _DEFAULT_GROUNDS[theme.dark])
    changed: dict[str, Any] = {}
    for name in _OF_LETTERS:
        given = getattr(theme, name)
        colour = Color.parse(given) if given is not None else None
        while colour is not None and contrast(colour, ground) < READABLE_CONTRAST:
            colour = colour.blend(WHITE if theme.dark else BLACK, 0.08)
            changed[name] = colour.hex
    made = replace(theme, **changed) if changed else theme
    _MADE[theme.name] = theme, made
    return made


_MADE: dict[str, tuple[Theme, Theme]] = {}
"""What `readable` has returned, by the theme's name: it is asked for with each style."""


def cursor_style(app: App[Any]) -> Style | None:
    """Return the one style of the chosen line where the colours of its parts could not be read on the cursor's ground.

    None where they can. With the terminal's own colours they cannot: in reverse, each would be another ground.
    """
    if app.native_ansi_color:
        return Style(reverse=True)
    theme = app.current_theme
    ground = Color.parse(app.theme_variables["block-cursor-background"])
    letters = [colour for name in _OF_LETTERS if (colour := getattr(theme, name)) is not None]
    if all(contrast(Color.parse(colour), ground) >= CURSOR_CONTRAST for colour in letters):
        return None
    return Style(
        color=ground.get_contrast_text(1.0).rich_color, bgcolor=ground.rich_color, bold=True, reverse=False
    )


def contrast(one: Color, other: Color) -> float:
    """Return the contrast of two colours, from 1 to 21, as the guidelines define it."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: Color) -> float:
    linear = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour.normalized
    )
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def fitting_theme(colours: str | None, environ: Mapping[str, str]) -> str:
    """Return the name of the theme for a terminal, where no theme is set.

    A terminal of 16 colours gets a theme of its own colours, which its owner has made readable: the nearest of them
    to gradtui's would be mostly black.

    Args:
        colours: the console's colour system, which goes by COLORTERM and TERM.
        environ: the environment.
    """
    if colours in ("truecolor", "256"):
        return DARK.name
    # rxvt, Konsole and others name the colours of their letters and their ground: "0;15" is black on white.
    ground = environ.get("COLORFGBG", "").rpartition(";")[2]
    return "ansi-light" if ground in _LIGHT_GROUNDS else "ansi-dark"
