"""What is done to runs in the list. Every function reads and writes files, and so belongs into a thread.

Each says in one line what it did, and raises RunError, in one line, where it could not.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec

from gradtui.runs import trash
from gradtui.runs.control import send
from gradtui.runs.label import read_label, retagged, write_label
from gradtui.runs.library import RunInfo


def rename(run: RunInfo, name: str) -> str:
    """Call a run something else; nothing gives it its own name back."""
    write_label(run.run, msgspec.structs.replace(read_label(run.run), name=name))
    return f"called {name}" if name else "called by its own name again"


def tag(runs: Sequence[RunInfo], before: Collection[str], after: Collection[str]) -> str:
    """Give runs other tags: what was typed away goes from all of them, what was typed in comes to all."""
    add, remove = set(after) - set(before), set(before) - set(after)
    for run in runs:
        label = read_label(run.run)
        other = retagged(label, add, remove)
        if other != label:
            write_label(run.run, other)
    said = [f"+{name}" for name in sorted(add)] + [f"−{name}" for name in sorted(remove)]
    return f"{several(len(runs))}: {' '.join(said) or 'no other tags'}"


def delete(runs: Sequence[RunInfo]) -> str:
    """Into the trash, from which they come back together."""
    trash.delete([run.run for run in runs])
    return f"{several(len(runs))} deleted · u brings back what was deleted, for a week"


def undelete(root: Path) -> str:
    """Bring back what was deleted last."""
    back = trash.undelete(root)
    return f"{several(len(back))} brought back" if back else "nothing was deleted within a week"


def stop(runs: Sequence[RunInfo]) -> str:
    """Ask trainers to end."""
    live = [run for run in runs if run.status.live]
    for run in live:
        send(run.run, "stop")
    return f"stopping {several(len(live))}" if live else "nothing to stop: no trainer is at it"


def several(count: int) -> str:
    """A count of runs in words."""
    return "1 run" if count == 1 else f"{count:,} runs"
