"""Three interleaved spirals in the plane: the smallest data that a linear model cannot learn."""

from __future__ import annotations

import numpy as np

from gradtui.data.arrays import Arrays, split
from gradtui.data.seeds import rng

ARMS = 3
NOISE = 0.1
"""Standard deviation of the angle, in radians."""


def spirals(samples: int, seed: int) -> Arrays:
    """Points (n, 2) and arms (n,). The radius is uniform in [0.05, 1]; along it an arm makes one turn. All
    arms are equally frequent, up to one point."""
    numbers = rng(seed, "examples")
    arm = np.arange(samples) % ARMS
    radius = numbers.uniform(0.05, 1.0, samples)
    angle = 2 * np.pi * (radius + arm / ARMS) + numbers.normal(0.0, NOISE, samples)
    points = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return split(points.astype(np.float32), arm, seed)
