"""What a diagnosis says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["critical", "warning", "info"]

CODES = (
    "exploding",
    "nonfinite",
    "unstable-loss",
    "underflow",
    "dead-units",
    "saturated",
    "vanishing",
    "no-gradient",
    "overclipped",
    "degradation",
    "not-learning",
)
"""Every code, causes before symptoms: the order in which the findings of a run stand."""


@dataclass(frozen=True)
class CureOffer:
    """A change of the experiment that may heal what was found."""

    name: str
    set: dict[str, Any] = field(hash=False)
    """New values by dotted path, as `gradtui.experiment.set_fields` takes them; empty where the run has no
    experiment, being somebody's own script."""
    why: str
    price: str = ""
    """What it costs."""
    key: str = ""
    """Of the cure in `gradtui.experiment.edits.CURES`; empty where it is none of them."""

    def to_json(self) -> dict[str, Any]:
        """As DESIGN's JSON has it."""
        return {"name": self.name, "set": dict(self.set), "why": self.why}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a run."""

    code: str
    """One of CODES."""
    severity: Severity
    step: int
    """Where it began: the first recorded step that shows it."""
    layers: tuple[str, ...]
    """The layers that it shows in, in forward order; empty where it is the whole net's."""
    evidence: str
    """One sentence with the figures."""
    cures: tuple[CureOffer, ...] = ()
    """Best first."""

    def to_json(self) -> dict[str, Any]:
        """As DESIGN's JSON has it."""
        return {
            "code": self.code,
            "severity": self.severity,
            "step": self.step,
            "layers": list(self.layers),
            "evidence": self.evidence,
            "cures": [cure.to_json() for cure in self.cures],
        }
