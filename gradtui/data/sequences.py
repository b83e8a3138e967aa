"""Generated sequences that ask for a long memory: the adding problem and copy memory."""

from __future__ import annotations

import numpy as np

from gradtui.data.arrays import Arrays, split
from gradtui.data.seeds import rng
from gradtui.data.task import IGNORED
from gradtui.experiment.data_shapes import COPY_LENGTH, COPY_SYMBOLS

BLANK = COPY_SYMBOLS
GO = COPY_SYMBOLS + 1


def adding(samples: int, length: int, seed: int) -> Arrays:
    """x (n, length, 2): uniform numbers in [0, 1), beside them a mark (1) at two steps, else 0; y (n, 1):
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
    """x (n, delay + 20): ten symbols, blanks, a go sign ``delay`` steps after the last symbol, ten blanks;
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
