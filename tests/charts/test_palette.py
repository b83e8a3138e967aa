"""Test that the colours of the ramp are distinct for every kind of sight, and that marks differ from all of them."""

from __future__ import annotations

import numpy as np
import pytest
from rich.style import Style

from gradtui.charts.layer_axis import INFINITE, NAN, ZERO
from gradtui.charts.palette import (
    AXIS,
    CURVES,
    INF_FILL,
    LEAST_STROKE,
    NAN_FILL,
    RAMP,
    RUN,
    RUNS,
    SERIES,
    SLOTS,
    STEPS,
    Palette,
    mix,
    palette_on,
    ramp,
    ramp_steps,
    to_lab,
    to_rgb,
)

# G. Machado, M. Oliveira, L. Fernandes, 2009, "A physiologically-based model for simulation of color vision
# deficiency": full protanopia, deuteranopia and tritanopia, on linear RGB.
EYES = {
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
    "grey": [[0.2126, 0.7152, 0.0722]] * 3,
    "all": np.eye(3).tolist(),
}


def seen(rgb: object, eye: str) -> np.ndarray:
    """sRGB as an eye sees it."""
    share = np.asarray(rgb) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.array(EYES[eye]).T, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def palettes() -> list[Palette]:
    plain = Style.parse("white on black")
    return [
        palette_on(depth, ascii, dark, (17, 20, 27) if dark else (250, 250, 247), (200, 200, 200), plain)  # type: ignore[arg-type]
        for depth in ("true", "ansi", "none")
        for ascii in (False, True)
        for dark in (False, True)
    ]


def test_oklab_of_known_colours() -> None:
    # White, and sRGB's red as in Ottosson's table and CSS Color 4.
    np.testing.assert_allclose(to_lab([255, 255, 255]), [1, 0, 0], atol=1e-4)
    np.testing.assert_allclose(to_lab([255, 0, 0]), [0.62796, 0.22486, 0.12585], atol=1e-4)
    np.testing.assert_allclose(to_lab([0, 0, 255]), [0.45201, -0.03246, -0.31153], atol=1e-4)


def test_oklab_there_and_back() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (500, 3))
    np.testing.assert_array_equal(to_rgb(to_lab(colours)), colours)
    assert mix((0, 0, 0), (255, 255, 255), 0) == (0, 0, 0)
    assert mix((0, 0, 0), (255, 255, 255), 1) == (255, 255, 255)


@pytest.mark.parametrize("dark", [True, False])
def test_neighbouring_ramp_steps_are_equally_far_apart(dark: bool) -> None:
    steps = np.linalg.norm(np.diff(to_lab(ramp(dark)), axis=0), axis=1)
    assert len(steps) == STEPS - 1
    assert steps.max() / steps.min() < 1.5


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("dark", [True, False])
def test_lightness_rises_along_the_ramp_for_every_kind_of_colour_vision(dark: bool, eye: str) -> None:
    change = np.diff(to_lab(seen(ramp(dark), eye))[:, 0])
    # 0.02 is the just noticeable difference of OKLab (CSS Color 4); two neighbours make it for every eye.
    assert (change > 0).all() if dark else (change < 0).all()
    assert np.abs(change[:-1] + change[1:]).min() > 0.02


@pytest.mark.parametrize(
    ("dark", "ground"), [(True, (17, 20, 27)), (False, (250, 250, 247)), (True, (0, 0, 0))]
)
def test_the_weak_end_still_stands_out_from_the_ground(dark: bool, ground: tuple[int, int, int]) -> None:
    weak, strong = to_lab(ramp(dark)[0]), to_lab(ramp(dark)[-1])
    assert np.linalg.norm(weak - to_lab(ground)) > 0.05
    assert np.linalg.norm(strong - to_lab(ground)) > 0.6


@pytest.mark.parametrize("eye", [eye for eye in EYES if eye != "grey"])
@pytest.mark.parametrize("dark", [True, False])
def test_nan_and_infinity_are_colours_off_the_ramp(dark: bool, eye: str) -> None:
    palette = palette_on("true", False, dark, (17, 20, 27), (200, 200, 200), Style())
    for slot in (NAN_FILL, INF_FILL):
        colour = palette.styles[slot].bgcolor
        assert colour is not None
        assert colour.triplet is not None
        far = np.linalg.norm(to_lab(seen(ramp(dark), eye)) - to_lab(seen(tuple(colour.triplet), eye)), axis=1)
        assert far.min() > 0.05


# The text colours of VGA by their ANSI names, of which all later schemes are softer versions.
VGA = {
    "black": (0, 0, 0), "red": (170, 0, 0), "green": (0, 170, 0), "yellow": (170, 85, 0), "blue": (0, 0, 170),
    "magenta": (170, 0, 170), "cyan": (0, 170, 170), "white": (170, 170, 170), "bright_black": (85, 85, 85),
    "bright_blue": (85, 85, 255), "bright_red": (255, 85, 85), "bright_cyan": (85, 255, 255),
}  # fmt: skip


def _luminance(rgb: tuple[int, int, int]) -> float:
    share = np.asarray(rgb) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("dark", [True, False])
def test_curves_of_16_colours_stand_out_from_the_ground_and_differ(dark: bool) -> None:
    palette = palette_on("ansi", False, dark, (0, 0, 0), (200, 200, 200), Style())
    ground = _luminance((0, 0, 0) if dark else (255, 255, 255))
    for first, count in ((SERIES, CURVES), (RUN, RUNS)):
        names = [palette.name_of(slot).removeprefix("ansi_") for slot in range(first, first + count)]
        assert len(set(names)) == count
        for name in names:
            # The contrast of WCAG 2; plain blue on black has 1.6, and the yellow of most schemes on white has 1.2.
            low, high = sorted((ground, _luminance(VGA[name])))
            assert (high + 0.05) / (low + 0.05) > 2.5, name
        assert dark or "yellow" not in names[:CURVES]


@pytest.mark.parametrize(("dark", "ground", "text"), [
    (True, (17, 20, 27), (213, 217, 226)), (False, (250, 250, 247), (34, 38, 46)),
])  # fmt: skip
def test_numbers_at_the_axes_can_be_read(
    dark: bool, ground: tuple[int, int, int], text: tuple[int, int, int]
) -> None:
    colour = palette_on("true", False, dark, ground, text, Style()).styles[AXIS * SLOTS].color
    assert colour is not None
    assert colour.triplet is not None
    low, high = sorted((_luminance(ground), _luminance(tuple(colour.triplet))))
    assert (high + 0.05) / (low + 0.05) >= 4.5
    # Bright black is the ground's own colour in some schemes; letters that are dimmed are never invisible.
    style = palette_on("ansi", False, dark, ground, text, Style()).styles[AXIS * SLOTS]
    assert style.color is None
    assert style.dim


@pytest.mark.parametrize(("dark", "ground"), [(True, (17, 20, 27)), (False, (250, 250, 247))])
def test_strokes_in_the_ramp_s_colours_can_be_read_from_a_step_on(
    dark: bool, ground: tuple[int, int, int]
) -> None:
    for colour in ramp(dark)[LEAST_STROKE:]:
        low, high = sorted((_luminance(ground), _luminance(colour)))
        assert (high + 0.05) / (low + 0.05) >= 3, "the least contrast of WCAG 2 for graphics"


def test_values_that_are_no_numbers_have_characters_of_their_own() -> None:
    for palette in palettes():
        marks = [palette.mark(kind)[0] for kind in (NAN, INFINITE, ZERO)]
        shades = {palette.shade(step)[0] for step in range(STEPS)}
        assert len(set(marks)) == 3
        assert not set(marks) & shades
        assert all(len(mark) == 1 for mark in marks)


def test_ascii_palettes_use_ascii_characters_only() -> None:
    for palette in palettes():
        if palette.ascii:
            text = "".join(getattr(palette.glyphs, name) for name in palette.glyphs.__dataclass_fields__)
            text += "".join(palette.shade(step)[0] for step in range(STEPS))
            text += "".join(palette.mark(kind)[0] for kind in (NAN, INFINITE, ZERO))
            assert text.isascii()


def test_a_palette_without_colour_has_no_colours() -> None:
    for palette in palettes():
        if palette.depth == "none":
            styles = [palette.styles[key] for key in range(SLOTS * SLOTS)]
            assert {style.color for style in styles} == {palette.plain.color}
            assert {style.bgcolor for style in styles} == {palette.plain.bgcolor}
            # Darkness of the character tells what the colour cannot.
            order = " ·░▒▓█" if not palette.ascii else " .:-=+*#%@"
            levels = [order.index(palette.shade(step)[0]) for step in range(STEPS)]
            assert levels == sorted(levels)
            assert levels[0] > 0
            assert levels[-1] == len(order) - 1


@pytest.mark.parametrize("dark", [True, False])
def test_sixteen_colours_tell_21_tones_evenly_over_the_whole_ramp(dark: bool) -> None:
    palette = palette_on("ansi", False, dark, (0, 0, 0), (255, 255, 255), Style())
    looks = []
    for step in range(STEPS):
        character, ink, fill = palette.shade(step)
        style = palette.styles[ink * SLOTS + fill]
        # A shaded block of one colour on the same colour looks like a plain cell.
        mixed = character != " " and style.color != style.bgcolor
        looks.append((style.bgcolor, (character, style.color) if mixed else None))
    assert len(set(looks)) == 21
    alike = [looks.count(look) for look in looks]
    assert max(alike) == 2, "at no end of the ramp do many steps look alike"
    assert alike[0] == alike[-1] == 1


def test_shares_are_mapped_to_ramp_steps() -> None:
    assert ramp_steps(np.array([0.0, 0.5, 1.0, np.nan])).tolist() == [0, 12, 23, 0]
    assert RAMP + STEPS - 1 < NAN_FILL
