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


def path_of(run: Path, step: int) -> Path:
    """The file of the checkpoint after `step`; names sort by step."""
    return run / CHECKPOINT_FOLDER / f"step-{step:09d}.safetensors"


def listed(run: Path) -> list[tuple[int, Path]]:
    """Step and file of each checkpoint of a run, the newest first."""
    with contextlib.suppress(OSError):
        named = [(_NAME.match(path.name), path) for path in (run / CHECKPOINT_FOLDER).iterdir()]
        return sorted(((int(name[1]), path) for name, path in named if name), reverse=True)
    return []


def tidy(run: Path) -> None:
    """Remove all but the newest KEEP, and the drafts of processes that were killed while they wrote."""
    drafts = (run / CHECKPOINT_FOLDER).glob(".step-*.safetensors.*")
    _remove([*(path for _, path in listed(run)[KEEP:]), *drafts])


def remove_after(run: Path, step: int) -> None:
    """Remove the checkpoints of later steps: the run has been taken back behind them."""
    _remove([path for at, path in listed(run) if at > step])


def _remove(paths: list[Path]) -> None:
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink()
