"""Read and write shallower.json, which names the run with fewer layers that an ended run is compared with.

Network degradation shows only beside a shallower run. With this file, every list, screen and command that shows the
deeper run finds it too. Its trainer writes it at the end of the training, or a study, whose runs end in any order.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from gradtui.ordinary_files import read_whole
from gradtui.runs.folder import is_run_folder
from gradtui.runs.json_text import decode, encode
from gradtui.runs.safe_files import replacing

SHALLOWER_FILE = "shallower.json"


class ShallowerRun(msgspec.Struct, frozen=True):
    """A ShallowerRun names a run in the same folder of runs."""

    run: str


def read_shallower_run(folder: Path) -> Path | None:
    """Return the folder of the run that this one is compared with; None where there is none, or it is gone."""
    try:
        name = decode(read_whole(folder / SHALLOWER_FILE), ShallowerRun).run
        # A name with a path in it would lead out of the folder of runs.
        other = folder.parent / name if name and Path(name).name == name else None
        return other if other is not None and is_run_folder(other) else None
    except (OSError, ValueError):
        return None


def write_shallower_run(folder: Path, other: Path) -> bool:
    """Name the run that an ended run is compared with; return False where that cannot be written."""
    if other.parent != folder.parent:
        return False
    if read_shallower_run(folder) == other:
        return True
    try:
        with replacing(folder / SHALLOWER_FILE) as file:
            file.write(encode(ShallowerRun(other.name)))
    except OSError:
        return False
    return True
