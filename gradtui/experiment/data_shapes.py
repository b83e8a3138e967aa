"""What one example of the data looks like, without loading it and without numpy."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from msgspec import Struct

from gradtui.experiment.errors import ExperimentError
from gradtui.experiment.spec import Data, Source

Task = Literal["classify", "regress", "sequence"]

TOKEN_SOURCES: frozenset[Source] = frozenset({"copy", "text"})
"""Sources whose examples are token ids, one a step, and whose net starts with an embedding."""

COPY_SYMBOLS = 8
"""Alphabet of copy; token ids 0 to 7. Blank is 8, go is 9."""
COPY_LENGTH = 10
"""Symbols to remember."""

POEM = Path(__file__).parent.parent / "data" / "files" / "poem.txt"


class DataShape(Struct, frozen=True):
    """Shape of one example and of what the net must say about it.

    ``input`` is (features,), (channels, height, width) of an image, (steps, features) of a sequence of
    numbers, or (steps,) of a sequence of tokens. ``outputs`` is the width of the output layer: classes, or
    numbers to predict. ``task``: classify (one class an example), regress (numbers), sequence (one class at
    every step).
    """

    input: tuple[int, ...]
    outputs: int
    task: Task


def data_shape(data: Data) -> DataShape:
    """The shape of the examples; reads the headers and labels of files, not their contents.

    Raises ExperimentError that names the file where it is missing or of another format.
    """
    match data.source:
        case "digits":
            return DataShape((1, 8, 8), 10, "classify")
        case "spirals":
            return DataShape((2,), 3, "classify")
        case "adding":
            return DataShape((data.length, 2), 1, "regress")
        case "copy":
            return DataShape((2 * COPY_LENGTH + data.length,), COPY_SYMBOLS + 2, "sequence")
        case "cifar10":
            return DataShape((3, 32, 32), 10, "classify")
        case "text":
            return DataShape((data.length,), len(vocabulary(data)), "sequence")
        case "idx":
            from gradtui.experiment.data_files import idx_shape

            return idx_shape(data_path(data))
        case "npz":
            from gradtui.experiment.data_files import npz_shape

            return npz_shape(data_path(data))


def data_path(data: Data) -> Path:
    """The file or folder that the data are read from; of text without one, the poem that ships."""
    if not data.path:
        return POEM
    try:
        return Path(data.path).expanduser()
    except RuntimeError:
        return Path(data.path)


def vocabulary(data: Data) -> str:
    """The distinct characters of a text, sorted; a character's token id is its place. Lines end in a line feed."""
    path = data_path(data)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ExperimentError("data.path", data.path, problem=f"{path} is not a text in UTF-8") from None
    except OSError as error:
        problem = f"{path} cannot be read: {error.strerror or error}"
        raise ExperimentError("data.path", data.path, problem=problem) from None
    if len(text) <= data.length:
        raise ExperimentError("data.length", data.length, f"fewer than the {len(text)} characters of {path}")
    return "".join(sorted(set(text)))


def sequence_of(data: Data, shape: DataShape) -> tuple[int, int] | None:
    """(steps, features) as which a recurrent net or a transformer reads numbers; None where it cannot.

    Rows of an image are its steps, all channels of a row together its features; read pixel by pixel, height ×
    width are its steps and the channels its features.
    """
    if data.source in TOKEN_SOURCES:
        return None
    if len(shape.input) == 2:
        return shape.input[0], shape.input[1]
    if len(shape.input) != 3 or data.sequence == "none":
        return None
    channels, height, width = shape.input
    return (height, channels * width) if data.sequence == "rows" else (height * width, channels)
