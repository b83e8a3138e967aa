"""Write what the signs of a chart of factors mean, and what one layer's factor is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from gradtui.words import as_factor

if TYPE_CHECKING:
    from gradtui.diagnosis.factors import Factors


def factor_signs(factors: Factors) -> Content:
    """Return the title of the chart of factors, with the meaning of its signs."""
    expected = bool((factors.theory == factors.theory).any())
    parted = factors.slope == factors.slope
    whole = bool(((factors.total == factors.total) & ~parted).any())
    signs = (
        (bool(parted.any()), "█", "$primary", "derivative ×"),
        (bool(parted.any()), "█", "$accent", "weights"),
        (whole, "█", "$success", "whole"),
        (True, "•", "bold", "product"),
        (expected, "─", "bold $warning", "theory"),
    )
    parts = [Content.assemble((sign, colour), f" {text}") for there, sign, colour, text in signs if there]
    return Content("  ").join([Content("Factors"), *parts])


def factor_readout(factors: Factors, at: int) -> Content:
    """Return a layer's factor with its parts, the product up to it and theory's factor."""
    name = Content.styled(
        f"lag {factors.names[at]}" if factors.over_time else factors.names[at], "bold $accent"
    )
    total, slope, running, theory = (
        float(values[at]) for values in (factors.total, factors.slope, factors.running, factors.theory)
    )
    if total != total:
        return name + Content.styled("  no factor: no gradient goes on from here", "$secondary")
    value = name + Content(f"  {as_factor(total)}")
    if slope == slope:
        value += Content.assemble(
            " = ", (as_factor(slope), "$primary"), " × ", (as_factor(total - slope), "$accent")
        )
    product = Content.assemble(("  • ", "bold"), f"product {as_factor(running)}")
    expected = Content("")
    if theory == theory:
        expected = Content.assemble(("  ─", "bold $warning"), f" theory {as_factor(theory)}")
    return value + product + expected
