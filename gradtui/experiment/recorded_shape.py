"""Read the shape of the data of a recorded run from the run's folder, where the data need not exist any more.

A viewer of somebody else's run must not open the files that its experiment names: one may be a FIFO, which hangs, or
have no end. So `Run.experiment` attaches the shape in run.json to the data, and `data_shape` returns it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct, ValidationError, convert

from gradtui.experiment.errors import ExperimentError
from gradtui.experiment.spec import Data, Source

Task = Literal["classify", "regress", "sequence"]

FILE_SOURCES: frozenset[Source] = frozenset({"idx", "npz", "text"})
"""The sources whose shape follows from files."""

LARGEST_EXAMPLE, MOST_OUTPUTS = 2**31, 2**31
"""The most numbers of one example, and the most of one answer."""


class DataShape(Struct, frozen=True):
    """A DataShape is the shape of one example and of the net's answer to it.

    ``input`` is (features,), (channels, height, width) of an image, (steps, features) of a sequence of
    numbers, or (steps,) of a sequence of tokens. ``outputs`` is the width of the output layer: classes, or
    numbers to predict. ``task``: classify (one class an example), regress (numbers), sequence (one class at
    every step).
    """

    input: tuple[int, ...]
    outputs: int
    task: Task


_RECORDED = "recorded shape"
"""The attribute of Data that holds the recorded shape; it is not a field, so a file cannot set it."""


def shape_in(about: Mapping[str, Any]) -> DataShape | None:
    """Return the shape of the data in run.json; None where it is missing or impossible."""
    fields = {name: about.get(name) for name in ("input", "outputs", "task")}
    try:
        shape = convert(fields, DataShape)
    except ValidationError:
        return None
    numbers = (*shape.input, shape.outputs)
    if len(shape.input) not in (1, 2, 3) or min(numbers) < 1 or shape.outputs > MOST_OUTPUTS:
        return None
    return shape if math.prod(shape.input) <= LARGEST_EXAMPLE else None


def set_recorded_shape(data: Data, shape: DataShape | None) -> None:
    """Attach the shape in a run's folder to the data, so that `data_shape` opens no file; None where it has none."""
    data.__dict__[_RECORDED] = shape


def keep_recorded_shape(before: Data, after: Data) -> None:
    """Copy the recorded shape from one data to another, unless a field that determines the shape has changed."""
    same = (before.source, before.path, before.length) == (after.source, after.path, after.length)
    if same and is_recorded(before):
        set_recorded_shape(after, before.__dict__[_RECORDED])


def is_recorded(data: Data) -> bool:
    """Return whether the data belong to a run's folder."""
    return _RECORDED in data.__dict__


def recorded_shape(data: Data) -> DataShape:
    """Return the shape in the run's folder. Raises ExperimentError where it is missing or does not suit the source."""
    shape: DataShape | None = data.__dict__[_RECORDED]
    tokens = data.source == "text"
    if shape is None or tokens != (len(shape.input) == 1 and shape.task == "sequence"):
        raise ExperimentError("data.path", data.path, problem="the run does not say the shape of its data")
    return shape
