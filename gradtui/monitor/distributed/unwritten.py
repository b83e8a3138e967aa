"""The journal of a process that does not write the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt
import torch

from gradtui.monitor.journal import Journal
from gradtui.monitor.layers import Layer
from gradtui.runs.meta import TableMeta
from gradtui.runs.status import State


class Unwritten(Journal):
    """Nothing that it is told is kept."""

    error = None
    tables: Mapping[str, TableMeta] = {}

    def __init__(self) -> None:
        """Makes no folder."""

    def describe(self, layers: Sequence[Layer], device: torch.device, **about: Any) -> None:
        """See Journal."""

    def begin(self, tables: Mapping[str, TableMeta]) -> None:
        """See Journal."""

    def row(self, table: str, step: int, values: npt.ArrayLike, moment: float) -> None:
        """See Journal."""

    def event(self, event: str, step: int, **fields: Any) -> None:
        """See Journal."""

    def end(self, step: int, status: State, reason: str = "") -> None:
        """See Journal."""
