"""Write runs for the tests to read, and compute in plain numpy what their summaries are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gradtui.runs.folder import LEVEL_FACTOR, level_dtype, level_path, record_dtype, table_path
from gradtui.runs.meta import LayerMeta, RunMeta, TableMeta, write_meta
from gradtui.runs.writer import RunWriter

SCALARS = ("loss", "accuracy", "lr")


def describe(folder: Path, layers: int = 3, **fields: Any) -> RunMeta:
    """Write a run.json by this process, with scalars and the gradient of so many layers."""
    folder.mkdir(parents=True, exist_ok=True)
    names = tuple(f"dense{number}" for number in range(1, layers + 1))
    meta = RunMeta.of_this_process(
        **{
            "id": folder.name,
            "name": "a test",
            "layers": tuple(LayerMeta(name, "dense", 20) for name in names),
            "tables": {"scalars": TableMeta(SCALARS, "scalars"), "grad_norm": TableMeta(names)},
            "steps": 500,
            **fields,
        }
    )
    write_meta(folder, meta)
    return meta


def columns_of(meta: RunMeta) -> dict[str, Sequence[str]]:
    return {name: table.columns for name, table in meta.tables.items()}


def write_rows(
    folder: Path, tables: Mapping[str, np.ndarray], *, first: int = 1, seconds: float = 0.01
) -> None:
    """Append arrays (rows × columns) as rows of consecutive steps, through the writer."""
    names = {table: [str(column) for column in range(values.shape[1])] for table, values in tables.items()}
    writer = RunWriter(folder, names)
    for table, values in tables.items():
        for index, row in enumerate(values):
            writer.append(table, first + index, row, time=1e9 + (first + index) * seconds)
    writer.close()
    assert writer.error is None


def rows_on_disk(folder: Path, table: str, columns: int) -> np.ndarray:
    return np.fromfile(table_path(folder, table), record_dtype(columns))


def level_on_disk(folder: Path, table: str, columns: int, bucket: int) -> np.ndarray:
    path = level_path(folder, table, bucket)
    return np.fromfile(path, level_dtype(columns)) if path.exists() else np.zeros(0, level_dtype(columns))


def buckets_of(rows: int) -> list[int]:
    """Return the sizes of bucket for which there are enough rows to fill one."""
    return [LEVEL_FACTOR**power for power in range(1, 9) if rows // LEVEL_FACTOR**power]


def assert_same_tables(one: Path, other: Path, columns: int) -> None:
    """Assert the same files with the same numbers; the kind of a NaN and the sign of a 0 may differ by processor."""
    names = [{path.name for path in folder.glob("*.f32") if path.stat().st_size} for folder in (one, other)]
    assert names[0] == names[1]
    for name in names[0]:
        dtype = level_dtype(columns) if name.count(".") == 2 else record_dtype(columns)
        first, second = (np.fromfile(folder / name, dtype) for folder in (one, other))
        assert (one / name).stat().st_size == (other / name).stat().st_size == first.nbytes
        for field in dtype.names or ():
            np.testing.assert_array_equal(first[field], second[field])


def plain(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return min, mean and max over rows, column by column; NaN is left out of min and max."""
    low, mean, high = [], [], []
    for column in values.T:
        numbers = [float(value) for value in column]
        kept = [number for number in numbers if number == number]
        low.append(min(kept, default=float("nan")))
        high.append(max(kept, default=float("nan")))
        with np.errstate(invalid="ignore"):
            mean.append(float(np.mean(column.astype(np.float64))))
    return np.array(low), np.array(mean), np.array(high)


def assert_summarises(got: tuple[np.ndarray, np.ndarray, np.ndarray], values: np.ndarray) -> None:
    """Assert that min and max are exact, the mean is within the rounding that folder.py promises, and NaN and infinity
    are in their places."""
    low, mean, high = plain(values)
    np.testing.assert_array_equal(np.float64(got[0]), low)
    np.testing.assert_array_equal(np.float64(got[2]), high)
    finite = np.isfinite(mean)
    np.testing.assert_array_equal(np.float64(got[1])[~finite], mean[~finite])
    if finite.any():
        sizes = np.abs(values[:, finite].astype(np.float64)).mean(axis=0)
        allowed = sizes * 1e-7 * (np.log2(len(values)) + 2) + 1e-44
        assert (np.abs(np.float64(got[1])[finite] - mean[finite]) <= allowed).all()


def make(root: Path, identity: str, *, started: float, end: str | None = "finished", **meta: object) -> Path:
    folder = root / identity
    writer = RunWriter(folder, columns_of(describe(folder, started=started, **meta)))  # type: ignore[arg-type]
    folder.mkdir(exist_ok=True)
    writer.append("scalars", 40, [1, 2, 3])
    if end:
        writer.event("end", status=end)
    writer.close()
    return folder
