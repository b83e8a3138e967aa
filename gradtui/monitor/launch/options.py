"""Pass the options of `gradtui watch` to the processes of the command in one environment variable."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

VARIABLE = "GRADTUI_WATCH"
STARTUP = Path(__file__).parent / "startup"
"""The folder whose sitecustomize.py Python runs when it starts."""


@dataclass(frozen=True)
class LaunchOptions:
    """LaunchOptions say how the trainings of a command are recorded; most are arguments of `gradtui.watch`."""

    name: str = ""
    budget: float | None = 0.01
    layers: str = ""
    activations: bool = False
    resume: str = ""
    """The run that is continued; empty for new runs."""
    note: str = ""
    """The note that each run gets."""
    on_finding: str = ""
    """A shell command that is run once for each finding; empty for none."""
    runs: str = ""
    """The folder in which the runs are made; empty for the usual one."""
    quiet: bool = False
    """Whether no line says that a run is recorded."""
    told_by: int = 0
    """The process that says on stderr, without a terminal too, that a run is recorded: the command's own; 0 is none."""
    notes: tuple[str, ...] = ()
    """The files to which each process adds a line of JSON about each run that it begins."""

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the options that `to_json` has written."""
        fields = json.loads(text)
        return cls(**{**fields, "notes": tuple(fields["notes"])})

    def to_json(self) -> str:
        """Return the options as text for the environment variable."""
        return json.dumps(asdict(self))

    def environment(self, before: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of the command: `before`, the options, and the folder of the start-up module.

        Within another `gradtui watch` the runs are also noted in its files; otherwise the inner options apply.
        """
        outer = LaunchOptions.from_json(before[VARIABLE]).notes if VARIABLE in before else ()
        path = [part for part in before.get("PYTHONPATH", "").split(os.pathsep) if part != str(STARTUP)]
        # An empty part means the current folder; an empty variable has no parts.
        path = path if before.get("PYTHONPATH") else []
        options = replace(self, notes=(*outer, *self.notes))
        return {
            **before,
            VARIABLE: options.to_json(),
            "PYTHONPATH": os.pathsep.join([str(STARTUP), *path]),
        }


def read_notes(file: Path) -> list[dict[str, Any]]:
    """Return the notes of a command's processes, oldest first; an incomplete line is left out."""
    notes = []
    for line in file.read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(ValueError):
            notes.append(json.loads(line))
    return notes
