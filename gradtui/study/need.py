"""What a training will take of a machine's memory, before it is begun."""

from __future__ import annotations

from gradtui.experiment import Experiment, ExperimentError
from gradtui.experiment.memory import memory_of

TORCH = 300_000_000
"""Bytes that a trainer takes before its net is built."""


def need_of(experiment: Experiment) -> int:
    """Bytes that its trainer will take."""
    try:
        return TORCH + memory_of(experiment).total
    except (ExperimentError, OSError):
        # Its data cannot be read, and the trainer will say so.
        return TORCH
