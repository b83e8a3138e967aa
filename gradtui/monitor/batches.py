"""Record which examples a step used if its gradient stands out."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from gradtui.diagnosis.thresholds import OUTLIER_NEIGHBOURS, OUTLIER_RATIO
from gradtui.monitor.run_writer import ScriptRunWriter

EVENT = "batch"
"""The kind of the event with the ids of one step's examples."""
KEPT_BATCHES = 64
"""The number of batches that are kept: on a GPU the norm of a step arrives some steps later."""
MOST_IDS = 4096
"""The most ids that are kept of one batch."""
FEWEST_NORMS = 8
"""The fewest norms with which a gradient can stand out."""


class BatchMemory:
    """A BatchMemory takes the ids of examples as the script logs them, and the norms of the steps as they arrive."""

    def __init__(self, writer: ScriptRunWriter) -> None:
        self._writer = writer
        self._batches: deque[tuple[int, Any]] = deque(maxlen=KEPT_BATCHES)
        self._norms: deque[float] = deque(maxlen=2 * OUTLIER_NEIGHBOURS)
        self._wanted: set[int] = set()
        self._before_step: bool | None = None

    def note(self, ids: Any, step: int) -> None:
        """Take the ids of a batch. `step` is the number of the newest step that was taken.

        Ids that are logged before the first step count as logged before each step.
        """
        if self._before_step is None:
            self._before_step = step == 0
        step += self._before_step
        # Copy the tensor, since the script may reuse it; on a GPU this does not wait.
        kept = ids.detach().clone() if isinstance(ids, Tensor) else ids
        self._batches.append((step, kept))
        self._write_wanted()

    def take_norm(self, step: int, norm: float) -> None:
        """Take the norm of a step; if it stands out, write its batch and the neighbouring ones."""
        if not self._batches:
            return
        usual = float(np.median(self._norms)) if len(self._norms) >= FEWEST_NORMS else np.inf
        if not norm <= OUTLIER_RATIO * usual:
            self._wanted.update((step - 1, step, step + 1))
            self._write_wanted()
        if np.isfinite(norm):
            self._norms.append(norm)

    def _write_wanted(self) -> None:
        for step, ids in self._batches:
            if step in self._wanted:
                self._wanted.discard(step)
                self._writer.event(EVENT, step, ids=_listed(ids))


def _listed(ids: Any) -> list[Any]:
    if isinstance(ids, Tensor | np.ndarray):
        values = ids.reshape(-1)[:MOST_IDS].tolist()
    elif isinstance(ids, Sequence) and not isinstance(ids, str):
        values = [one.item() if isinstance(one, Tensor) else one for one in ids[:MOST_IDS]]
    else:
        values = [ids]
    return [one if isinstance(one, int | float) else str(one) for one in values]
