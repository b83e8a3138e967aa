"""Everything at a path that can be made a run, made one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gradtui.importing.errors import ImportFailed
from gradtui.importing.logged import Log
from gradtui.importing.shaped import Tables, shape
from gradtui.importing.tensorboard import event_files, read_events
from gradtui.importing.wandb import offline_runs, read_offline_run
from gradtui.importing.writing import write_run


@dataclass(frozen=True)
class Imported:
    """One log, and what became of it."""

    log: Log
    tables: Tables
    folder: Path | None
    """None where it says nothing of single layers: there is nothing that the waterfall could show."""


def load(path: Path, root: Path, name: str | None = None) -> Iterator[Imported]:
    """Make runs in `root` of the TensorBoard event files and the W&B offline runs at `path`: a file, or a folder with
    any number of them beneath it.

    `name` is the run's; of several, each is called NAME/ITS-OWN. Raises ImportFailed, one line, where there is nothing
    to import or a file cannot be read; what was imported before that stays.
    """
    if not path.exists():
        raise ImportFailed(f"{path}: no such file or folder")
    events, offline = event_files(path), offline_runs(path)
    several = len(events) + len(offline) > 1
    if not events and not offline:
        raise ImportFailed(f"{path}: no TensorBoard event file (*tfevents*) and no W&B offline run (*.wandb)")
    for files in events:
        yield _made(read_events(files, _own_name(files[0], path)), root, name, several)
    for file in offline:
        yield _made(read_offline_run(file), root, name, several)


def _own_name(file: Path, path: Path) -> str:
    """Of the run whose event file that is: its folder, as it lies beneath the path."""
    folder, above = file.parent.absolute(), path.absolute()
    return folder.relative_to(above).as_posix() if path.is_dir() and folder != above else folder.name


def _made(log: Log, root: Path, name: str | None, several: bool) -> Imported:
    tables = shape(log)
    chosen = log.name if name is None else f"{name}/{log.name}" if several else name
    gradients = tables.layers.get("grad_norm")
    if gradients is None or not len(gradients.steps):
        return Imported(log, tables, None)
    return Imported(log, tables, write_run(root, chosen, log, tables))
