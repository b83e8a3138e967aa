"""Generate data: points in the plane, and sequences that need a long memory."""

from __future__ import annotations

import numpy as np

from gradtui.data.arrays import Arrays, rng, split
from gradtui.data.task import IGNORED
from gradtui.experiment.data_shapes import COPY_LENGTH, COPY_SYMBOLS

SPIRAL_ARMS = 3
NOISE = 0.1
"""The standard deviation of the angle, in radians."""


def spirals(samples: int, seed: int) -> Arrays:
    """Return points (n, 2) and arms (n,) of three interleaved spirals, which no linear model can learn.

    The radius is uniform in [0.05, 1], over which an arm makes one turn. Arms differ by at most one point in number.
    """
    numbers = rng(seed, "examples")
    arm = np.arange(samples) % SPIRAL_ARMS
    radius = numbers.uniform(0.05, 1.0, samples)
    angle = 2 * np.pi * (radius + arm / SPIRAL_ARMS) + numbers.normal(0.0, NOISE, samples)
    points = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return split(points.astype(np.float32), arm, seed)


INNER, RING = 0.5, (0.65, 1.0)
"""The radius of the disc of `circle`, and the inner and outer radius of its ring."""
XOR_GAP = 0.05
"""The least distance of a point of `xor` from an axis."""
GAUSS_CENTRE, GAUSS_SPREAD = 0.45, 0.2


def circle(samples: int, seed: int) -> Arrays:
    """Return points (n, 2) and classes (n,): 0 is a disc around zero, 1 the ring around it. No line separates them.

    Points are uniform over the area of each, and the classes differ by at most one point in number.
    """
    numbers = rng(seed, "examples")
    ring = np.arange(samples) % 2
    low, high = np.where(ring == 1, RING[0], 0.0), np.where(ring == 1, RING[1], INNER)
    # Points are uniform over an area when the square of the radius is uniform.
    radius = np.sqrt(numbers.uniform(low**2, high**2))
    angle = numbers.uniform(0.0, 2 * np.pi, samples)
    points = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return split(points.astype(np.float32), ring, seed)


def xor(samples: int, seed: int) -> Arrays:
    """Return points (n, 2) of the square from -1 to 1 and classes (n,): 1 where the two coordinates differ in sign.

    The four quarters differ by at most one point in number. Nets of one layer cannot learn it (Minsky and Papert 1969).
    """
    numbers = rng(seed, "examples")
    quarter = np.arange(samples) % 4
    signs = np.stack([1 - 2 * (quarter % 2), 1 - 2 * (quarter // 2)], axis=1)
    points = signs * numbers.uniform(XOR_GAP, 1.0, (samples, 2))
    return split(points.astype(np.float32), (quarter % 2) ^ (quarter // 2), seed)


def gauss(samples: int, seed: int) -> Arrays:
    """Return points (n, 2) and classes (n,) of two round clouds, which a straight line separates up to a few points."""
    numbers = rng(seed, "examples")
    cloud = np.arange(samples) % 2
    centre = GAUSS_CENTRE * (2.0 * cloud - 1.0)
    points = centre[:, None] + numbers.normal(0.0, GAUSS_SPREAD, (samples, 2))
    return split(points.astype(np.float32), cloud, seed)


BLANK = COPY_SYMBOLS
RECALL_SYMBOL = COPY_SYMBOLS + 1


def adding(samples: int, length: int, seed: int) -> Arrays:
    """Return the adding problem.

    x (n, length, 2): uniform numbers in [0, 1), and as the second feature 1 at two marked steps, else 0; y (n, 1): the
    sum of the two marked numbers. One mark lies in each half of the sequence (Hochreiter and Schmidhuber 1997, in the
    form of Le, Jaitly, Hinton 2015). A net that always gives the mean has the squared error 1/6.
    """
    numbers = rng(seed, "examples")
    x = np.zeros((samples, length, 2), np.float32)
    x[:, :, 0] = numbers.random((samples, length), np.float32)
    every = np.arange(samples)
    first = numbers.integers(0, max(1, length // 2), samples)
    second = numbers.integers(length // 2, length, samples)
    x[every, first, 1] = x[every, second, 1] = 1.0
    y = x[every, first, :1] + x[every, second, :1]
    return split(x, y, seed)


def copy_memory(samples: int, delay: int, seed: int) -> Arrays:
    """Return the copy memory problem.

    x (n, delay + 20): ten symbols, blanks, a go sign ``delay`` steps after the last symbol, ten blanks;
    y the same ten symbols at the last ten steps (Hochreiter and Schmidhuber 1997; Arjovsky, Shah, Bengio
    2016).

    The steps before do not count, because a net that always gives a blank would be right at most of them.
    """
    symbols = rng(seed, "examples").integers(0, COPY_SYMBOLS, (samples, COPY_LENGTH))
    x = np.full((samples, 2 * COPY_LENGTH + delay), BLANK)
    x[:, :COPY_LENGTH] = symbols
    x[:, COPY_LENGTH + delay - 1] = RECALL_SYMBOL
    y = np.full_like(x, IGNORED)
    y[:, -COPY_LENGTH:] = symbols
    return split(x, y, seed)
