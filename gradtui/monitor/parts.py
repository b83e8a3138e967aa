"""Between what this process has measured and what is written: where others hold parts of the same gradients,
their norms are added up in between."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from gradtui.probe.sampling_budget import SamplingBudget


class Measures(Protocol):
    """What was measured of a step: norms, and other things that every process knows."""

    @property
    def norms(self) -> NDArray[np.float64]:
        """(norms,) L2 norms, each of this process's part of something."""
        ...

    def with_norms(self, norms: NDArray[np.float64]) -> Self:
        """The same with other norms, as `norms` gave them."""
        ...


class Part(NamedTuple):
    """What was measured of a step by one process; or, all told, by all."""

    step: int
    moment: float
    measures: Any


class Parts(Protocol):
    """Brings the parts of all processes together."""

    @property
    def shared(self) -> bool:
        """Whether there are others, with which the steps that are measured have to be agreed upon."""
        ...

    @property
    def writes(self) -> bool:
        """Whether this process writes the run."""
        ...

    def add(self, kind: str, part: Part) -> None:
        """What this process has measured. Its measures follow the protocol of that name."""
        ...

    def whole(self, kind: str) -> list[Part]:
        """What has come to be known of all processes, in order of steps."""
        ...

    def settle(self) -> None:
        """Wait for what can still come to be known, but not long."""
        ...

    def due(self, kind: str, step: int, thinning: SamplingBudget) -> bool:
        """Whether to measure that step, as all processes do."""
        ...

    def elsewhere(self, parameters: Sequence[Tensor | None]) -> NDArray[np.bool_] | None:
        """(parameters,): which are counted by another process; None for none."""
        ...

    def close(self) -> None:
        """There will be no more."""
        ...


class Undivided:
    """Of one process: what it measures is all there is."""

    shared = False
    writes = True

    def __init__(self) -> None:
        self._added: defaultdict[str, list[Part]] = defaultdict(list)

    def add(self, kind: str, part: Part) -> None:
        """See Parts."""
        self._added[kind].append(part)

    def whole(self, kind: str) -> list[Part]:
        """See Parts."""
        return self._added.pop(kind, [])

    def settle(self) -> None:
        """See Parts."""

    def due(self, kind: str, step: int, thinning: SamplingBudget) -> bool:
        """See Parts."""
        return thinning.due()

    def elsewhere(self, parameters: Sequence[Tensor | None]) -> NDArray[np.bool_] | None:
        """See Parts."""
        return None

    def close(self) -> None:
        """See Parts."""
