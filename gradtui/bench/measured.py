"""One figure, and what it is held against."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Measured:
    """A figure of this machine. NaN is one that could not be taken."""

    name: str
    value: float
    unit: str
    budget: float | None = None
    at_least: bool = False
    """The budget is the least that will do; else it is the most."""
    spread: tuple[float, float] | None = None
    """The quartiles of what was measured several times; None where they are not told."""

    @property
    def ok(self) -> bool:
        """Within its budget; what has none is always fine."""
        if self.budget is None:
            return True
        return self.value >= self.budget if self.at_least else self.value <= self.budget

    def to_json(self) -> dict[str, Any]:
        """As `gradtui bench --json` says it: four digits are more than any of these figures holds from day to day."""
        value = float(f"{self.value:.4g}") if math.isfinite(self.value) else self.value
        said = {"name": self.name, "value": value, "unit": self.unit, "budget": self.budget, "ok": self.ok}
        return said if self.spread is None else {**said, "spread": list(self.spread)}
