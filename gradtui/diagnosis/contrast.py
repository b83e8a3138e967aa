"""How much weaker the gradient is at the input than at the output, in one sentence that a stranger understands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

Tone = Literal["even", "uneven", "weak", "strong", "broken", "none"]

# Measured on labelled nets: healthy ones keep first and last within 10^0.9 of each other, vanishing ones lie
# below 10^-2, exploding ones above 10. What is between is said without alarm.
EVEN_WITHIN = 10**0.9
WEAK_BELOW = 1e-2
STRONG_ABOVE = 10.0

_UNITS = ((1e15, "million billion"), (1e12, "trillion"), (1e9, "billion"), (1e6, "million"))


class Contrast(NamedTuple):
    """A sentence, and its tone."""

    text: str
    tone: Tone


def contrast(names: Sequence[str], norms: Sequence[float]) -> Contrast:
    """Compare the gradient norms of the first and the last layer.

    Args:
        names: the layers, input to output.
        norms: their gradient norms at one step, any float including 0, NaN and infinity.
    """
    if len(norms) < 2:
        return Contrast("one layer: nothing to compare", "none")
    broken = [name for name, norm in zip(names, norms, strict=True) if not math.isfinite(norm)]
    if broken:
        many = f"{len(broken):,} of {len(norms):,} layers" if len(broken) > 1 else broken[0]
        return Contrast(f"the gradient is not a finite number in {many}", "broken")
    first, last = float(norms[0]), float(norms[-1])
    if first == 0 and last == 0:
        return Contrast("no gradient at all", "broken")
    if first == 0:
        return Contrast("no gradient at all reaches the input", "weak")
    if last == 0:
        return Contrast("no gradient at all at the output", "broken")
    ratio = first / last
    if ratio < 1 / EVEN_WITHIN:
        return Contrast(f"{times(last / first)} times weaker at the input", "weak" if ratio < WEAK_BELOW else "uneven")
    if ratio > EVEN_WITHIN:
        tone: Tone = "strong" if ratio > STRONG_ABOVE else "uneven"
        return Contrast(f"{times(ratio)} times stronger at the input", tone)
    return Contrast(f"even: input and output within a factor of {max(ratio, 1 / ratio):.1f}", "even")


def times(factor: float) -> str:
    """A large factor as people say it: ``630 billion``; beyond words as a power of ten."""
    if factor >= 1e18 or not math.isfinite(factor):
        return f"10^{math.log10(factor):.0f}" if math.isfinite(factor) else "infinitely many"
    for size, word in _UNITS:
        if factor >= size:
            return f"{_two_digits(factor / size)} {word}"
    return _two_digits(factor)


def _two_digits(number: float) -> str:
    if number < 10:
        return f"{number:.1f}"
    digits = math.floor(math.log10(number)) - 1
    return f"{round(number, -digits):,.0f}"
