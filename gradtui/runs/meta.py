"""Read and write run.json and start.json, which say who writes a run, what it contains and where it begins."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import msgspec
from msgspec import Meta

from gradtui.ordinary_files import read_whole
from gradtui.runs import process
from gradtui.runs.errors import RunError
from gradtui.runs.event_check import LARGEST_STEP, LATEST_TIME
from gradtui.runs.folder import RUN_FILE, START_FILE, table_path
from gradtui.runs.json_text import decode, encode
from gradtui.runs.safe_files import replacing

FORMAT = 1


class LayerMeta(msgspec.Struct, frozen=True):
    """A LayerMeta describes one weight layer."""

    name: str
    kind: str = ""
    parameters: int = 0
    frozen: bool = False
    """This is true if none of the layer's parameters required a gradient when the training began."""
    dtype: str = ""
    """The type of the layer's numbers, such as float32; of several types, the smallest."""
    places: float = 0.0
    """The number of places of one example at which a weight of a script's layer is used; 0 where it is not known."""
    form: str = ""
    """How the weight is used, such as "linear" or "conv 3x3"; empty where it is not known."""


class TableMeta(msgspec.Struct, frozen=True):
    """A TableMeta names the columns of a table, in the order in which they are stored."""

    columns: tuple[str, ...]
    kind: Literal["scalars", "layers", "lags", "histograms", "planes"] = "layers"
    width: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    """The numbers in each column of a row; only planes have more than one."""

    @property
    def numbers(self) -> int:
        """Return how many numbers a row has."""
        return len(self.columns) * self.width

    @property
    def levelled(self) -> bool:
        """Return whether coarser levels of the table are kept."""
        return self.kind not in ("histograms", "planes")


class PlaneMeta(msgspec.Struct, frozen=True, kw_only=True):
    """A PlaneMeta describes the grid of places in the tables of planes, and the points that the net learns from.

    Each coordinate runs from `low` to `high` in `side` places; the net is evaluated at their centres.
    """

    low: tuple[float, float]
    high: tuple[float, float]
    side: Annotated[int, Meta(ge=1, le=500)]
    unit_side: Annotated[int, Meta(ge=1, le=500)]
    """The number of places per coordinate in the pictures of single units, which are coarser."""
    x: tuple[float, ...]
    y: tuple[float, ...]
    answers: tuple[float, ...]
    """The class of each point, or the number to predict."""
    classes: Annotated[int, Meta(ge=0, le=100)]
    """The number of classes; 0 where numbers are predicted."""


class Parent(msgspec.Struct, frozen=True, omit_defaults=True):
    """A Parent is the run with which a fork is compared."""

    run: str
    """The id of the run."""
    step: int
    """The step of the parent after which the fork begins; 0 where the two share only their initial weights."""
    cure: str = ""
    """The cure that the fork tries: its key in gradtui.experiment.cures.CURES, or its name where it has no key."""


class RunMeta(msgspec.Struct, frozen=True, kw_only=True):
    """A RunMeta is the content of run.json, which only the trainer writes."""

    format: int = FORMAT
    id: str
    """The name of the folder when the run began."""
    name: str
    kind: Literal["experiment", "script"] = "experiment"
    experiment: dict[str, Any] | None = None
    """The experiment that was trained, as experiment.toml.to_dict gives it; None for a script's own net."""
    layers: tuple[LayerMeta, ...] = ()
    """The layers in forward order; empty until the net is built."""
    paths: tuple[tuple[int, ...], ...] = ()
    """The known paths of a script's net from input to output, each as the numbers of its layers."""
    tables: dict[str, TableMeta] = {}
    steps: int = 0
    """The number of steps that are planned; 0 if unknown."""
    pid: int = 0
    pid_started: int | None = None
    """The start of the process in clock ticks since boot; None where there is no /proc."""
    host: str = ""
    machine: str = ""
    """The boot and the pid namespace: see process.machine."""
    started: float = 0.0
    """Seconds since the epoch."""
    versions: dict[str, str] = {}
    device: str = ""
    chance_loss: float | None = None
    """The loss of a net that ignores its input."""
    parameters: int = 0
    data: dict[str, Any] = {}
    note: str = ""
    """What the script said of its run by `watch(note=…)`; people may replace it in label.json."""
    parent: Parent | None = None
    """The run from which this one was forked, or with which its cure is compared."""
    preflight: bool = False
    """This is true if nothing is trained and each table has one row, measured at initialisation."""
    plane: PlaneMeta | None = None
    """The description of the tables of planes; None where the run has none."""

    @classmethod
    def of_this_process(cls, **fields: Any) -> Self:
        """Return a RunMeta with pid, pid_started, host, machine and started of this process; the rest by keyword."""
        pid = os.getpid()
        who = {
            "pid": pid,
            "pid_started": process.start_ticks(pid),
            "host": process.host_name(),
            "machine": process.machine(),
            "started": time.time(),
        }
        return cls(**{**who, **fields})

    def resumed_by(self, before: Self) -> Self:
        """Return `before`, the RunMeta of an earlier process, with this process as the one that continues the run."""
        process = ("pid", "pid_started", "host", "machine", "versions")
        return msgspec.structs.replace(before, **{name: getattr(self, name) for name in process})


def config_of(meta: RunMeta | None) -> dict[str, Any]:
    """Return the fields of the configuration that a script was started with, by their paths; empty where none is
    known."""
    config = meta.data.get("config") if meta is not None else None
    return config if isinstance(config, dict) else {}


def change_of(meta: RunMeta | None) -> str | None:
    """Return what a trial of a script has changed, empty where it changed nothing; None if the run is not a trial."""
    trial = meta.data.get("trial") if meta is not None else None
    change = trial.get("change") if isinstance(trial, dict) else None
    return change if isinstance(change, str) else None


def write_meta(folder: Path, meta: RunMeta) -> None:
    """Replace run.json atomically, so that a reader sees the old or the new file. Raises OSError."""
    with replacing(folder / RUN_FILE) as file:
        file.write(msgspec.json.format(encode(meta), indent=1) + b"\n")


LONGEST_NAME = 10_000
"""The most characters of a name in run.json, because names are painted and printed."""
MOST_NUMBERS = 50_000_000
"""The most numbers in a row of a table, because a row is read as a whole."""


def _check(meta: RunMeta) -> None:
    """Raise ValueError, in one line, where a number or a name is impossible."""
    counts = {"steps": meta.steps, "parameters": meta.parameters, "pid": meta.pid}
    counts |= {f"layers.{number}.parameters": layer.parameters for number, layer in enumerate(meta.layers)}
    if meta.parent is not None:
        counts["parent.step"] = meta.parent.step
    for field, count in counts.items():
        if not 0 <= count <= LARGEST_STEP:
            raise ValueError(f"{field}: {count} is not a count")
    if not abs(meta.started) <= LATEST_TIME:
        raise ValueError(f"started: {meta.started:g} is not a time")
    names = [meta.id, meta.name, meta.note, meta.host, meta.machine, meta.device]
    names += [text for layer in meta.layers for text in (layer.name, layer.kind)]
    names += [column for table in meta.tables.values() for column in table.columns]
    if any(table.numbers > MOST_NUMBERS for table in meta.tables.values()):
        raise ValueError(f"tables: a row of more than {MOST_NUMBERS:,} numbers")
    if meta.plane is not None:
        _check_plane(meta.plane, meta.tables)
    if any(len(name) > LONGEST_NAME for name in names):
        raise ValueError(f"a name of more than {LONGEST_NAME:,} characters")


LARGEST_COORDINATE = 1e30
"""The largest absolute value of a coordinate of a plane."""


def _check_plane(plane: PlaneMeta, tables: dict[str, TableMeta]) -> None:
    """Raise ValueError where the places of the plane, its points and its tables do not fit together."""
    for low, high in zip(plane.low, plane.high, strict=True):
        if not -LARGEST_COORDINATE < low < high < LARGEST_COORDINATE:
            raise ValueError(f"plane: no coordinates lie between {low:g} and {high:g}")
    if not len(plane.x) == len(plane.y) == len(plane.answers):
        raise ValueError("plane: its points need one x, one y and one answer each")
    for name, side in (("plane", plane.side), ("unit_planes", plane.unit_side)):
        table = tables.get(name)
        if table is not None and table.width % side**2:
            raise ValueError(f"tables.{name}.width: {table.width} is not a multiple of {side} × {side}")


def read_meta(folder: Path) -> RunMeta:
    """Read run.json. Raises RunError, one line that names the file, if it is missing or corrupt."""
    path = folder / RUN_FILE
    try:
        content = read_whole(path)
    except FileNotFoundError:
        raise RunError(f"{path}: no such file") from None
    except OSError as error:
        raise RunError(f"{path}: {error.strerror}") from None
    try:
        meta = decode(content, RunMeta)
        _check(meta)
    except ValueError as error:
        raise RunError(f"{path}: not a run's description: {error}") from None
    if meta.format != FORMAT:
        raise RunError(f"{path}: has format {meta.format}, but this gradtui reads format {FORMAT}")
    try:
        for table in meta.tables:
            table_path(folder, table)
    except ValueError as error:
        raise RunError(f"{path}: {error}") from None
    return meta


class RunOrigin(msgspec.Struct, frozen=True, omit_defaults=True):
    """A RunOrigin is the content of start.json, which says where a run begins, if not at fresh weights and step 0.

    It is written once, when the run's folder is made and before its trainer starts.
    """

    parent: Parent | None = None
    checkpoint: str = ""
    """The parent's checkpoint in this run's folder; it is a copy, so the parent may be deleted."""
    preflight: bool = False
    """This is true if the trainer only measures at initialisation, and trains nothing."""


def write_origin(folder: Path, start: RunOrigin) -> None:
    """Write start.json atomically. Raises OSError."""
    with replacing(folder / START_FILE) as file:
        file.write(msgspec.json.format(encode(start), indent=1) + b"\n")


def read_origin(folder: Path) -> RunOrigin:
    """Read start.json. Raises RunError, one line that names the file, if it is corrupt."""
    path = folder / START_FILE
    try:
        content = read_whole(path)
    except FileNotFoundError:
        return RunOrigin()
    except OSError as error:
        raise RunError(f"{path}: {error.strerror}") from None
    try:
        return decode(content, RunOrigin)
    except ValueError as error:
        raise RunError(f"{path}: does not say where the run starts: {error}") from None
