"""Experiments that ship with gradtui: one TOML file each, the default first."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from gradtui.experiment.errors import ExperimentError, nearest
from gradtui.experiment.parse import load
from gradtui.experiment.spec import Experiment

FOLDER = Path(__file__).parent

ORDER = ("sigmoid-20",)
"""The story: vanishing, its cures, exploding, its cures, dead units, depth, time, pretraining, precision."""


def names() -> tuple[str, ...]:
    """All presets, the default first."""
    return ORDER


def describe(name: str) -> str:
    """One line on what the preset shows."""
    return load_preset(name).description


@cache
def load_preset(name: str) -> Experiment:
    """The preset of this name. Raises ExperimentError, with the nearest name, where there is none."""
    if name not in ORDER:
        raise ExperimentError(name, name, problem=f"no such preset{nearest(name, ORDER)}")
    return load(FOLDER / f"{name}.toml")


def resolve(name_or_path: str | Path) -> Experiment:
    """A preset by its name, or an experiment from a TOML file.

    Raises ExperimentError: neither exists, or the file is no experiment.
    """
    text = str(name_or_path)
    if text in ORDER:
        return load_preset(text)
    if text.endswith(".toml") or "/" in text or Path(text).exists():
        return load(name_or_path)
    raise ExperimentError(text, text, problem=f"no such preset or file{nearest(text, ORDER)}")
