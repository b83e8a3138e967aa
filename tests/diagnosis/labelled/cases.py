"""The labelled set as data: experiments, what was done to them, and the change that would undo it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from gradtui.experiment import Experiment, from_dict, set_fields

FOLDER = Path(__file__).parent / "cases"
HALVES = ("setting", "reporting")
"""By that half rules and thresholds were set; the other was written when they stood, and tells how right they are."""
SEEDS = (0, 1)
PARTS = ("data", "net", "optimizer", "cures", "run")
QUIETLY = {"run.device": "cpu", "run.threads": 1, "run.eval_every": 0}
"""On the CPU and in one thread, as SCIENCE.md's figures were measured."""
WELL = ("healthy", "uneven")
"""Labels of nets in which nothing should be found."""


@dataclass(frozen=True, eq=False)
class Case:
    """An experiment with its label."""

    name: str
    label: str
    """A code of a finding, "healthy" or "uneven" (healthy, and yet its gradient is not even)."""
    half: str
    """One of HALVES."""
    experiment: Experiment
    control: Experiment | None
    """The same without what ails it; of a degraded net the same with fewer layers. None of who is well."""
    recorded: str
    """Under this name its numbers lie in `recorded/`; empty of most."""

    @property
    def well(self) -> bool:
        """Whether nothing should be found."""
        return self.label in WELL

    @property
    def partner(self) -> Experiment | None:
        """The shallower net that a degraded one is held against."""
        return self.control if self.label == "degradation" else None


@cache
def cases() -> tuple[Case, ...]:
    """All of them, half by half."""
    made = []
    for half in HALVES:
        for path in sorted((FOLDER / half).glob("*.toml")):
            raws = tomllib.loads(path.read_text(encoding="utf-8"))["case"]
            made += [_case(raw, raw.get("label", path.stem), half) for raw in raws]
    return tuple(made)


def _case(raw: dict[str, Any], label: str, half: str) -> Case:
    parts = {name: raw[name] for name in PARTS if name in raw}
    experiment = set_fields(from_dict({"name": raw["name"], **parts}), QUIETLY)
    control = set_fields(experiment, raw["control"]) if "control" in raw else None
    return Case(raw["name"], label, half, experiment, control, raw.get("recorded", ""))
