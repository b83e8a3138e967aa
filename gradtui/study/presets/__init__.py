"""Load the studies that ship with gradtui; each is a TOML file in this folder."""

from __future__ import annotations

import os
from functools import cache

from gradtui.experiment.errors import ExperimentError, nearest
from gradtui.ordinary_files import read_shipped
from gradtui.study.spec import StudySpec, load, loads

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
"""The names, in the order in which they are listed."""


def names() -> tuple[str, ...]:
    """Return the names of all studies that ship with gradtui."""
    return ORDER


@cache
def load_preset(name: str) -> StudySpec:
    """Return the study of this name. Raises ExperimentError, with the nearest name, if there is none."""
    if name not in ORDER:
        raise ExperimentError(name, name, problem=f"no such study{nearest(name, ORDER)}")
    file = f"{name}.toml"
    return loads(read_shipped(__name__, file).decode(), file)


def resolve(name_or_path: str) -> StudySpec:
    """Return the study of this name or in this TOML file. Raises ExperimentError if there is neither."""
    if name_or_path in ORDER:
        return load_preset(name_or_path)
    if name_or_path.endswith(".toml") or "/" in name_or_path or os.path.exists(name_or_path):
        return load(name_or_path)
    raise ExperimentError(
        name_or_path, name_or_path, problem=f"no such study or file{nearest(name_or_path, ORDER)}"
    )
