"""A trial is one run of a command under `gradtui watch --try`: this file says of which one this process is a part.

What is to be changed reaches the processes of the command by environment variables. Each run that a process of a trial
begins is marked with the change, also one that the script watches by itself.
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
    """The change as it is written on the command line; empty where nothing is changed."""
    steps: int = 0
    """The steps of an optimizer after which the trial ends."""
    checks: tuple[str, ...] = ()
    """The changes of which to find out at the first step whether they can be made."""
    parent: str = ""
    """The id of the unchanged run, with which this one is compared."""
    notes: str = ""
    """The file to which the processes of the trial add lines of JSON."""

    @property
    def name(self) -> str:
        """Return the change, or the word for none."""
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
    """Return the trial of which this process is part; None where it is part of none."""
    text = os.environ.get(OPTIONS_VARIABLE)
    if not text:
        return None
    try:
        return Trial.from_json(text)
    except (ValueError, TypeError, KeyError):
        return None
