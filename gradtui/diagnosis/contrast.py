"""How much weaker the gradient is at the input than at the output, in one sentence that a stranger understands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from gradtui.words import compare_decades

Tone = Literal["even", "uneven", "weak", "strong", "broken", "none"]

# Measured on labelled nets: healthy ones keep first and last within 0.9 decades of each other, vanishing ones lie
# below -2, exploding ones above 1. What is between is said without alarm.
EVEN_WITHIN = 0.9
WEAK_BELOW = -2.0
STRONG_ABOVE = 1.0
"""In decades."""


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
    broken = [
        name for name, norm in zip(names, norms, strict=True) if not (math.isfinite(norm) and norm >= 0)
    ]
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
    decades = math.log10(first) - math.log10(last)
    return Contrast(compare_decades(decades), _tone(decades))


def _tone(decades: float) -> Tone:
    if abs(decades) <= EVEN_WITHIN:
        return "even"
    if decades < 0:
        return "weak" if decades < WEAK_BELOW else "uneven"
    return "strong" if decades > STRONG_ABOVE else "uneven"
