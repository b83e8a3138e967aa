"""Choose the colours and characters of the charts: true colour, the terminal's own 16, or none; Unicode or ASCII.

A cell's colour is a small number, called a slot: NONE, RAMP … RAMP + 23 (24 steps, low to high, and two weaker tones
of each) and the named ones below. No meaning depends on hue alone: lightness rises or falls steadily along the ramp,
and NaN, infinity and zero have characters too. Colours are mixed in OKLab (B. Ottosson, 2020, "A perceptual color
space for image processing"), in which equal distances look equally large.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rich.color import Color as RichColor
from rich.style import Style

from gradtui.charts.layer_axis import ABSENT, FINITE, INFINITE, NAN, ZERO, Floats

RGB = tuple[int, int, int]
ColourDepth = Literal["true", "ansi", "none"]

STEPS = 24
LEAST_STROKE = 11
"""The lowest step of the ramp in which a thin character has three times the luminance of the ground, or a third."""
NONE = 0
RAMP = 1
RAMP_MIDDLE = RAMP + STEPS
RAMP_WEAK = RAMP_MIDDLE + STEPS
(
    NAN_FILL,
    NAN_INK,
    INF_FILL,
    INF_INK,
    ZERO_INK,
    AXIS,
    TEXT,
    HEALTHY,
    CURSOR,
    THEORY,
    TYPICAL,
    ALERT,
    OTHER,
) = range(RAMP_WEAK + STEPS, RAMP_WEAK + STEPS + 13)
CURVES = 5
SERIES = OTHER + 1
"""The first of CURVES slots for curves, in the colours of the theme."""
WEAK = SERIES + CURVES
"""The first of CURVES slots for the range behind each curve."""
RUNS = 8
RUN = WEAK + CURVES
"""The first of RUNS slots for compared runs, in colours that colour-blind people can tell apart."""
RUN_WEAK = RUN + RUNS
"""The first of RUNS slots for the spread behind each run."""
RUN_FAINT = RUN_WEAK + RUNS
"""The first of RUNS slots for even weaker tones."""
SLOTS = RUN_FAINT + RUNS

# The low end of the ramp is close to the background, dark or light: where the gradient vanishes, the picture fades.
# People with any common colour blindness can tell blue from yellow.
_DARK = (
    (0.30, 0.10, 285),
    (0.42, 0.11, 268),
    (0.55, 0.10, 235),
    (0.68, 0.10, 190),
    (0.81, 0.13, 135),
    (0.93, 0.15, 105),
)
_LIGHT = (
    (0.93, 0.05, 105),
    (0.81, 0.11, 140),
    (0.68, 0.11, 190),
    (0.54, 0.11, 240),
    (0.40, 0.13, 270),
    (0.26, 0.11, 290),
)

# The order follows what terminals paint, not the names: in every common scheme blue is the darkest and yellow and
# white are the lightest.
_ANSI_DARK = ("blue", "bright_blue", "cyan", "bright_cyan", "bright_green", "bright_yellow")
_ANSI_LIGHT = ("yellow", "green", "cyan", "bright_blue", "blue", "black")
_ANSI_NAMED = {
    NAN_FILL: "red", NAN_INK: "bright_white", INF_FILL: "magenta", INF_INK: "bright_white",
    THEORY: "magenta",
}  # fmt: skip
_ANSI_ALERT_DARK, _ANSI_ALERT_LIGHT = "bright_red", "red"
_QUIET = frozenset({ZERO_INK, AXIS, *range(WEAK, RUN), *range(RUN_WEAK, SLOTS)})
"""The slots that stand back. With 16 colours or none they are the terminal's own letters, dimmed: in some schemes, such
as Solarized, bright black is the very colour of the ground."""
# Blue is hard to read on black; yellow, green and cyan on white. A run's colours begin with those that differ most.
_ANSI_LINES_DARK = ("bright_blue", "yellow", "green", "magenta", "cyan")
_ANSI_LINES_LIGHT = ("blue", "magenta", "black", "red", "green")
_ANSI_RUNS_DARK = ("bright_blue", "yellow", "magenta", "green", "cyan", "bright_red", "white", "bright_cyan")
_ANSI_RUNS_LIGHT = ("blue", "red", "magenta", "black", "green", "bright_black", "cyan", "yellow")

# After Okabe and Ito, "Color Universal Design" (2008), moved apart until any two differ by at least 11 in CIELAB, also
# for red- and green-blind people.
_RUNS_DARK: tuple[RGB, ...] = (
    (86, 180, 233), (255, 176, 0), (235, 110, 190), (0, 160, 120),
    (245, 240, 120), (230, 90, 50), (110, 120, 255), (205, 205, 215),
)  # fmt: skip
_RUNS_LIGHT: tuple[RGB, ...] = (
    (0, 120, 200), (214, 90, 0), (150, 40, 130), (0, 140, 100),
    (84, 74, 20), (180, 20, 50), (50, 40, 170), (136, 140, 150),
)  # fmt: skip


@dataclass(frozen=True)
class Glyphs:
    """A Glyphs holds the characters that a chart may use.

    `bars` fill a cell by eighths from below, `shades` more and more densely; `thin` are lines at each eighth's height.
    """

    bars: str
    shades: str
    dithers: str
    thin: str
    nan: str
    inf: str
    zero: str
    none: str
    ground: str
    tick: str
    rule: str
    corner: str
    floor: str
    line: str
    pointer: str
    right: str


UNICODE = Glyphs(
    bars=" ▁▂▃▄▅▆▇█", shades=" ░▒▓█", dithers=" ·░▒▓█", thin="▁▁▁───▔▔", nan="×", inf="∞", zero="0", none="–",
    ground="·", tick="┤", rule="│", corner="└", floor="─", line="━", pointer="▲", right="▶",
)  # fmt: skip
ASCII = Glyphs(
    bars=" __--==##", shades=" .:*#", dithers=" .:-=+*#%@", thin="~" * 8, nan="N", inf="I", zero="0", none="-",
    ground="'", tick="|", rule="|", corner="+", floor="-", line="*", pointer="^", right=">",
)  # fmt: skip


@lru_cache(maxsize=2)
def ramp(dark: bool) -> tuple[RGB, ...]:
    """Return the 24 colours, low to high, for a dark or a light ground."""
    return tuple(even_ramp(np.array([lch(*anchor) for anchor in (_DARK if dark else _LIGHT)]), STEPS))


class _Styles(dict[int, Style]):
    """A _Styles makes the style of ink × SLOTS + fill when it is first asked for."""

    def __init__(self, make: Callable[[int, int], Style]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: int) -> Style:
        style = self[key] = self._make(*divmod(key, SLOTS))
        return style


@dataclass(frozen=True)
class Palette:
    """A Palette says what slots look like on one background.

    `plain` is the style of text on it, `ground` and `text` are the two colours of that style.
    """

    depth: ColourDepth
    ascii: bool
    dark: bool
    ground: RGB
    text: RGB
    plain: Style
    series: tuple[RGB, ...] = ()

    @property
    def glyphs(self) -> Glyphs:
        """Return the characters to draw with."""
        return ASCII if self.ascii else UNICODE

    @cached_property
    def _colours(self) -> list[RichColor | None]:
        if self.depth == "none":
            return [None] * SLOTS
        if self.depth == "ansi":
            names: list[str | None] = [None] * SLOTS
            scheme = _ANSI_DARK if self.dark else _ANSI_LIGHT
            for step in range(STEPS):
                name = scheme[step * len(scheme) // STEPS]
                names[RAMP + step] = names[RAMP_MIDDLE + step] = names[RAMP_WEAK + step] = name
            for slot, name in _ANSI_NAMED.items():
                names[slot] = name
            names[ALERT] = names[OTHER] = _ANSI_ALERT_DARK if self.dark else _ANSI_ALERT_LIGHT
            names[SERIES : SERIES + CURVES] = _ANSI_LINES_DARK if self.dark else _ANSI_LINES_LIGHT
            names[RUN : RUN + RUNS] = _ANSI_RUNS_DARK if self.dark else _ANSI_RUNS_LIGHT
            return [None if name is None else RichColor.parse(name) for name in names]
        return [None if rgb is None else RichColor.from_rgb(*rgb) for rgb in self._rgb]

    def name_of(self, slot: int) -> str:
        """Return the colour of a slot as Textual writes it, such as "#7aa2d8" or "ansi_blue"; "" without colours."""
        colour = self._colours[slot]
        if colour is None:
            return ""
        return f"ansi_{colour.name}" if self.depth == "ansi" else colour.get_truecolor().hex

    @cached_property
    def _rgb(self) -> list[RGB | None]:
        table: list[RGB | None] = [None] * SLOTS
        for step, rgb in enumerate(ramp(self.dark)):
            table[RAMP + step] = rgb
            table[RAMP_MIDDLE + step] = mix(rgb, self.ground, 0.25)
            table[RAMP_WEAK + step] = mix(rgb, self.ground, 0.6)
        red: RGB = (226, 50, 58) if self.dark else (200, 20, 32)
        # These colours differ from the ramp's, also for colour-blind people: light where it is yellow, blue where it is
        # light.
        pink: RGB = (240, 130, 255)
        table[NAN_FILL], table[NAN_INK] = red, (255, 255, 255)
        table[INF_FILL], table[INF_INK] = pink, (30, 0, 40)
        table[ALERT] = (255, 110, 110) if self.dark else red
        table[ZERO_INK] = mix(self.text, self.ground, 0.35)
        table[AXIS] = mix(self.text, self.ground, 0.38)
        table[TEXT] = self.text
        table[HEALTHY] = mix(self.ground, (60, 160, 110), 0.16)
        table[CURSOR] = mix(self.ground, self.text, 0.18)
        table[THEORY] = (255, 140, 90) if self.dark else (190, 70, 10)
        table[TYPICAL] = self.text
        table[OTHER] = (255, 120, 120) if self.dark else red
        # The theme's orange is hardly to be told from its yellow, so the curves after the third have colours of runs.
        more = (_RUNS_DARK if self.dark else _RUNS_LIGHT)[5:7]
        for index, rgb in enumerate((*self.series, *more)[:CURVES] if self.series else ()):
            table[SERIES + index] = rgb
            table[WEAK + index] = mix(rgb, self.ground, 0.55)
        for index, rgb in enumerate(_RUNS_DARK if self.dark else _RUNS_LIGHT):
            table[RUN + index] = rgb
            table[RUN_WEAK + index] = mix(rgb, self.ground, 0.55)
            table[RUN_FAINT + index] = mix(rgb, self.ground, 0.75)
        return table

    @cached_property
    def styles(self) -> dict[int, Style]:
        """Return the style of a cell by ink × SLOTS + fill, on the plain ground."""
        return _Styles(self._make)

    def _make(self, ink: int, fill: int) -> Style:
        style = self.plain
        if self.depth != "none":
            style += Style(color=self._colours[ink], bgcolor=self._colours[fill])
        return style + Style(
            bold=ink in (NAN_INK, INF_INK, TEXT) or None,
            reverse=(self.depth == "none" and fill in (NAN_FILL, INF_FILL)) or None,
            dim=(self.depth != "true" and ink in _QUIET) or None,
        )

    def mark(self, kind: int) -> tuple[str, int, int]:
        """Return character, ink and fill of ZERO, INFINITE, NAN and ABSENT."""
        glyphs = self.glyphs
        return {
            NAN: (glyphs.nan, NAN_INK, NAN_FILL),
            INFINITE: (glyphs.inf, INF_INK, INF_FILL),
            ZERO: (glyphs.zero, ZERO_INK, NONE),
            ABSENT: (glyphs.none, AXIS, NONE),
            FINITE: (" ", NONE, NONE),
        }.get(kind, (" ", NONE, NONE))

    def shade(self, step: int) -> tuple[str, int, int]:
        """Return character, ink and fill that show one of the 24 steps in one cell.

        With 16 colours, a shaded block mixes two neighbours on the ramp, which makes 21 tones of six colours.
        """
        if self.depth == "ansi":
            mixes = len(self.glyphs.shades) - 1
            tones = (len(_ANSI_DARK) - 1) * mixes
            lower, mixed = divmod(round(step * tones / (STEPS - 1)), mixes)
            of_colour = STEPS // len(_ANSI_DARK)
            upper = min(lower + 1, len(_ANSI_DARK) - 1)
            return self.glyphs.shades[mixed], RAMP + upper * of_colour, RAMP + lower * of_colour
        # The first dither is a blank, which means that nothing was recorded, so it is skipped.
        character = self.glyphs.dithers[1 + step * (len(self.glyphs.dithers) - 1) // STEPS]
        if self.depth == "none":
            return character, NONE, NONE
        # Ink and fill are equal, so the character is invisible; it is there for text that is copied or searched.
        return character, RAMP + step, RAMP + step


def ramp_steps(shares: Floats) -> NDArray[np.uint8]:
    """Return the ramp's step (0 … 23) of shares 0 … 1 of the range, in any shape; NaN gives 0."""
    return np.clip(np.nan_to_num(shares) * STEPS, 0, STEPS - 1).astype(np.uint8)


@lru_cache(maxsize=32)
def palette_on(
    depth: ColourDepth,
    ascii: bool,
    dark: bool,
    ground: RGB,
    text: RGB,
    plain: Style,
    series: tuple[RGB, ...] = (),
) -> Palette:
    """Return the palette of a background; it is cached, so that its styles are made once."""
    return Palette(depth, ascii, dark, ground, text, plain, series)


def text_palette(colour: bool, ascii: bool) -> Palette:
    """Return the palette for printed text: the terminal's own 16 colours on its own ground, or none."""
    return palette_on("ansi" if colour else "none", ascii, True, (0, 0, 0), (255, 255, 255), Style())


_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def lch(lightness: float, chroma: float, hue: float) -> NDArray[np.float64]:
    """Return OKLab, of shape (3,), from lightness (0 … 1), chroma (0 … about 0.3) and hue (degrees)."""
    angle = np.radians(hue)
    return np.array([lightness, chroma * np.cos(angle), chroma * np.sin(angle)])


def to_lab(rgb: ArrayLike) -> NDArray[np.float64]:
    """Return OKLab of sRGB 0 … 255; both have the shape (…, 3)."""
    share = np.asarray(rgb, np.float64) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    lab: NDArray[np.float64] = np.cbrt(linear @ _LMS.T) @ _LAB.T
    return lab


def to_rgb(lab: ArrayLike) -> NDArray[np.int64]:
    """Return sRGB 0 … 255 of OKLab, clipped to what a screen can show; both have the shape (…, 3)."""
    linear = (np.asarray(lab, np.float64) @ np.linalg.inv(_LAB).T) ** 3 @ np.linalg.inv(_LMS).T
    linear = np.clip(linear, 0, 1)
    share = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    rgb: NDArray[np.int64] = np.rint(share * 255).astype(np.int64)
    return rgb


def mix(one: RGB, other: RGB, share: float) -> RGB:
    """Return one colour with a share of the other, mixed in OKLab."""
    red, green, blue = to_rgb(to_lab(one) * (1 - share) + to_lab(other) * share)
    return int(red), int(green), int(blue)


def even_ramp(anchors: NDArray[np.float64], steps: int) -> list[RGB]:
    """Return `steps` colours on the path through anchors (OKLab, shape (k, 3)), equally far from each other."""
    lengths = np.linalg.norm(np.diff(anchors, axis=0), axis=1)
    # Clipping to sRGB bends the path, so lengths are measured along a fine polyline.
    at = np.concatenate([[0], np.cumsum(lengths)])
    fine = np.stack([np.interp(np.linspace(0, at[-1], 512), at, anchors[:, i]) for i in range(3)], axis=1)
    seen = to_lab(to_rgb(fine))
    walked = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(seen, axis=0), axis=1))])
    even = np.linspace(0, walked[-1], steps)
    colours = to_rgb(np.stack([np.interp(even, walked, seen[:, i]) for i in range(3)], axis=1))
    return [(int(r), int(g), int(b)) for r, g, b in colours]
