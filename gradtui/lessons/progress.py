"""Remember which steps of which lessons a person has finished, in a file beside the settings."""

from __future__ import annotations

import json
from pathlib import Path

from gradtui.ordinary_files import read_whole
from gradtui.runs.folder import settings_path
from gradtui.runs.safe_files import replacing


def progress_path() -> Path:
    """Return the path of the file with the progress."""
    return settings_path().with_name("lessons.json")


def read_progress(path: Path | None = None) -> dict[str, list[int]]:
    """Return the numbers of the finished steps, from 1, by lesson; nothing where the file is missing or damaged."""
    try:
        found = json.loads(read_whole(path or progress_path()))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        name: sorted({step for step in steps if isinstance(step, int) and step > 0})
        for name, steps in found.items()
        if isinstance(steps, list)
    }


def note_step(lesson: str, step: int, path: Path | None = None) -> None:
    """Note a finished step, from 1. Raises OSError where the file cannot be written."""
    path = path or progress_path()
    progress = read_progress(path)
    progress[lesson] = sorted({*progress.get(lesson, []), step})
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, private=True) as file:
        file.write(json.dumps(progress, indent=1).encode())
