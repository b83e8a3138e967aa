"""MNIST's idx format, plain or .gz: a magic number, the dimensions, then the bytes."""

from __future__ import annotations

import gzip
import zlib
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradtui.data.arrays import Arrays, split
from gradtui.data.errors import DataError, reason
from gradtui.experiment.data_shapes import idx_files, idx_header

BRIGHTEST = 255.0


def idx(path: Path, classes: int, seed: int) -> Arrays:
    """Images (n, height, width) of bytes and labels (n,). Without test files a fifth of the images is the
    test.

    Raises ExperimentError, DataError where a file is missing, cut short, too long, or does not fit the
    others.
    """
    files = idx_files(path)
    x, y = _pair(files.train_images, files.train_labels, classes)
    if files.test_images is None or files.test_labels is None:
        if len(x) < 2:
            raise DataError(files.train_images, "holds one image", "at least two, one of them for the test")
        return split(x, y, seed)
    test_x, test_y = _pair(files.test_images, files.test_labels, classes)
    if test_x.shape[1:] != x.shape[1:]:
        raise DataError(
            files.test_images, f"holds images of {test_x.shape[1:]}", f"{x.shape[1:]} as in training"
        )
    return Arrays(x, y, test_x, test_y)


def _pair(images: Path, labels: Path, classes: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    x, y = _read(images), _read(labels)
    if y.shape != x.shape[:1]:
        raise DataError(labels, f"has dimensions {y.shape}", f"one label for each of {len(x)} images")
    if not len(x):
        raise DataError(images, "holds no image", "at least one")
    if y.max() >= classes:
        raise DataError(labels, f"holds the label {y.max()}", f"labels below {classes}, as in training")
    return x, y


def _read(path: Path) -> NDArray[np.uint8]:
    sizes = idx_header(path)
    start, wanted = 4 + 4 * len(sizes), prod(sizes)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            file.seek(start)
            content = file.read(wanted + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(path, f"is cut short or damaged ({error})", f"{wanted} bytes of {sizes}") from None
    except OSError as error:
        raise DataError(path, f"cannot be read: {reason(error)}") from None
    if len(content) != wanted:
        found = f"{len(content)}" if len(content) < wanted else "more"
        raise DataError(path, f"has {found} bytes after its header", f"{wanted} for dimensions {sizes}")
    return np.frombuffer(content, np.uint8).reshape(sizes)
