"""Runs that were begun before as what is wanted now: the same cure of the same run. They are not trained again."""

from __future__ import annotations

import os
from pathlib import Path

from gradtui.experiment import Experiment
from gradtui.runs.errors import RunError
from gradtui.runs.folder import START_FILE
from gradtui.runs.meta import RunOrigin, read_origin
from gradtui.runs.reader import open_run
from gradtui.runs.status import State
from gradtui.study.candidates import Candidate, same

_WORTH: tuple[State, ...] = ("finished", "diverged", "running", "paused", "starting", "stopped")
"""Of several, one that has ended says most, then one that is on its way; one that failed or died is begun again."""


class Twins:
    """The twins of a run, as they lie beside it now."""

    def __init__(self, sick: Path) -> None:
        self._found: list[tuple[str, Experiment, State, Path]] = []
        for folder in _started_from(sick.parent):
            try:
                start = read_origin(folder)
                parent = start.parent
                if (
                    parent is None
                    or (parent.run, parent.step) != (sick.name, 0)
                    or start != RunOrigin(parent)
                ):
                    continue
                run = open_run(folder)
                experiment = run.experiment
                if experiment is not None:
                    self._found.append((parent.cure, experiment, run.status.state, folder))
            except (RunError, OSError):
                # Somebody else's trouble, or deleted while we looked.
                continue

    def of(self, candidate: Candidate) -> tuple[Path, State] | None:
        """The twin that trains this, or has; None where there is none."""
        there = [
            (_rank(state), folder.name, folder, state)
            for cure, experiment, state, folder in self._found
            if cure == candidate.cure and same(experiment, candidate.experiment)
        ]
        if not there:
            return None
        best = min(there)
        return best[2], best[3]


def _rank(state: State) -> int:
    return _WORTH.index(state) if state in _WORTH else len(_WORTH)


def _started_from(root: Path) -> list[Path]:
    """Folders of runs that say where they begin; a stat each, for there may be thousands of others."""
    try:
        folders = sorted(Path(entry.path) for entry in os.scandir(root) if entry.is_dir())
    except OSError:
        return []
    return [folder for folder in folders if (folder / START_FILE).is_file()]
