"""Studies that ship with gradtui: one TOML file each."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from gradtui.experiment.errors import ExperimentError, nearest
from gradtui.study.parse import load
from gradtui.study.spec import StudySpec

FOLDER = Path(__file__).parent

ORDER = (
    "degradation",
    "cures",
    "phase-map",
    "learning-rates",
    "activations",
    "initialisations",
    "clipping",
    "time-lags",
)
"""The question of depth first, then what answers it."""


def names() -> tuple[str, ...]:
    """All of them."""
    return ORDER


@cache
def load_preset(name: str) -> StudySpec:
    """The study of this name. Raises ExperimentError, with the nearest name, where there is none."""
    if name not in ORDER:
        raise ExperimentError(name, name, problem=f"no such study{nearest(name, ORDER)}")
    return load(FOLDER / f"{name}.toml")


def resolve(name_or_path: str) -> StudySpec:
    """A study by its name, or from a TOML file. Raises ExperimentError: neither exists, or the file is no study."""
    if name_or_path in ORDER:
        return load_preset(name_or_path)
    if name_or_path.endswith(".toml") or "/" in name_or_path or os.path.exists(name_or_path):
        return load(name_or_path)
    raise ExperimentError(
        name_or_path, name_or_path, problem=f"no such study or file{nearest(name_or_path, ORDER)}"
    )
