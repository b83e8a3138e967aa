"""Read data from files: handwritten digits, MNIST's idx format, CIFAR-10, .npz archives and texts."""

from __future__ import annotations

import gzip
import lzma
import os
import zipfile
import zlib
from io import BytesIO
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradtui.data.arrays import Arrays, DataError, reason, split
from gradtui.experiment.data_files import check_claim, open_data, read_text_data
from gradtui.experiment.data_shapes import idx_files, idx_header, vocabulary
from gradtui.experiment.spec import Data
from gradtui.ordinary_files import read_shipped

DIGITS_FILE = os.path.join("files", "digits.npz")
"""The file lies beside this module."""
DIGITS_TEST = 360
"""The number of test images; the other 1,437 are for training."""
DIGITS_BRIGHTEST = 16.0


def digits(seed: int) -> Arrays:
    """Return images (n, 8, 8) of whole numbers from 0 to 16, and the digits they show.

    They are 1,797 images of the UCI repository, shipped with gradtui (see files/).
    """
    with np.load(BytesIO(read_shipped("gradtui.data", DIGITS_FILE)), allow_pickle=False) as file:
        return split(file["x"], file["y"], seed, DIGITS_TEST)


def idx(path: Path, classes: int, seed: int) -> Arrays:
    """Return images (n, height, width) of bytes and labels (n,), from MNIST's idx format, plain or .gz.

    Without test files, a fifth of the images is used for the test.

    Raises ExperimentError, as a DataError where a file is missing, cut short, too long, or does not fit the others.
    """
    files = idx_files(path)
    x, y = _idx_pair(files.train_images, files.train_labels, classes)
    if files.test_images is None or files.test_labels is None:
        if len(x) < 2:
            raise DataError(files.train_images, "holds one image", "at least two, one of them for the test")
        return split(x, y, seed)
    test_x, test_y = _idx_pair(files.test_images, files.test_labels, classes)
    if test_x.shape[1:] != x.shape[1:]:
        raise DataError(
            files.test_images, f"holds images of {test_x.shape[1:]}", f"{x.shape[1:]} as in training"
        )
    return Arrays(x, y, test_x, test_y)


def _idx_pair(images: Path, labels: Path, classes: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    x, y = _read_idx(images), _read_idx(labels)
    if y.shape != x.shape[:1]:
        raise DataError(labels, f"has dimensions {y.shape}", f"one label for each of {len(x)} images")
    if not len(x):
        raise DataError(images, "holds no image", "at least one")
    if y.max() >= classes:
        raise DataError(labels, f"holds the label {y.max()}", f"labels below {classes}, as in training")
    return x, y


def _read_idx(path: Path) -> NDArray[np.uint8]:
    sizes = idx_header(path)
    start, wanted = 4 + 4 * len(sizes), prod(sizes)
    check_claim(path, wanted)
    with open_data(path) as file:
        try:
            file.seek(start)
            content = file.read(wanted + 1)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(
                path, f"is cut short or damaged ({error})", f"{wanted} bytes of {sizes}"
            ) from None
    if len(content) != wanted:
        found = f"{len(content)}" if len(content) < wanted else "more"
        raise DataError(path, f"has {found} bytes after its header", f"{wanted} for dimensions {sizes}")
    return np.frombuffer(content, np.uint8).reshape(sizes)


CIFAR10_TRAINING = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
CIFAR10_TEST = "test_batch.bin"
CIFAR10_FOLDER = "cifar-10-batches-bin"
"""The folder in the archive of CIFAR-10; a user may give this folder or its parent."""
CIFAR10_IMAGE = (3, 32, 32)
CIFAR10_RECORD = 1 + 3 * 32 * 32
CIFAR10_RECORDS = 10_000
"""The number of records in each file."""
CIFAR10_CLASSES = 10
BYTE_BRIGHTEST = 255.0


def cifar10(path: Path) -> Arrays:
    """Return images (n, 3, 32, 32) of bytes and labels (n,): 50,000 to train on, 10,000 for the test.

    In CIFAR-10's binary version, a record is a label's byte and 3,072 bytes of red, green and blue planes.

    Raises DataError if a file is missing, has the wrong length, or holds a label above 9.
    """
    folder = path / CIFAR10_FOLDER if (path / CIFAR10_FOLDER).is_dir() else path
    if not folder.is_dir():
        raise DataError(
            path,
            "is not a folder",
            f"the folder of {CIFAR10_TRAINING[0]} to {CIFAR10_TRAINING[-1]} and {CIFAR10_TEST}",
        )
    parts = [_read_cifar10(folder / name) for name in CIFAR10_TRAINING]
    test_x, test_y = _read_cifar10(folder / CIFAR10_TEST)
    return Arrays(
        np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts]), test_x, test_y
    )


def _read_cifar10(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    if not path.is_file():
        raise DataError(path, "does not exist", "a batch of CIFAR-10's binary version")
    size, wanted = path.stat().st_size, CIFAR10_RECORDS * CIFAR10_RECORD
    if size != wanted:
        raise DataError(
            path, f"has {size} bytes", f"{wanted}: {CIFAR10_RECORDS} records of {CIFAR10_RECORD} bytes"
        )
    try:
        records = np.fromfile(path, np.uint8).reshape(-1, CIFAR10_RECORD)
    except OSError as error:
        raise DataError(path, f"cannot be read: {reason(error)}") from None
    labels = records[:, 0]
    if labels.max() >= CIFAR10_CLASSES:
        raise DataError(path, f"holds the label {labels.max()}", f"labels from 0 to {CIFAR10_CLASSES - 1}")
    return records[:, 1:].reshape(-1, *CIFAR10_IMAGE), labels


LARGEST_FLOAT32 = float(np.finfo(np.float32).max)


def npz(path: Path, seed: int) -> Arrays:
    """Return x (n, …) and y (n,) or (n, outputs) of a .npz file, read without pickle.

    ``experiment.data_shapes.npz_shape`` has checked them before. Bytes stay bytes, all other x become float32. A fifth,
    chosen by the seed, is used for the test.

    Raises DataError if the arrays are damaged or hold numbers that are not finite in float32.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            x, y = file["x"], file["y"]
    except (
        ValueError,
        OSError,
        EOFError,
        KeyError,
        NotImplementedError,
        RuntimeError,
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
    ) as error:
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
    if not (values.min() >= -LARGEST_FLOAT32 and values.max() <= LARGEST_FLOAT32):
        raise DataError(
            path, f"array {name} holds numbers that float32 cannot hold", "finite numbers within ±3.4e38"
        )


TEXT_TEST_SHARE = 10
"""One character in this many is kept for the test, at the end of the text."""


def text(path: Path, data: Data) -> Arrays:
    """Return x and y (n, length): token ids of successive pieces of the text; y is x shifted by one character.

    Pieces do not overlap, so every character is predicted once in an epoch. The test is the end of the text: with
    pieces chosen at random, the net would have been trained on both neighbours of each.
    """
    known = vocabulary(data)
    ids = np.searchsorted(_codes(known), _codes(read_text_data(path))).astype(np.int64)
    pieces = (len(ids) - 1) // data.length
    if pieces < 2:
        raise DataError(
            path,
            f"has {len(ids)} characters",
            f"at least {2 * data.length + 1}: two pieces of data.length {data.length}",
        )
    used = pieces * data.length
    x, y = ids[:used].reshape(pieces, -1), ids[1 : used + 1].reshape(pieces, -1)
    kept = pieces - max(1, pieces // TEXT_TEST_SHARE)
    return Arrays(x[:kept], y[:kept], x[kept:], y[kept:])


def _codes(characters: str) -> np.ndarray:
    return np.frombuffer(characters.encode("utf-32-le"), "<u4")
