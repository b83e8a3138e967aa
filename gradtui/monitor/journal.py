"""The run folder of a script: made when it is watched, described when its layers are known, ended with it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from msgspec.structs import replace

from gradtui.monitor.layers import Layer
from gradtui.runs.folder import new_folder, runs_root
from gradtui.runs.meta import LayerMeta, RunMeta, TableMeta, write_meta
from gradtui.runs.status import State
from gradtui.runs.writer import RunWriter


class Journal:
    """Writes one script's run."""

    def __init__(self, name: str, root: Path | None, about: Mapping[str, Any]) -> None:
        """Makes the folder in `root` (None: where runs are kept). Raises OSError where it cannot be made."""
        self.folder = new_folder(runs_root() if root is None else root, name)
        versions = {
            "torch": str(torch.__version__),
            "numpy": np.__version__,
            "python": sys.version.split()[0],
        }
        self._meta = RunMeta.of_this_process(
            id=self.folder.name, name=name, kind="script", versions=versions, data=dict(about)
        )
        write_meta(self.folder, self._meta)
        self._writer = RunWriter(self.folder, {})
        self._last_time = 0.0

    @property
    def error(self) -> OSError | None:
        """What the disk did wrong; from then on nothing is written."""
        return self._writer.error

    @property
    def tables(self) -> Mapping[str, TableMeta]:
        """Those that have been begun."""
        return self._meta.tables

    def describe(self, layers: Sequence[Layer], device: torch.device, **about: Any) -> None:
        """Say which layers there are; it is written when tables begin."""
        self._meta = replace(
            self._meta,
            layers=tuple(LayerMeta(layer.name, layer.kind, layer.count) for layer in layers),
            parameters=sum(layer.count for layer in layers),
            device=str(device),
            data={**self._meta.data, **about},
        )

    def begin(self, tables: Mapping[str, TableMeta]) -> None:
        """Begin tables. Raises OSError, and ValueError on a wrong name."""
        for name, table in tables.items():
            self._writer.add_table(name, table.columns)
        self._meta = replace(self._meta, tables={**self._meta.tables, **tables})
        write_meta(self.folder, self._meta)

    def row(self, table: str, step: int, values: npt.ArrayLike, moment: float) -> None:
        """Add a row to a table that has been begun."""
        self._writer.append(table, step, values, moment)

    def event(self, event: str, step: int, **fields: Any) -> None:
        """Say what happened."""
        self._writer.event(event, step, **fields)

    def end(self, step: int, status: State, reason: str = "") -> None:
        """Say how it ended, and write all that waits."""
        self._writer.event("end", step, status=status, reason=reason)
        self._writer.close()
