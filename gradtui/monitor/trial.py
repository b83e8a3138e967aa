"""Define a trial, one run of a command under `gradtui watch --try`, and find the one that this process belongs to.

The change reaches the processes of the command in environment variables. Each run that such a process begins is marked
with the change, also a run that the script watches by itself.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

CHANGE_VARIABLE = "GRADTUI_TRIAL"
"""The variable that scripts may read: it holds the change, or UNCHANGED."""
OPTIONS_VARIABLE = "GRADTUI_TRIAL_OPTIONS"
UNCHANGED = "unchanged"


@dataclass(frozen=True)
class Trial:
    """A Trial says what is changed in a run of a command, and how long it trains."""

    change: str = ""
    """The change as it is written on the command line; empty if nothing is changed."""
    steps: int = 0
    """The number of an optimizer's steps after which the trial ends."""
    checks: tuple[str, ...] = ()
    """The changes to check at the first step, whether they can be made."""
    parent: str = ""
    """The id of the unchanged run, with which this one is compared."""
    notes: str = ""
    """The file to which the processes of the trial add lines of JSON."""

    @property
    def name(self) -> str:
        """Return the text of the change, or UNCHANGED."""
        return self.change or UNCHANGED

    def environment(self, before: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of the command: `before` and this trial."""
        return {**before, CHANGE_VARIABLE: self.name, OPTIONS_VARIABLE: json.dumps(asdict(self))}

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the trial that `environment` has written."""
        fields = json.loads(text)
        return cls(**{**fields, "checks": tuple(fields["checks"])})

    def note(self, **fields: Any) -> None:
        """Add a line of JSON to the notes."""
        with contextlib.suppress(OSError), open(self.notes, "a", encoding="utf-8") as file:
            file.write(json.dumps(fields) + "\n")

    def note_run(self, folder: Path) -> None:
        """Note that a run has begun."""
        self.note(run=str(folder.absolute()))


def this_trial() -> Trial | None:
    """Return the trial that this process belongs to; None if there is none."""
    text = os.environ.get(OPTIONS_VARIABLE)
    if not text:
        return None
    try:
        return Trial.from_json(text)
    except (ValueError, TypeError, KeyError):
        return None
