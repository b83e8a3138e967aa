"""Describe the run folder: the names of its files and their layout on disk.

A run is a folder. One process writes each file, and only by appending (`run.json` and checkpoints: by atomic
replace), so it can be read at any moment, from any process, also over a network file system::

    experiment.toml        the experiment as it was started
    start.json             where the run begins, if not at fresh weights: see meta.py
    run.json               the description of the run: see meta.py. Under "tables" it names the columns of each table
    <table>.f32            rows of numbers
    <table>.<bucket>.f32   the same rows summarised by buckets of 16, 256, 4096 … rows
    events.jsonl           events, one JSON object a line, each with "event" and "time", and most with "step"
    control.jsonl          commands of viewers, one JSON object a line
    diagnosis.json         the findings of a viewer in a run that has ended, if its events hold none
    shallower.json         the run with fewer layers that this one is compared with, to see whether depth does harm
    label.json             the name, tags, group and note that people gave it; viewers write it, each time as a whole
    checkpoints/           safetensors: step-<n> of the run itself, rewind-<n> from before a divergence, parent-<n>
                           for the start of a fork
    trainer.log            the output of the trainer
    trainer.lock           an empty file, locked by the process that trains
    reserve                a file that keeps disk space for the last event; it is removed when the run ends
    heartbeat              an empty file whose time of change is renewed about once a second

To read a table, here inside the folder (`step` counts from 1; `time` is in seconds since the epoch; `values`
has the shape rows × columns)::

    import json, numpy as np
    n = len(json.load(open("run.json"))["tables"]["grad_norm"]["columns"])
    table = np.fromfile("grad_norm.f32", [("step", "<u4"), ("time", "<f8"), ("values", "<f4", (n,))])

The table `scalars` holds one column a scalar (loss, accuracy, lr …), `grad_histogram` 32 a layer (see below),
the others one column a layer, from input to output, or one a time lag. Steps ascend within a table; a sampled
table does not have all steps. An incomplete last record is still being written, or was cut off when the writer
died; it is ignored.

A level's record has the step and the time of its bucket's first row, then `min`, `mean` and `max` in place
of `values`. Only full buckets are written; record k of a level with buckets of b rows covers the table's rows
k·b up to (k+1)·b. `min` and `max` ignore NaN (a bucket with nothing but NaN has NaN); `mean` keeps NaN and
infinity. All three ignore rows that have no number (see below). A mean is taken pair by pair and rounded to
float32 each time, so that any reader that folds a table's rows in pairs gets exactly the numbers stored here;
its error is at most 1e-7 · log2(b) of the values' mean size.

NaN means that a number is not a number, or that there is none: a layer was frozen or not used in that step, or an
optimizer took no step. A missing number is the NaN with the bits 7FC00001 (`gradtui.absent`); runs of early versions
do not distinguish the two.

The table `grad_histogram` holds at some steps the sizes of the numbers of each layer's gradient, with penalties and
before clipping, as `grad_norm` has their norm. For each layer it has `<layer>/power`, the highest power of two
that any of them reaches (NaN if all are 0 or not finite), and then shares of all numbers: `<layer>/zeros`, which
are exactly 0; `<layer>/nonfinite`, NaN and infinity; `<layer>/0`, those of that power of two (from 2^power up to
twice that); `<layer>/-1`, those of the next lower one; and so on to `<layer>/-28`, which also holds all smaller
ones. Numbers below the normal range of float32 have powers too, down to -149. A layer without a gradient of its
own has NaN everywhere. Of a script's large layers evenly spaced numbers are counted. The table has no levels.

The tables `plane` and `unit_planes` of a net that learns points in the plane hold pictures; see plane.py. Their
columns have `width` numbers each ("width" in run.json), and they have no levels.

Numbers in JSON that are not finite are written as the strings "nan", "inf" and "-inf".
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import struct
import sys
import time
from array import array
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gradtui.ordinary_files import given_path, open_to_read, read_whole
from gradtui.runs import safe_files
from gradtui.toml_text import LARGEST_FILE, parse

if TYPE_CHECKING:
    import numpy as np


RUN_FILE = "run.json"
EXPERIMENT_FILE = "experiment.toml"
START_FILE = "start.json"
EVENTS_FILE = "events.jsonl"
CONTROL_FILE = "control.jsonl"
LOG_FILE = "trainer.log"
HEARTBEAT_FILE = "heartbeat"
RESERVE_FILE = "reserve"
CHECKPOINT_FOLDER = "checkpoints"

LEVEL_FACTOR = 16
"""The number of buckets of the level below that one bucket of a level covers."""

HEADER_BYTES = 12
"""The bytes of the step and the time at the start of each record."""

_TABLE_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")


def record_size(columns: int) -> int:
    """Return the bytes of one row of a table. It needs no numpy."""
    return HEADER_BYTES + 4 * columns


def record_dtype(columns: int) -> np.dtype[np.void]:
    """Return the type of one row of a table."""
    return _dtype([("step", "<u4"), ("time", "<f8"), ("values", "<f4", (columns,))])


def level_dtype(columns: int) -> np.dtype[np.void]:
    """Return the type of one bucket of a level."""
    statistics = [(name, "<f4", (columns,)) for name in ("min", "mean", "max")]
    return _dtype([("step", "<u4"), ("time", "<f8"), *statistics])


def _dtype(fields: list[Any]) -> np.dtype[np.void]:
    # The screens list runs before their first frame, and the import of numpy takes a tenth of a second.
    import numpy as np

    return np.dtype(fields)


def table_path(folder: Path, table: str) -> Path:
    """Return the file of a table. Raises ValueError if the name could be a level's, or leads out of the folder."""
    if not _TABLE_NAME.match(table):
        raise ValueError(f"{table!r} is not a name of a table; expected small letters, digits and _")
    return folder / f"{table}.f32"


def level_path(folder: Path, table: str, bucket: int) -> Path:
    """Return the file of a table's level with buckets of `bucket` rows."""
    return table_path(folder, table).with_suffix(f".{bucket}.f32")


LARGE_FILE, LARGE_FILE_RATIO = 100_000_000, 100
"""A file with more bytes than this, of which less than this share is on the disk, ends at its first hole."""


def size_of(path: Path) -> int:
    """Return the bytes of a file that another process may be writing, up to a large hole; 0 if there is none.

    The file is opened for this, because on a network file system the result of stat alone may be seconds old.
    """
    try:
        descriptor = open_to_read(path)
    except OSError:
        return 0
    try:
        about = os.fstat(descriptor)
        if about.st_size > LARGE_FILE and about.st_blocks * 512 < about.st_size // LARGE_FILE_RATIO:
            # Nearly all of it is a hole, which no writer leaves. Reading it would give gigabytes of zeros.
            return os.lseek(descriptor, 0, os.SEEK_HOLE)
        return about.st_size
    except OSError:
        return 0
    finally:
        os.close(descriptor)


def is_run_folder(folder: Path) -> bool:
    """Return whether a folder holds a run, or is about to."""
    # The methods of Path raise if a name is too long.
    return os.path.isfile(folder / RUN_FILE) or os.path.isfile(folder / EXPERIMENT_FILE)


def runs_root() -> Path:
    """Return the default folder of runs: $GRADTUI_HOME/runs, or else the platform's folder for a user's data."""
    home = os.environ.get("GRADTUI_HOME")
    if home:
        return given_path(home) / "runs"
    import platformdirs

    return platformdirs.user_data_path("gradtui", appauthor=False) / "runs"


SETTINGS_FILE = "settings.toml"


def settings_path() -> Path:
    """Return the path of the settings file, which may not exist."""
    home = os.environ.get("GRADTUI_HOME")
    if home:
        return given_path(home) / SETTINGS_FILE
    import platformdirs

    return platformdirs.user_config_path("gradtui", appauthor=False) / SETTINGS_FILE


def shares_by_default() -> bool:
    """Return whether new runs are readable by the group, by the person's settings."""
    try:
        content = read_whole(settings_path(), LARGEST_FILE)
    except OSError:
        return False
    try:
        return parse(content.decode()).get("share") is True
    except ValueError:
        # The app reports the error in the file.
        return False


def slug_of(name: str) -> str:
    """Return a name reduced to small letters, digits and hyphens; it may be empty."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].rstrip("-")


def new_folder(root: Path, name: str, *, share: bool = False) -> Path:
    """Make an empty folder in `root` whose name, the run's id, sorts by time and resembles `name`.

    Only this user can read it; with `share`, or by the settings, the group can too. Raises OSError if it cannot be
    made.
    """
    share = share or shares_by_default()
    slug = slug_of(name) or "run"
    stamp = time.strftime("%Y%m%d-%H%M%S")
    make_root(root, share=share)
    attempt = 1
    while True:
        folder = root / (f"{stamp}-{slug}" if attempt == 1 else f"{stamp}-{slug}-{attempt}")
        try:
            safe_files.make_folder(folder, share=share)
        except FileExistsError:
            attempt += 1
        else:
            return folder


def name_without_time(folder: Path) -> str:
    """Return the part of a run folder's name that resembles the name of the run, as long as that was not read."""
    return re.sub(r"^\d{8}-\d{6}-(?=.)", "", folder.name)


def make_root(root: Path, *, share: bool = False) -> None:
    """Make the folder of runs if it is missing, and let the group read it if a run is shared. Raises OSError."""
    safe_files.make_parents(root.parent)
    with contextlib.suppress(FileExistsError):
        safe_files.make_folder(root, share=share)
    about = root.stat()
    if not stat.S_ISDIR(about.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(root))
    needed = stat.S_IRGRP | stat.S_IXGRP
    if share and about.st_uid == os.getuid() and about.st_mode & needed != needed:
        root.chmod(stat.S_IMODE(about.st_mode) | needed)


class LastRow(NamedTuple):
    """A LastRow is the newest row of a table, read without numpy, because lists read one row of each of many runs."""

    step: int
    time: float
    """The time in seconds since the epoch."""
    values: array[float]
    """The numbers of the row, (columns,)."""


def last_row(folder: Path, table: str, columns: int) -> LastRow | None:
    """Return the last whole row of a table with `columns` columns; None if there is none or it cannot be read."""
    record = _last_bytes(folder, table, columns, record_size(columns))
    if record is None:
        return None
    values = array("f", record[HEADER_BYTES:])
    if sys.byteorder == "big":
        values.byteswap()
    step, time = struct.unpack_from("<Id", record)
    return LastRow(step, time, values)


def last_row_step(folder: Path, table: str, columns: int) -> int:
    """Return the step of the last row of a table; 0 if there is none."""
    record = _last_bytes(folder, table, columns, HEADER_BYTES)
    return 0 if record is None else int.from_bytes(record[:4], "little")


def _last_bytes(folder: Path, table: str, columns: int, count: int) -> bytes | None:
    """Return the first `count` bytes of the last whole record."""
    try:
        path, size = table_path(folder, table), record_size(columns)
        rows = size_of(path) // size
        if not rows:
            return None
        with os.fdopen(open_to_read(path), "rb") as file:
            file.seek((rows - 1) * size)
            record = file.read(count)
    except (OSError, ValueError):
        return None
    return record if len(record) == count else None
