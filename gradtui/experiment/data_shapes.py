"""Find the shape of one example of the data, without loading the data and without numpy.

The shape of idx and npz files follows from their headers and labels, which are read here.
"""

from __future__ import annotations

import ast
import math
import struct
import sys
import zlib
from array import array
from os.path import isdir, isfile  # Path's own raise where a name is too long
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from gradtui.experiment.data_files import check_claim, check_ratio, open_data, read_text_data, refuse
from gradtui.experiment.errors import ExperimentError
from gradtui.experiment.recorded_shape import FILE_SOURCES, DataShape, is_recorded, recorded_shape
from gradtui.experiment.spec import Data, Source
from gradtui.ordinary_files import given_path

if TYPE_CHECKING:
    from zipfile import ZipFile

TOKEN_SOURCES: frozenset[Source] = frozenset({"copy", "text"})
"""Sources whose examples are token ids, one per step, and whose net starts with an embedding."""

PLANE_SOURCES: frozenset[Source] = frozenset({"spirals", "circle", "xor", "gauss"})
"""Sources whose examples are generated points in the plane."""

COPY_SYMBOLS = 8
"""The number of symbols of copy, with the token ids 0 to 7; blank is 8 and go is 9."""
COPY_LENGTH = 10
"""The number of symbols to remember in copy."""

POEM = Path(__file__).parent.parent / "data" / "files" / "poem.txt"


def data_shape(data: Data) -> DataShape:
    """Return the shape of the examples. Reads the headers and labels of files, not their contents.

    For the data of a recorded run, the shape comes from the run's folder. Raises ExperimentError, which names the file,
    if a file is missing or has another format.
    """
    if data.source in FILE_SOURCES and data.path and is_recorded(data):
        return recorded_shape(data)
    match data.source:
        case "digits":
            return DataShape((1, 8, 8), 10, "classify")
        case "spirals":
            return DataShape((2,), 3, "classify")
        case "circle" | "xor" | "gauss":
            return DataShape((2,), 2, "classify")
        case "adding":
            return DataShape((data.length, 2), 1, "regress")
        case "copy":
            return DataShape((2 * COPY_LENGTH + data.length,), COPY_SYMBOLS + 2, "sequence")
        case "cifar10":
            return DataShape((3, 32, 32), 10, "classify")
        case "text":
            return DataShape((data.length,), len(vocabulary(data)), "sequence")
        case "idx":
            return idx_shape(data_path(data))
        case "npz":
            return npz_shape(data_path(data))


def data_path(data: Data) -> Path:
    """Return the file or folder from which the data are read; for text without a path, the poem that ships."""
    if not data.path:
        return POEM
    return given_path(data.path)


def vocabulary(data: Data) -> str:
    """Return the distinct characters of a text, sorted; a character's token id is its index. Lines end in a line feed.

    Raises ExperimentError if the text cannot be read or is too short.
    """
    path = data_path(data)
    text = read_text_data(path)
    if len(text) <= data.length:
        raise ExperimentError("data.length", data.length, f"fewer than the {len(text)} characters of {path}")
    return "".join(sorted(set(text)))


def sequence_of(data: Data, shape: DataShape) -> tuple[int, int] | None:
    """Return the (steps, features) in which a recurrent net or a transformer reads numbers; None if it cannot.

    Read by rows, an image has a step for each row, with all channels of the row as features. Read by pixels, it has
    height × width steps, with the channels as features.
    """
    if data.source in TOKEN_SOURCES:
        return None
    if len(shape.input) == 2:
        return shape.input[0], shape.input[1]
    if len(shape.input) != 3 or data.sequence == "none":
        return None
    channels, height, width = shape.input
    return (height, channels * width) if data.sequence == "rows" else (height * width, channels)


IDX_NAMES = {
    "train_images": ("train-images-idx3-ubyte", "train-images.idx3-ubyte"),
    "train_labels": ("train-labels-idx1-ubyte", "train-labels.idx1-ubyte"),
    "test_images": ("t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte"),
    "test_labels": ("t10k-labels-idx1-ubyte", "t10k-labels.idx1-ubyte"),
}
"""MNIST's own names, and the variants that some unpackers write; each also with .gz."""

MOST_CLASSES = 100_000


class IdxFiles(NamedTuple):
    """IdxFiles names the files of one idx data set. Without test files the data are split."""

    train_images: Path
    train_labels: Path
    test_images: Path | None
    test_labels: Path | None


def idx_files(path: Path) -> IdxFiles:
    """Return the four files in a folder, or the files that belong to a file of images (images → labels, idx3 → idx1).

    Raises ExperimentError if the training images or labels are missing.
    """
    if isdir(path):
        found = {key: _first(path, names) for key, names in IDX_NAMES.items()}
        images, labels = found["train_images"], found["train_labels"]
        test_images, test_labels = found["test_images"], found["test_labels"]
        if images is None:
            refuse(path, "holds no train-images-idx3-ubyte or train-images-idx3-ubyte.gz")
    else:
        images, test_images, test_labels = path, None, None
        labels = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
    if not isfile(images):
        refuse(images, "does not exist", "a file of images in MNIST's idx format, or a folder of them")
    if labels is None or labels == images or not isfile(labels):
        refuse(
            images, "has no file of labels beside it", "train-labels-idx1-ubyte for train-images-idx3-ubyte"
        )
    both = test_images is not None and test_labels is not None
    return IdxFiles(images, labels, test_images if both else None, test_labels if both else None)


def idx_shape(path: Path) -> DataShape:
    """Return the shape of the images and the number of classes, which is one above the largest training label."""
    files = idx_files(path)
    count, *size = idx_header(files.train_images)
    if len(size) not in (1, 2, 3) or 0 in (count, *size):
        refuse(files.train_images, f"has dimensions {(count, *size)}", "images × height × width")
    labels = idx_header(files.train_labels)
    if labels != (count,):
        refuse(files.train_labels, f"has dimensions {labels}", f"one label for each of {count} images")
    check_claim(files.train_labels, count)
    with open_data(files.train_labels) as opened:
        content = opened.read(8 + count)[8:]
    if len(content) < count:
        refuse(files.train_labels, f"ends after {len(content)} of {count} labels", "the whole file")
    return DataShape(_image(tuple(size)), max(content) + 1, "classify")


def idx_header(path: Path) -> tuple[int, ...]:
    """Return the dimensions of an idx file of bytes, plain or .gz. Raises ExperimentError if it is not one."""
    with open_data(path) as opened:
        start = opened.read(4)
        if len(start) < 4 or start[:3] != b"\0\0\x08":
            refuse(path, "is not an idx file of bytes", "one that starts with 00 00 08")
        sizes = opened.read(4 * start[3])
    if len(sizes) < 4 * start[3]:
        refuse(path, "ends in its header", "the whole file")
    return struct.unpack(f">{start[3]}I", sizes)


def npz_shape(path: Path) -> DataShape:
    """Return the shape of arrays ``x`` and ``y``: whole numbers in y are classes, real ones are values to predict.

    x may be (n, features), (n, height, width) or (n, channels, height, width).
    """
    # The first frame of the screens imports this module and reads no archive.
    import lzma
    import zipfile

    if not isfile(path):
        refuse(path, "does not exist", "a .npz file with arrays x and y")
    try:
        with open_data(path) as file, zipfile.ZipFile(file) as archive:
            with _member(archive, path, "x") as opened:
                x = _npy_header(opened, path, "x")
                _check_member(archive, path, "x", x)
            with _member(archive, path, "y") as opened:
                y = _npy_header(opened, path, "y")
                _check_member(archive, path, "y", y)
                largest = _largest(opened, y, path) if y.kind in "iub" else 0
    except (
        zipfile.BadZipFile,
        OSError,
        EOFError,
        NotImplementedError,
        RuntimeError,
        zlib.error,
        lzma.LZMAError,
        ValueError,
    ) as error:
        if isinstance(error, ExperimentError):
            raise
        refuse(path, f"is not a readable .npz archive ({error})", "arrays x and y as numpy.savez writes them")
    if len(x.shape) not in (2, 3, 4) or 0 in x.shape:
        refuse(
            path,
            f"x has dimensions {x.shape}",
            "examples × features, or examples × (channels ×) height × width",
        )
    if not y.shape or y.shape[0] != x.shape[0]:
        refuse(path, f"y has dimensions {y.shape}", f"one row for each of {x.shape[0]} examples")
    if y.kind in "iub":
        return DataShape(_image(x.shape[1:]), largest + 1, "classify")
    if len(y.shape) > 2 or 0 in y.shape:
        refuse(path, f"y has dimensions {y.shape}", "examples, or examples × values")
    return DataShape(_image(x.shape[1:]), y.shape[1] if len(y.shape) == 2 else 1, "regress")


class _Array(NamedTuple):
    order: str
    kind: str
    size: int
    shape: tuple[int, ...]


def _image(size: tuple[int, ...]) -> tuple[int, ...]:
    return (1, *size) if len(size) == 2 else size


def _member(archive: ZipFile, path: Path, name: str) -> IO[bytes]:
    if f"{name}.npy" not in archive.namelist():
        refuse(path, f"has no array {name}", "arrays x and y")
    return archive.open(f"{name}.npy")


def _check_member(archive: ZipFile, path: Path, name: str, array: _Array) -> None:
    """Raise ExperimentError for an array whose numbers are missing, or need too much memory."""
    about, claimed = archive.getinfo(f"{name}.npy"), math.prod(array.shape) * array.size
    if min(array.shape, default=0) < 0 or claimed > about.file_size:
        refuse(path, f"array {name} ends too early for dimensions {array.shape}", "the whole file")
    check_ratio(path, about.file_size, about.compress_size)


def _npy_header(opened: IO[bytes], path: Path, name: str) -> _Array:
    """Read the header of a .npy file (numpy.lib.format, versions 1 to 3)."""
    start = opened.read(8)
    long = start[6:7] in (b"\x02", b"\x03")
    length = int.from_bytes(opened.read(4 if long else 2), "little")
    try:
        header = ast.literal_eval(opened.read(min(length, 65_536)).decode("latin-1"))
        descr, shape = str(header["descr"]), header["shape"]
        order, kind, size = descr[0], descr[1], int(descr[2:] or 0)
        sizes = tuple(int(number) for number in shape)
    except (ValueError, SyntaxError, KeyError, TypeError, IndexError, RecursionError, MemoryError):
        refuse(path, f"array {name} has an unreadable header", "an array as numpy.savez writes it")
    if not start.startswith(b"\x93NUMPY") or kind not in "fiub" or size not in (1, 2, 4, 8):
        refuse(path, f"array {name} holds no plain numbers (dtype {descr})", "whole or real numbers")
    return _Array(order, kind, size, sizes)


def _largest(opened: IO[bytes], y: _Array, path: Path) -> int:
    """Return the largest class. The labels are read whole: a file of a million is 8 MB."""
    if len(y.shape) != 1 or not y.shape[0]:
        refuse(path, f"y has dimensions {y.shape} of whole numbers", "one class an example")
    code = {1: "b", 2: "h", 4: "i", 8: "q"}[y.size]
    numbers = array(code.upper() if y.kind in "ub" else code)
    content = opened.read(y.shape[0] * y.size)
    if len(content) < y.shape[0] * y.size:
        refuse(path, "array y ends too early", "the whole file")
    numbers.frombytes(content)
    if y.order == ("<" if sys.byteorder == "big" else ">"):
        numbers.byteswap()
    least, most = min(numbers), max(numbers)
    if least < 0 or most >= MOST_CLASSES:
        wrong = least if least < 0 else most
        refuse(path, f"y holds the class {wrong}", f"classes from 0 to {MOST_CLASSES - 1:,}")
    return most


def _first(folder: Path, names: tuple[str, ...]) -> Path | None:
    files = (folder / f"{name}{end}" for name in names for end in ("", ".gz"))
    return next((file for file in files if isfile(file)), None)
