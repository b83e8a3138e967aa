"""Define the labelled set as data: experiments, what was done to each, and the change that would undo it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from gradtui.experiment import Experiment, from_dict, set_fields

FOLDER = Path(__file__).parent / "cases"
HALVES = ("setting", "reporting")
"""Rules and thresholds were set by the first half; the second was written afterwards and says how right they are."""
SEEDS = (0, 1)
PARTS = ("data", "net", "optimizer", "cures", "run")
QUIETLY = {"run.device": "cpu", "run.threads": 1, "run.eval_every": 0}
"""On the CPU and in one thread, as RECIPES.md's figures were measured."""
WELL = ("healthy", "uneven")
"""Labels of nets in which nothing should be found."""


@dataclass(frozen=True, eq=False)
class Case:
    """A Case is an experiment with its label."""

    name: str
    label: str
    """A code of a finding, "healthy" or "uneven" (healthy, and yet its gradient is not even)."""
    half: str
    """One of HALVES."""
    experiment: Experiment
    control: Experiment | None
    """The same without the fault; for a degraded net the same with fewer layers. None for a healthy net."""
    recorded: str
    """The name of its numbers in `recorded/`; empty for most."""

    @property
    def well(self) -> bool:
        """Return whether nothing should be found."""
        return self.label in WELL

    @property
    def partner(self) -> Experiment | None:
        """Return the shallower net with which a degraded one is compared."""
        return self.control if self.label == "degradation" else None


@cache
def cases() -> tuple[Case, ...]:
    """Return all cases, half by half."""
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
