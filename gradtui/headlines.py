"""Write the sentence over the chart of a metric, which says what its values over the layers mean.

This file imports neither torch nor numpy nor textual, because `gradtui.metrics` imports it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from gradtui.absent import is_absent
from gradtui.words import as_factor, compare_decades, formatted, plain_exponents

Tone = Literal["even", "uneven", "weak", "strong", "broken", "none"]
"""How alarming a headline is, and in which direction; "none" makes no statement about health."""

EVEN_DECADES = 0.9
WEAK_DECADES = -2.0
STRONG_DECADES = 1.0
"""Limits of log10 of the gradient at the input over that at the output. Measured on labelled nets: healthy ones stay
within 0.9 decades, vanishing ones lie below -2, exploding ones above 1; values in between raise no alarm."""

STANDSTILL_RATIO = 1e-6
JUMP_RATIO = 0.1
"""Update ÷ weight of one step: below the first a layer hardly changes, above the second it changes too much."""


OUTPUT = "output"
"""The name of the layer that gives the answer, in gradtui's own nets; its gradient is not a measure of the depth."""
LEAST_WITH_OUTPUT = 2
"""The most layers of which the output is compared too, because only one hidden layer is left without it."""


class HeadlineText(NamedTuple):
    """A HeadlineText is the sentence over a chart, and how alarming it is."""

    text: str
    tone: Tone


MakeHeadline = Callable[[Sequence[str], Sequence[float]], HeadlineText]
"""A function that makes the sentence from the names of the layers (or lags) and their values at one step."""


def gradient_headline(names: Sequence[str], norms: Sequence[float]) -> HeadlineText:
    """Return one sentence that compares the gradient of the first layer with that of the last.

    Args:
        names: the layers, input to output.
        norms: their gradient norms at one step, any float including 0, NaN and infinity; ABSENT ones are left out.
    """
    if len(norms) < 2:
        return HeadlineText("only one layer: nothing to compare", "none")
    pairs = [(name, norm) for name, norm in zip(names, norms, strict=True) if not is_absent(norm)]
    none = len(norms) - len(pairs)
    if len(pairs) > LEAST_WITH_OUTPUT and pairs[-1][0] == OUTPUT and math.isfinite(pairs[-1][1]):
        # As everywhere: the first hidden layer against the last hidden one.
        *pairs, (_, at_output) = pairs
        if at_output and not any(norm for _, norm in pairs):
            return HeadlineText("no gradient reaches the hidden layers", "broken")
    if len(pairs) < 2:
        text = f"only layer {pairs[0][0]} has a gradient" if pairs else "no layer has a gradient"
        return HeadlineText(text, "none")
    found, has = _compared(pairs), "has" if none == 1 else "have"
    return (
        found._replace(text=f"{found.text}; {none:,} of {len(norms):,} layers {has} none recorded")
        if none
        else found
    )


def _compared(pairs: Sequence[tuple[str, float]]) -> HeadlineText:
    """Compare the first with the last of at least two layers, given by name and norm."""
    norms = [norm for _, norm in pairs]
    broken = [name for name, norm in pairs if not (math.isfinite(norm) and norm >= 0)]
    if broken:
        many = _layers(broken, len(norms))
        return HeadlineText(f"the gradient is NaN or infinite in {many}", "broken")
    first, last = float(norms[0]), float(norms[-1])
    if first == 0 and last == 0:
        where = "no gradient at the first and the last layer" if any(norms) else "no gradient at all"
        return HeadlineText(where, "broken")
    if first == 0:
        return HeadlineText("no gradient reaches the input", "weak")
    if last == 0:
        return HeadlineText("no gradient at the output", "broken")
    decades = math.log10(first) - math.log10(last)
    return HeadlineText(compare_decades(decades), _tone(decades))


def _layers(names: Sequence[str], count: int) -> str:
    if len(names) == count:
        return f"all {count:,} layers"
    return f"{len(names):,} of {count:,} layers" if len(names) > 1 else names[0]


def _tone(decades: float) -> Tone:
    if abs(decades) <= EVEN_DECADES:
        return "even"
    if decades < 0:
        return "weak" if decades < WEAK_DECADES else "uneven"
    return "strong" if decades > STRONG_DECADES else "uneven"


def lag_headline(names: Sequence[str], values: Sequence[float]) -> HeadlineText:
    """Return one sentence that compares the gradient at the longest time lag with that at the shortest."""
    found = gradient_headline(names[::-1], list(values)[::-1])
    text = found.text
    for over_depth, over_time in (
        ("at the input", f"{names[-1]} steps back"),
        ("reaches the input", f"reaches {names[-1]} steps back"),
        ("the output", "the last step"),
        ("layer", "time lag"),
    ):
        text = text.replace(over_depth, over_time)
    return HeadlineText(text, found.tone)


def update_headline(names: Sequence[str], values: Sequence[float]) -> HeadlineText:
    """Return one sentence on how far one step moves the first layer's weights."""
    # A frozen layer does not change, so the first layer that does is named.
    known = next(
        ((name, value) for name, value in zip(names, values, strict=True) if not is_absent(value)), None
    )
    if known is None or known[1] != known[1]:
        return HeadlineText("no update measured", "none")
    name, moved = known
    text = f"a step changes {name} by {plain_exponents(f'{moved:.1e}')} of its size"
    if moved < STANDSTILL_RATIO:
        return HeadlineText(f"{text}: too little", "weak")
    if moved > JUMP_RATIO:
        return HeadlineText(f"{text}: too much", "strong")
    return HeadlineText(text, "even")


def extremes_headline(format_: str, noun: str) -> MakeHeadline:
    """Return a function that makes a sentence about the layers with the lowest and the highest value.

    Args:
        format_: a format specification of one value, such as ".0%".
        noun: what the values are called.
    """

    def headline(names: Sequence[str], values: Sequence[float]) -> HeadlineText:
        known = [(value, name) for value, name in zip(values, names, strict=True) if value == value]
        if not known:
            return HeadlineText(f"{noun}: not measured in any layer", "none")
        (low, low_name), (high, high_name) = min(known), max(known)
        lowest, highest = (formatted(f"{{:{format_}}}", value) for value in (low, high))
        if lowest == highest:
            where = _layers([name for _, name in known], len(values))
            return HeadlineText(f"{noun} {lowest} in {where}", "none")
        ends = f"from {lowest} ({low_name}) to {highest} ({high_name})"
        return HeadlineText(f"{noun} {ends}", "none")

    return headline


def gain_headline(
    names: Sequence[str], gains: Sequence[float], one: str = "layer", many: str = "layers"
) -> HeadlineText:
    """Return a sentence on the product of the layers' factors, from the output to the input.

    Layers without a factor (ABSENT), such as the first one, are left out. one, many: the noun for what has a factor.
    """
    known = [float(gain) for gain in gains if not is_absent(gain)][::-1]
    if not known:
        return HeadlineText("no factor measured", "none")
    if not all(math.isfinite(gain) for gain in known):
        return HeadlineText("a factor is NaN or infinite", "broken")
    first = " × ".join(f"{gain:.2g}" for gain in known[:3])
    more = " × …" if len(known) > 3 else ""
    after = f"{len(known):,} {many if len(known) > 1 else one}"
    # Logarithms are added, because the product of many factors may be outside the range of floats.
    decades = sum(math.log10(gain) for gain in known) if all(gain > 0 for gain in known) else -math.inf
    return HeadlineText(f"{first}{more} = {as_factor(decades)} after {after}", _tone(decades))
