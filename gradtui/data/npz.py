"""Arrays x and y of a .npz file, read without pickle."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradtui.data.arrays import Arrays, split
from gradtui.data.errors import DataError

MOST = float(np.finfo(np.float32).max)


def npz(path: Path, seed: int) -> Arrays:
    """x (n, …) and y (n,) or (n, outputs) as ``experiment.data_shapes.npz_shape`` has accepted them: bytes
    stay bytes, all other x become float32. A fifth, chosen by the seed, is the test.

    Raises DataError where the arrays are damaged or hold numbers that are not finite in float32.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            x, y = file["x"], file["y"]
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(path, f"is damaged ({error})", "arrays x and y as numpy.savez writes them") from None
    if len(x) < 2:
        raise DataError(path, "holds one example", "at least two, one of them for the test")
    _check_finite(path, "x", x)
    if y.dtype.kind == "f":
        _check_finite(path, "y", y)
        return split(_plain(x), y.reshape(len(y), -1).astype(np.float32), seed)
    return split(_plain(x), y.astype(np.int64), seed)


def _plain(x: NDArray[np.generic]) -> NDArray[np.generic]:
    return x if x.dtype == np.uint8 else x.astype(np.float32)


def _check_finite(path: Path, name: str, values: NDArray[np.generic]) -> None:
    # A NaN makes both comparisons false.
    if not (values.min() >= -MOST and values.max() <= MOST):
        raise DataError(
            path, f"array {name} holds numbers that float32 cannot hold", "finite numbers within ±3.4e38"
        )
