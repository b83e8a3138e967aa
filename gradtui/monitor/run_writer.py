"""Write the run folder of a watched script: create it, describe the layers once they are known, and end it."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from msgspec.structs import replace
from torch.optim import Optimizer

from gradtui.monitor.layers import WatchedLayer
from gradtui.monitor.resumed_run import STEPS_BEFORE, ResumedRun, RunLock, steps_taken
from gradtui.monitor.trial import this_trial
from gradtui.runs.errors import RunError
from gradtui.runs.folder import new_folder
from gradtui.runs.meta import LayerMeta, Parent, RunMeta, TableMeta, write_meta
from gradtui.runs.reserve import keep_reserve
from gradtui.runs.script_training import KEY
from gradtui.runs.status import State
from gradtui.runs.writer import RunWriter

FLUSH_SECONDS = 0.06
"""The seconds between two writes. With the time for which rows are held back before, a killed process loses at most a
tenth of a second of rows."""
BACKWARD_LOSS = "backward_loss"
"""The table of the losses from backward passes; it exists only while the script logs no loss."""


class ScriptRunWriter:
    """A ScriptRunWriter writes the run folder of one watched script.

    Steps are counted from the start of this process; in a resumed run the steps before are added.
    """

    def __init__(
        self,
        name: str,
        root: Path,
        data: Mapping[str, Any],
        note: str = "",
        *,
        resumed: ResumedRun | None = None,
        step: int | None = None,
        steps: int | None = None,
    ) -> None:
        """Make the folder in `root`, or continue the run that was resumed.

        `data` and `note` are kept in run.json. `step` is how many steps the training has taken before, and `steps` how
        many it takes in all, where the script tells. Raises OSError where the folder cannot be made.
        """
        self._resumed = resumed
        self._lock = resumed.lock if resumed is not None else None
        self._step = step
        self._offset = 0
        self._unexplained = False
        if resumed is not None:
            self._resume(resumed, data, note, steps)
            return
        trial, parent = this_trial(), None
        if trial is not None:
            name = f"{name} · {trial.name}"
            data = {**data, "trial": {"change": trial.change, "steps": trial.steps}}
            parent = Parent(trial.parent, 0, trial.change) if trial.change and trial.parent else None
        folder = new_folder(root, name)
        self.folder: Path | None = folder
        self._meta = RunMeta.of_this_process(
            id=folder.name,
            name=name,
            kind="script",
            versions=_versions(),
            data=dict(data),
            note=note,
            steps=steps or 0,
            parent=parent,
        )
        write_meta(folder, self._meta)
        keep_reserve(folder)
        self._path = folder
        self._writer = RunWriter(folder, {}, FLUSH_SECONDS)
        if trial is not None:
            self._writer.event("trial", 0, change=trial.change)
            trial.note_run(folder)

    def _resume(self, resumed: ResumedRun, data: Mapping[str, Any], note: str, steps: int | None) -> None:
        """Continue a run of an earlier process; at which step is known at this process's first one."""
        self.folder = self._path = folder = resumed.folder
        before = resumed.meta
        meta = RunMeta.of_this_process(id=before.id, name=before.name, versions=_versions()).resumed_by(
            before
        )
        # Whether the weights were trained is said of the run's beginning.
        known = {**before.data, **{name: value for name, value in data.items() if name != "weights"}}
        self._meta = replace(meta, data=known, note=note or before.note, steps=steps or before.steps)
        write_meta(folder, self._meta)
        keep_reserve(folder)
        self._offset = resumed.last_step
        self._writer = RunWriter(
            folder,
            {name: about.columns for name, about in before.tables.items()},
            FLUSH_SECONDS,
            unlevelled=[name for name, about in before.tables.items() if not about.levelled],
        )
        self._writer.event("phase", self._offset, phase="importing", text="the script continues")

    def lock(self) -> None:
        """Keep other processes from continuing the run until it ends. Raises RunError and OSError."""
        self._lock = RunLock(self._path)

    @property
    def offset(self) -> int:
        """Return the run's step at which this process began: all others here count the steps of this process."""
        return self._offset

    def begin_steps(self, optimizers: Sequence[Optimizer]) -> None:
        """Decide at which step of the run this process continues; later rows of an earlier process are cut off.

        Call this once, right before the first step, when the script has loaded its checkpoint.
        """
        taken, resumed = steps_taken(optimizers), self._resumed
        if resumed is None:
            self._offset = self._step or 0
            if taken and taken != self._offset:
                self._meta = replace(self._meta, data={**self._meta.data, STEPS_BEFORE: taken - self._offset})
            return
        if self._step is not None:
            self._offset = self._step
        elif taken is not None:
            self._offset = resumed.step_after(taken)
        self._writer.rewind(self._offset)

    def ordered(self, layers: Sequence[WatchedLayer]) -> list[WatchedLayer]:
        """Return the layers in the order of the columns of a resumed run. Raises RunError if there are others."""
        names = () if self._resumed is None else self._resumed.layer_names
        if not names:
            return list(layers)
        by_name = {layer.name: layer for layer in layers}
        if by_name.keys() != set(names):
            raise RunError("the layers are no longer those of the run that is continued")
        return [by_name[name] for name in names]

    @property
    def error(self) -> OSError | None:
        """Return the disk error that has ended the writing; None if there was none."""
        return self._writer.error

    @property
    def tables(self) -> Mapping[str, TableMeta]:
        """Return the tables that have begun, by name."""
        return self._meta.tables

    def describe(
        self,
        layers: Sequence[WatchedLayer],
        device: torch.device,
        paths: Sequence[Sequence[str]] = (),
        uses: Mapping[str, tuple[float, str]] | None = None,
        training: Mapping[str, Any] | None = None,
        **data: Any,
    ) -> None:
        """Set the description of the layers, which is written when tables begin.

        Args:
            layers: The layers that are shown.
            device: The device of the model.
            paths: For each path through a model, the names of its layers.
            uses: By the name of a layer, the number of places at which its weight is used, and the weight's form.
            training: The script's own names, as far as they are known (`ScriptTraining`).
            data: Further facts for run.json.
        """
        names = {**self._meta.data.get(KEY, {}), **(training or {})}
        # Where the first passes of this process tell nothing, those of an earlier one count.
        known = uses or {layer.name: (layer.places, layer.form) for layer in self._meta.layers}
        numbers = {layer.name: number for number, layer in enumerate(layers)}
        shown = [tuple(numbers[name] for name in path if name in numbers) for path in paths]
        self._meta = replace(
            self._meta,
            layers=tuple(
                LayerMeta(
                    layer.name,
                    layer.kind,
                    layer.parameter_count,
                    layer.frozen,
                    layer.dtype,
                    *known.get(layer.name, (0.0, "")),
                )
                for layer in layers
            ),
            parameters=sum(layer.parameter_count for layer in layers),
            device=str(device),
            paths=tuple(path for path in shown if path) or self._meta.paths,
            data={**self._meta.data, KEY: names, **data},
        )

    def keep(self, **data: Any) -> None:
        """Keep further facts in run.json. Raises OSError."""
        self._meta = replace(self._meta, data={**self._meta.data, **data})
        write_meta(self._path, self._meta)

    def begin_tables(self, tables: Mapping[str, TableMeta]) -> None:
        """Begin tables. Raises OSError, and ValueError on a wrong name."""
        for name, table in tables.items():
            if name in self._meta.tables and self._meta.tables[name].columns != table.columns:
                raise RunError(f"the columns of {name} are no longer those of the run that is continued")
            self._writer.add_table(name, table.columns, levelled=table.levelled)
        self._meta = replace(self._meta, tables={**self._meta.tables, **tables})
        write_meta(self._path, self._meta)

    def begin_backward_loss(self, kind: str, chance: float, terms: int) -> None:
        """Begin the table of the losses from backward passes. Raises OSError.

        `kind` is the kind of the loss, empty if it is not known; `chance` is the loss of guessing, or NaN; `terms` is
        the number of terms that add up to it.
        """
        told = {**({"loss_kind": kind} if kind else {}), **({"loss_terms": terms} if terms > 1 else {})}
        self._meta = replace(
            self._meta,
            chance_loss=chance if math.isfinite(chance) else None,
            data={**self._meta.data, **told},
        )
        self.begin_tables({BACKWARD_LOSS: TableMeta(columns=("loss",), kind="scalars")})

    def drop_backward_loss(self) -> None:
        """Remove that table and the facts about its loss, since the script logs another loss. The change is written
        with the next table that begins."""
        if BACKWARD_LOSS in self._meta.tables:
            self._meta = replace(
                self._meta,
                chance_loss=None,
                tables={name: about for name, about in self._meta.tables.items() if name != BACKWARD_LOSS},
                data={
                    name: value
                    for name, value in self._meta.data.items()
                    if name not in ("loss_kind", "loss_terms")
                },
            )

    def append(self, table: str, step: int, values: npt.ArrayLike, moment: float) -> None:
        """Append a row to a table that has begun; `moment` is in seconds since the epoch."""
        self._writer.append(table, step + self._offset, values, moment)

    def extend(
        self, table: str, steps: Sequence[int], values: npt.ArrayLike, moments: Sequence[float]
    ) -> None:
        """Append several rows, (rows, columns), to a table that has been begun."""
        self._writer.extend(table, [step + self._offset for step in steps], values, moments)

    def event(self, event: str, step: int, **fields: Any) -> None:
        """Append an event."""
        self._writer.event(event, step + self._offset, **fields)

    def explain_end(self, step: int, reason: str) -> None:
        """Write why a run that has ended as finished and without a reason recorded no more."""
        if self._unexplained:
            self._writer.explain_end("finished", reason, step + self._offset)

    def end(self, step: int, status: State, reason: str = "") -> None:
        """Write how the training ended, and everything that waits to be written."""
        self._writer.end(status, reason, step + self._offset)
        self._unexplained = status == "finished" and not reason
        if self._lock is not None:
            self._lock.release()


def _versions() -> dict[str, str]:
    return {
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "python": sys.version.split()[0],
    }


class NullWriter(ScriptRunWriter):
    """A NullWriter writes nothing, for the processes of a distributed training that do not write the run."""

    error = None
    tables: Mapping[str, TableMeta] = {}
    offset = 0

    def __init__(self) -> None:
        self.folder = None

    def lock(self) -> None:
        """Do nothing."""

    def begin_steps(self, optimizers: Sequence[Optimizer]) -> None:
        """Do nothing."""

    def ordered(self, layers: Sequence[WatchedLayer]) -> list[WatchedLayer]:
        """Return the layers as they are."""
        return list(layers)

    def describe(
        self,
        layers: Sequence[WatchedLayer],
        device: torch.device,
        paths: Sequence[Sequence[str]] = (),
        uses: Mapping[str, tuple[float, str]] | None = None,
        training: Mapping[str, Any] | None = None,
        **data: Any,
    ) -> None:
        """Do nothing."""

    def keep(self, **data: Any) -> None:
        """Do nothing."""

    def begin_tables(self, tables: Mapping[str, TableMeta]) -> None:
        """Do nothing."""

    def begin_backward_loss(self, kind: str, chance: float, terms: int) -> None:
        """Do nothing."""

    def drop_backward_loss(self) -> None:
        """Do nothing."""

    def append(self, table: str, step: int, values: npt.ArrayLike, moment: float) -> None:
        """Do nothing."""

    def extend(
        self, table: str, steps: Sequence[int], values: npt.ArrayLike, moments: Sequence[float]
    ) -> None:
        """Do nothing."""

    def event(self, event: str, step: int, **fields: Any) -> None:
        """Do nothing."""

    def explain_end(self, step: int, reason: str) -> None:
        """Do nothing."""

    def end(self, step: int, status: State, reason: str = "") -> None:
        """Do nothing."""
