"""Random numbers that depend on the experiment's seed and their purpose alone, never on a global state."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

Purpose = Literal["split", "examples", "shuffle", "pretraining"]
PURPOSES = get_args(Purpose)


def rng(seed: int, purpose: Purpose, number: int = 0) -> np.random.Generator:
    """A stream of its own for each purpose (and number, such as the epoch), so that one more draw for one
    does not shift what is drawn for another."""
    return np.random.default_rng([seed, PURPOSES.index(purpose), number])
