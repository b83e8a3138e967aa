"""Define what a diagnosis says: the registry of all finding codes, and the finding with the cures that it offers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["critical", "warning", "info"]

Effect = Literal["explodes", "starves", "dead", "learns badly"]
"""The effect on the net: its gradient grows too large or becomes too small, its units no longer respond, or its
gradient is healthy and it learns badly for another reason."""


@dataclass(frozen=True)
class FindingCode:
    """A FindingCode is one row of the registry: one thing that can be wrong with a run."""

    code: str
    """The name in files, on the command line and on the screen."""
    title: str
    effect: Effect
    severity: Severity = "critical"
    """The highest severity; a rule lowers it to "warning" if the net learns all the same."""


REGISTRY = (
    FindingCode("not-optimized", "no optimizer moves parameters that are given a gradient", "learns badly"),
    FindingCode("not-cleared", "gradients are never cleared between two steps", "explodes"),
    FindingCode("exploding", "the gradient grows towards the input or during training", "explodes"),
    FindingCode("nonfinite", "NaN or infinity in loss, gradients or activations", "explodes"),
    FindingCode("unstable-loss", "the loss is worse than guessing again and again", "explodes"),
    FindingCode("underflow", "the gradient is smaller than its number format can hold", "starves"),
    FindingCode("dead-units", "units never fire, so that no gradient reaches them", "dead"),
    FindingCode("saturated", "units are saturated, at the flat ends of their activation", "dead"),
    FindingCode(
        "vanishing",
        "almost no gradient reaches the input, or goes far back in time",
        "starves",
    ),
    FindingCode("no-gradient", "layers have never received a gradient", "starves"),
    FindingCode("overclipped", "clipping shortens every step too much", "starves", "warning"),
    FindingCode("degradation", "a deeper net trains worse than a shallower one", "learns badly"),
    FindingCode("spikes", "single steps have a gradient far above their neighbours", "explodes", "info"),
    FindingCode("not-learning", "the loss stays at that of guessing with a healthy gradient", "learns badly"),
)
"""Every finding code, causes before symptoms: the order in which the findings of a run are shown."""

CODES = tuple(row.code for row in REGISTRY)
INFORMATION_CODES = frozenset(row.code for row in REGISTRY if row.severity == "info")
"""Codes of findings that are never a fault by themselves."""
_BY_CODE = {row.code: row for row in REGISTRY}


def codes_with(effect: Effect) -> frozenset[str]:
    """Return the codes of all findings with this effect."""
    return frozenset(row.code for row in REGISTRY if row.effect == effect)


@dataclass(frozen=True)
class CureOffer:
    """A CureOffer is a change of the experiment that may cure what was found."""

    name: str
    set: dict[str, Any] = field(hash=False)
    """New values by dotted path, as `gradtui.experiment.set_fields` takes them; empty for a run without an
    experiment, the training of a script."""
    why: str
    price: str = ""
    """The words for what it costs."""
    key: str = ""
    """The cure's key in `gradtui.experiment.cures.CURES`; empty if it has none."""
    code: str = ""
    """Lines of PyTorch for a script, in its own names; the first one is a comment that says where they go."""
    change: str = ""
    """The change in the form that `gradtui watch --try` takes, if it can be made at run time."""

    def to_json(self) -> dict[str, Any]:
        """Return it as events and reports have it."""
        found = {"name": self.name, "set": dict(self.set), "why": self.why, "code": self.code}
        return {**found, "change": self.change} if self.change else found

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> CureOffer:
        """Read an offer that `to_json` wrote; key and price are those of the known cure of that name, if any."""
        from gradtui.experiment.cures import CURES

        name, changes = str(raw.get("name", "")), raw.get("set")
        known = next((cure for cure in CURES if cure.name == name), None)
        return cls(
            name,
            dict(changes) if isinstance(changes, Mapping) else {},
            str(raw.get("why", "")),
            known.price if known else "",
            known.key if known else "",
            str(raw.get("code", "")),
            str(raw.get("change", "")),
        )


@dataclass(frozen=True)
class Finding:
    """A Finding is one thing that is wrong with a run."""

    code: str
    """One of CODES; a run that another version of gradtui has recorded may have other codes."""
    severity: Severity
    step: int
    """The first recorded step that shows it."""
    layers: tuple[str, ...]
    """The layers that show it, in forward order; empty where it concerns the whole net."""
    evidence: str
    """One sentence with the figures."""
    cures: tuple[CureOffer, ...] = ()
    """The best first."""

    @classmethod
    def of(
        cls,
        code: str,
        step: int,
        layers: tuple[str, ...],
        evidence: str,
        cures: tuple[CureOffer, ...] = (),
        *,
        mild: bool = False,
    ) -> Finding:
        """Make a finding with the severity of the registry, or a warning if the case is mild."""
        severity: Severity = "warning" if mild else _BY_CODE[code].severity
        return cls(code, severity, step, layers, evidence, cures)

    def to_json(self) -> dict[str, Any]:
        """Return it as events and reports have it."""
        return {
            "code": self.code,
            "severity": self.severity,
            "step": self.step,
            "layers": list(self.layers),
            "evidence": self.evidence,
            "cures": [cure.to_json() for cure in self.cures],
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Finding | None:
        """Read a finding that `to_json` wrote, for example from an event; return None if it has no code."""
        code, step, severity = raw.get("code"), raw.get("step"), raw.get("severity")
        layers, cures = raw.get("layers"), raw.get("cures")
        if not isinstance(code, str) or not code:
            return None
        return cls(
            code,
            severity if severity in ("critical", "warning", "info") else "warning",
            step if isinstance(step, int) else 0,
            tuple(map(str, layers)) if isinstance(layers, list) else (),
            str(raw.get("evidence", "")),
            tuple(CureOffer.from_json(cure) for cure in cures if isinstance(cure, Mapping))
            if isinstance(cures, list)
            else (),
        )


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings in the order of the registry; those with an unknown code come last."""
    return sorted(
        findings, key=lambda finding: CODES.index(finding.code) if finding.code in CODES else len(CODES)
    )
