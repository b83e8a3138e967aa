"""One of the runs that are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradtui.ui.watching import Watching

LETTERS = "ABCDEFGH"
"""What runs are called in charts. A letter has a colour of its own; who sees no colour has the letter."""


@dataclass(frozen=True)
class Entry:
    """A run under its letter. Its watching changes as the run is followed."""

    letter: str
    watching: Watching

    @property
    def newest(self) -> int:
        """The last recorded step; 0 before the first."""
        snapshot = self.watching.snapshot
        return snapshot.step if snapshot is not None else 0

    @property
    def codes(self) -> tuple[str, ...]:
        """Of what was found in it, the weighty ones."""
        return tuple(found.code for found in self.watching.standing or () if found.severity != "info")


def newest_of(entries: Sequence[Entry]) -> int:
    """The last step that any of them has recorded."""
    return max((entry.newest for entry in entries), default=0)
