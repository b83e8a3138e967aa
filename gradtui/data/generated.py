"""Make the sources that are generated: spirals in the plane, and sequences that ask for a long memory."""

from __future__ import annotations

import numpy as np

from gradtui.data.arrays import Arrays, rng, split
from gradtui.data.task import IGNORED
from gradtui.experiment.data_shapes import COPY_LENGTH, COPY_SYMBOLS

ARMS = 3
NOISE = 0.1
"""The standard deviation of the angle, in radians."""


def spirals(samples: int, seed: int) -> Arrays:
    """Return points (n, 2) and arms (n,) of three interleaved spirals, which no linear model can learn.

    The radius is uniform in [0.05, 1]; along it an arm makes one turn. All arms are equally frequent, up to one
    point.
    """
    numbers = rng(seed, "examples")
    arm = np.arange(samples) % ARMS
    radius = numbers.uniform(0.05, 1.0, samples)
    angle = 2 * np.pi * (radius + arm / ARMS) + numbers.normal(0.0, NOISE, samples)
    points = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return split(points.astype(np.float32), arm, seed)


BLANK = COPY_SYMBOLS
GO = COPY_SYMBOLS + 1


def adding(samples: int, length: int, seed: int) -> Arrays:
    """Return the adding problem.

    x (n, length, 2): uniform numbers in [0, 1), beside them a mark (1) at two steps, else 0; y (n, 1):
    the sum of the two marked numbers. One mark lies in either half of the sequence (Hochreiter and
    Schmidhuber 1997, in the form of Le, Jaitly, Hinton 2015). The mean's squared error is 1/6.
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

    The steps before do not count: a net that only ever says blank would be right at most of them.
    """
    symbols = rng(seed, "examples").integers(0, COPY_SYMBOLS, (samples, COPY_LENGTH))
    x = np.full((samples, 2 * COPY_LENGTH + delay), BLANK)
    x[:, :COPY_LENGTH] = symbols
    x[:, COPY_LENGTH + delay - 1] = GO
    y = np.full_like(x, IGNORED)
    y[:, -COPY_LENGTH:] = symbols
    return split(x, y, seed)
