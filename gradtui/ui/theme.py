"""Define the themes of gradtui, and which one fits a terminal; the palette offers every theme of Textual too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from textual.theme import BUILTIN_THEMES, Theme

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
    error="#ef6b5e",
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
    secondary="#6b7080",
    accent="#8a6100",
    foreground="#22262e",
    background="#fafaf7",
    surface="#f3f3ee",
    panel="#e8e8e1",
    success="#2f7a45",
    warning="#9a5a00",
    error="#b3261e",
    dark=False,
    variables={
        "scrollbar": "#c5c5bb",
        "scrollbar-hover": "#a8a89d",
        "scrollbar-active": "#8a6100",
        "scrollbar-background": "#f3f3ee",
        "scrollbar-background-hover": "#f3f3ee",
        "scrollbar-background-active": "#f3f3ee",
        "scrollbar-corner-color": "#f3f3ee",
        "border": "#c5c5bb",
        "border-blurred": "#c5c5bb",
        "footer-background": "#f3f3ee",
        "footer-key-foreground": "#8a6100",
        "footer-description-foreground": "#555a66",
        "block-cursor-background": "#cfdcf0",
        "block-cursor-foreground": "#11141b",
        "block-cursor-text-style": "bold",
        "block-cursor-blurred-background": "#e8e8e1",
        "block-cursor-blurred-foreground": "#22262e",
        "block-cursor-blurred-text-style": "none",
    },
)
_QUIET = {"border": "ansi_bright_black", "border-blurred": "ansi_bright_black"}
"""Frames in grey: Textual's are magenta, and would be the first thing that is seen."""
ANSI_DARK = replace(
    BUILTIN_THEMES["ansi-dark"],
    primary="ansi_bright_blue",
    variables={**BUILTIN_THEMES["ansi-dark"].variables, **_QUIET},
)
"""Textual's theme with other frames, and a lighter blue: the plain one is too dark on black."""
ANSI_LIGHT = replace(
    BUILTIN_THEMES["ansi-light"],
    secondary="ansi_bright_black",
    variables={**BUILTIN_THEMES["ansi-light"].variables, **_QUIET, "block-cursor-background": "ansi_black"},
)
"""Textual's theme with other frames, with grey in place of cyan, which is too pale on white, and another cursor: its
letters of magenta and cyan cannot be read on blue."""

_LIGHT_GROUNDS = frozenset({"7", "15"})


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
