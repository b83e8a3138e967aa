"""Where a run's checkpoints lie, and which of them stay."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

from gradtui.runs.folder import CHECKPOINT_FOLDER

KEEP = 3
"""The newest, and two before it: one for the case that the newest proves unreadable after a power cut, and one
from before something went wrong that was noticed late. More would fill disks with what nobody goes back to."""

_NAME = re.compile(r"step-(\d+)\.safetensors\Z")
_REWIND = re.compile(r"rewind-(\d+)\.safetensors\Z")


def path_of(run: Path, step: int) -> Path:
    """The file of the checkpoint after `step`; names sort by step."""
    return run / CHECKPOINT_FOLDER / f"step-{step:09d}.safetensors"


def rewind_path(run: Path, step: int) -> Path:
    """The file of the point to which a run that broke can be taken back. It is none of those that are resumed from
    or tidied away: what comes after it broke."""
    return run / CHECKPOINT_FOLDER / f"rewind-{step:09d}.safetensors"


def parent_path(run: Path, step: int) -> Path:
    """The file, in a fork's own folder, of its parent's checkpoint. Kept for good: it is where the fork begins."""
    return run / CHECKPOINT_FOLDER / f"parent-{step:09d}.safetensors"


def listed(run: Path) -> list[tuple[int, Path]]:
    """Step and file of each checkpoint of a run, the newest first."""
    return _named(run, _NAME)


def rewinds(run: Path) -> list[tuple[int, Path]]:
    """Step and file of each point from before a run broke, the newest first."""
    return _named(run, _REWIND)


def _named(run: Path, pattern: re.Pattern[str]) -> list[tuple[int, Path]]:
    with contextlib.suppress(OSError):
        named = [(pattern.match(path.name), path) for path in (run / CHECKPOINT_FOLDER).iterdir()]
        return sorted(((int(name[1]), path) for name, path in named if name), reverse=True)
    return []


def tidy(run: Path) -> None:
    """Remove all but the newest KEEP, and the drafts of processes that were killed while they wrote."""
    drafts = (run / CHECKPOINT_FOLDER).glob(".step-*.safetensors.*")
    _remove([*(path for _, path in listed(run)[KEEP:]), *drafts])


def remove_after(run: Path, step: int) -> None:
    """Remove the checkpoints of later steps: the run has been taken back behind them. And the draft of a rewind point
    whose writer was killed: nobody is at it now."""
    drafts = (run / CHECKPOINT_FOLDER).glob(".rewind-*.safetensors.*")
    _remove([*(path for at, path in (*listed(run), *rewinds(run)) if at > step), *drafts])


def _remove(paths: list[Path]) -> None:
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink()
