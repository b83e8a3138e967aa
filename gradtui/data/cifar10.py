"""CIFAR-10 in its binary version: records of a label's byte and 3,072 bytes of red, green and blue planes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradtui.data.arrays import Arrays
from gradtui.data.errors import DataError, reason

TRAINING = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST = "test_batch.bin"
FOLDER = "cifar-10-batches-bin"
"""As its archive unpacks; the folder itself or the one that holds it may be named."""
IMAGE = (3, 32, 32)
RECORD = 1 + 3 * 32 * 32
RECORDS = 10_000
"""In each file."""
CLASSES = 10
BRIGHTEST = 255.0


def cifar10(path: Path) -> Arrays:
    """Images (n, 3, 32, 32) of bytes and labels (n,): 50,000 to train on, 10,000 for the test.

    Raises DataError where a file is missing, is not as long as it must be, or holds a label above 9.
    """
    folder = path / FOLDER if (path / FOLDER).is_dir() else path
    if not folder.is_dir():
        raise DataError(path, "is no folder", f"the folder of {TRAINING[0]} to {TRAINING[-1]} and {TEST}")
    parts = [_read(folder / name) for name in TRAINING]
    test_x, test_y = _read(folder / TEST)
    return Arrays(
        np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts]), test_x, test_y
    )


def _read(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    if not path.is_file():
        raise DataError(path, "no such file", "a batch of CIFAR-10's binary version")
    size, wanted = path.stat().st_size, RECORDS * RECORD
    if size != wanted:
        raise DataError(path, f"has {size} bytes", f"{wanted}: {RECORDS} records of {RECORD} bytes")
    try:
        records = np.fromfile(path, np.uint8).reshape(-1, RECORD)
    except OSError as error:
        raise DataError(path, f"cannot be read: {reason(error)}") from None
    labels = records[:, 0]
    if labels.max() >= CLASSES:
        raise DataError(path, f"holds the label {labels.max()}", f"labels from 0 to {CLASSES - 1}")
    return records[:, 1:].reshape(-1, *IMAGE), labels
