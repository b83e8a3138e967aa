"""Put figures, times and nets into a few words, the same on the screen and in reports."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gradtui.absent import is_absent

_UNITS = ((18, None), (15, "million billion"), (12, "trillion"), (9, "billion"), (6, "million"))


def compare_decades(decades: float) -> str:
    """Return how the gradient at the input compares with the one at the output, from the difference of their log10.

    A factor below two counts as no difference, because He-initialised nets vary by as much between seeds.
    """
    if abs(decades) < math.log10(2):
        return "as strong at the input as at the output"
    return f"{times(abs(decades))} times {'weaker' if decades < 0 else 'stronger'} at the input"


def several(count: int, noun: str) -> str:
    """Return a count with its noun: ``1 layer``, ``1,000 layers``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def times(decades: float) -> str:
    """Return the factor 10^decades in words: ``630 billion``; beyond trillions as ``1e42``."""
    for least, unit in _UNITS:
        if decades >= least:
            return f"{_two_digits(10 ** (decades - least))} {unit}" if unit else f"1e{decades:.0f}"
    return _two_digits(10**decades)


def ratio(decades: float) -> str:
    """Return a factor that is given by its log10: ``6e-13``, ``0.02``, ``13``; a dash for NaN.

    It is computed from the decades, because the factor may be outside the range of floats.
    """
    if (plain := _without_exponent(decades, least=-3)) is not None:
        return plain
    exponent = math.floor(decades)
    digit = round(10 ** (decades - exponent))
    return f"1e{exponent + 1}" if digit == 10 else f"{digit}e{exponent}"


def _without_exponent(decades: float, least: float) -> str | None:
    """Return a factor between 10^least and 10,000, which needs no exponent; None for any other."""
    if math.isnan(decades):
        return "–"
    if math.isinf(decades):
        return "0" if decades < 0 else "∞"
    return f"{_rounded(10**decades):.12g}" if least <= decades < 4 else None


def as_factor(decades: float) -> str:
    """Return a factor that is given by its log10, in two digits: ``2.3e-12``, ``0.24``, ``13``, ``0``."""
    if (plain := _without_exponent(decades, least=-2)) is not None:
        return plain
    exponent = math.floor(decades)
    digits = f"{10 ** (decades - exponent):.2g}"
    if digits == "10":
        digits, exponent = "1", exponent + 1
    return f"{digits}e{exponent}"


def _rounded(number: float) -> float:
    return float(f"{number:.1e}")


def _two_digits(number: float) -> str:
    if number < 9.95:
        return f"{number:.1f}"
    return f"{float(f'{number:.1e}'):,.0f}"


def cut_middle(text: str, width: int) -> str:
    """Return the text cut to a width in its middle, since names often differ at their ends only."""
    if len(text) <= width or width < 3:
        return text
    end = (width - 1) // 2
    return f"{text[: width - 1 - end]}…{text[-end:]}"


def common_beginning(texts: Sequence[str]) -> str:
    """Return the characters with which all texts begin; "" where there are no texts."""
    first, last = min(texts, default=""), max(texts, default="")
    # All others are between these two, and so begin with what both begin with.
    differs = (at for at, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1])
    return first[: next(differs, len(first))]


def seconds(value: float) -> str:
    """Return a duration in words: ``3.1 s``, ``2 min 05 s``, ``3 h 20 min``."""
    if value < 59.95:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def step_time(value: float) -> str:
    """Return the time of a step: ``12.3 ms``, ``1.81 s``."""
    return f"{value * 1000:.3g} ms" if value < 0.9995 else f"{value:.3g} s"


def about(value: float) -> str:
    """Return an estimated duration in one or two digits: ``under 10 s``, ``about 40 s``, ``about 5 min``."""
    if value < 10:
        return "under 10 s"
    if value < 55:
        return f"about {round(value, -1):.0f} s"
    for unit, size, most in (("min", 60, 3300), ("h", 3600, 80000)):
        if value < most:
            return f"about {max(1, round(value / size))} {unit}"
    return f"about {max(1, round(value / 86400))} d"


def about_range(value: float) -> str:
    """Return an estimated duration from what it takes on an idle machine to twice that: ``30 s to 1 min``."""
    low, high = (about(time).removeprefix("about ") for time in (value, 2 * value))
    if low == high:
        return high if high.startswith("under") else f"about {high}"
    return f"{low} to {high}"


_EXPONENT = re.compile(r"(?<=\d)(?:\.0+)?e([+-])0*(?=\d)")
_NAN = re.compile(r"\bnan\b")
_ZERO = re.compile(r"(?<![\w.])[+-]?0(?:\.0+)?e[+-]0+(?!\d)|(?<![\w.])[+-]0(?:\.0+)?(?![\d.e])")


def plain_exponents(text: str) -> str:
    """Return a text whose numbers are as people write them: ``1e-9`` and not ``1.0e-09``, ``NaN`` and not ``nan``.

    Zero has no sign, which formats give to a number that they round to it.
    """
    named = _NAN.sub("NaN", text)
    return _EXPONENT.sub(lambda found: "e-" if found[1] == "-" else "e", _ZERO.sub("0", named))


FEWEST_LONG = 1e4
"""A number of this size and more has no fixed decimals, which would make it long."""


def formatted(template: str, value: float) -> str:
    """Return a number in a template such as ``{:+.2f}``; a long one as a power of ten, ``+1.6e20``."""
    if FEWEST_LONG <= abs(value) < math.inf:
        template = re.sub(r"\.\d+f}", ".1e}", template)
    return plain_exponents(template.format(value))


def setting(value: float) -> str:
    """Return a number that a person has chosen, such as a learning rate, with up to six digits: ``0.05``, ``1e-5``."""
    return plain_exponents(f"{value:g}")


def value_in_words(value: object) -> str:
    """Return the value of a field: a number with up to six digits, anything else as Python writes it."""
    return setting(value) if isinstance(value, float) else str(value)


def which_layers(names: Sequence[str]) -> str:
    """Return which layers a sentence is about, to be put behind it: ``, dense1 … dense9 (9 layers)``; "" for none."""
    if len(names) < 3:
        return f", {' and '.join(names)}" if names else ""
    return f", {names[0]} … {names[-1]} ({len(names):,} layers)"


def figure(value: float | None) -> str:
    """Return four significant digits; a dash for None."""
    return "–" if value is None else plain_exponents(f"{value:.4g}")


_BLOCKS = "▁▂▃▄▅▆▇"
"""The full block is left out, because the full blocks of two lines would merge."""
DECADES = 8.0
"""The decades that the blocks span down from the largest."""


def ago(seconds: float) -> str:
    """Return in words how long ago something was, in the largest unit that fits."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return "now" if seconds < 10 else f"{seconds:.0f} s ago"


def duration(seconds: float | None) -> str:
    """Return a duration in two or three digits: ``0.26 s``, ``12 s``, ``3.4 min``, ``11 h``; a dash for None."""
    if seconds is None or math.isnan(seconds):
        return "–"
    unit, size = next(
        ((u, s) for u, s in (("d", 86400), ("h", 3600), ("min", 60)) if seconds >= 1.5 * s), ("s", 1)
    )
    amount = seconds / size
    return f"{amount:.2f} {unit}" if amount < 1 else f"{amount:.{1 if amount < 10 else 0}f} {unit}"


FRACTION = (0.0, 1.0)
"""The range of a fraction, such as an accuracy, which is written in percent."""


def percent(share: float | None) -> str:
    """Return a fraction in percent; a dash for None."""
    return "–" if share is None else f"{share:.1%}"


def number(value: float | None) -> str:
    """Return three significant digits; a dash for None."""
    return "–" if value is None else plain_exponents(f"{value:.3g}")


LEAST_PLAIN, MOST_PLAIN = 1e-5, 1e4
"""The numbers between these are written without an exponent beside a deviation."""


def with_deviation(mean: float, deviation: float, form: Callable[[float], str]) -> str:
    """Return a mean with its standard deviation, in a form of one number.

    Of `number`, the deviation gets two digits, and the mean the same decimals: more of its digits mean nothing, and
    fewer would hide that the deviation is small.
    """
    if form is number and LEAST_PLAIN <= deviation <= abs(mean) < MOST_PLAIN:
        decimals = max(0, 1 - math.floor(math.log10(deviation)))
        return f"{mean:.{decimals}f} ± {deviation:.{decimals}f}"
    return f"{form(mean)} ± {form(deviation)}"


def blocks(profile: Sequence[float]) -> str:
    """Return the gradient over depth, given as log10, as one row of blocks that show how far each is below the largest.

    NaN, infinity and zero have the signs of the charts; a blank means that there is no gradient.
    """
    finite = [value for value in profile if math.isfinite(value)]
    top = max(finite, default=0.0)
    return "".join(_block(value, top) for value in profile)


def _block(value: float, top: float) -> str:
    if is_absent(value):
        return " "
    if math.isnan(value):
        return "×"
    if math.isinf(value):
        return "∞" if value > 0 else "0"
    share = max(0.0, 1 - (top - value) / DECADES)
    return _BLOCKS[min(len(_BLOCKS) - 1, int(share * len(_BLOCKS)))]


def printable(text: str) -> str:
    """Return a text on one line, with a dot for each character that cannot be printed; a run may have any name."""
    return "".join(character if character.isprintable() else "·" for character in text)


def net_in_words(experiment: Mapping[str, Any]) -> str:
    """Return the net, its data and its optimizer in a few words; "" for an experiment of another version."""
    try:
        groups = " › ".join(group_in_words(group) for group in experiment["net"])
        optimizer = experiment["optimizer"]
        return f"{experiment['data']['source']} › {groups}  ·  {optimizer['kind']} {setting(optimizer['lr'])}"
    except (KeyError, TypeError, ValueError):
        return ""


def group_in_words(group: Mapping[str, Any]) -> str:
    """Return a group of blocks, given as plain data, in a few words. Raises KeyError for data of another version."""
    words = [f"{group['repeat']}× {group['block']} {group['width']}"]
    if group["block"] not in ("lstm", "gru"):
        words.append(group["activation"])
    words.append(group["init"] if group["gain"] == 1 else f"{group['init']} ×{group['gain']:g}")
    words += [f"{group['norm']} norm"] if group["norm"] != "none" else []
    if group["shortcut"] != "none":
        words.append("shortcut" if group["shortcut"] == "identity" else group["shortcut"])
    return " ".join(words)
