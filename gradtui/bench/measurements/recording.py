"""What recording costs a training: time and bytes for each step. Torch works in processes of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from gradtui.bench.home import Home
from gradtui.bench.measured import Measured

TRAINER = 1.03
"""Budget of the lab's own trainer against the loop that anybody would write, in which nothing is recorded."""


def measure(home: Home, quick: bool) -> Iterator[Measured]:
    """By turns with steps that record nothing. 1,000 layers take too long for a quick look."""
    dense = _cost(home, "dense", *((10, 10) if quick else (40, 10)))
    yield Measured("recorded step ÷ bare torch loop, 50 × 128", dense["ratio"], "×", TRAINER)
    yield Measured("recorded step ÷ unrecorded, 50 × 128", dense["recorded"] / dense["own"], "×", 1.06)
    yield Measured("bytes on disk a step, 50 layers", dense["bytes"], "B", 500)
    if not quick:
        deep = _cost(home, "residual", 8, 4)
        yield Measured("recorded step ÷ bare torch loop, 1,000 × 64", deep["ratio"], "×", TRAINER)
        yield Measured("recorded step ÷ unrecorded, 1,000 × 64", deep["recorded"] / deep["own"], "×", TRAINER)


def _cost(home: Home, net: str, rounds: int, steps: int) -> dict[str, Any]:
    # By its name alone: an import would bring torch into this process.
    printed = home.answer_of("gradtui.training.bench", net, str(rounds), str(steps))
    cost: dict[str, Any] = json.loads(printed)
    return cost
