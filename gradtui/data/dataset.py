"""Load an experiment's data as tensors in memory, and divide them into batches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gradtui.data.arrays import Arrays, rng
from gradtui.data.files import BYTE_BRIGHTEST, DIGITS_BRIGHTEST, cifar10, digits, idx, npz, text
from gradtui.data.generated import adding, circle, copy_memory, gauss, spirals, xor
from gradtui.data.task import as_answers, chance
from gradtui.experiment.data_shapes import data_path, data_shape
from gradtui.experiment.recorded_shape import DataShape
from gradtui.experiment.spec import Data
from gradtui.runs.meta import PlaneMeta

SIDE, UNIT_SIDE = 36, 12
"""The places along each coordinate, for the whole net and for a single unit; the first is an odd multiple of the
second, so that both have places in common."""
MARGIN = 0.08
"""The margin of the plane around the points, as a share of their extent."""
MOST_POINTS = 300
"""The most training points in a picture."""
MOST_CLASSES = 8
"""The most classes in a picture."""


@dataclass(frozen=True)
class Dataset:
    """A Dataset holds examples and answers as tensors; the first axis counts the examples.

    Inputs are float32 in one of the forms of ``DataShape.input``, or int64 token ids (examples, steps).
    Answers: int64 classes (examples,) for "classify", int64 classes (examples, steps) for "sequence", where
    -100 marks a step that does not count; float32 (examples, outputs) for "regress".
    """

    train_x: Tensor
    train_y: Tensor
    test_x: Tensor
    test_y: Tensor
    shape: DataShape
    chance_loss: float
    """The loss of a net that ignores its input: ln(classes), or the variance of the answers."""
    chance_accuracy: float
    """The accuracy of a net that ignores its input."""

    def to(self, device: torch.device | str) -> Dataset:
        """Return the data on a device."""
        return replace(
            self,
            train_x=self.train_x.to(device),
            train_y=self.train_y.to(device),
            test_x=self.test_x.to(device),
            test_y=self.test_y.to(device),
        )

    @cached_property
    def plane(self) -> PlaneMeta | None:
        """Return the plane in which the examples are points; None unless they are points with a number or few classes.

        It is read from the tensors once.
        """
        shape = self.shape
        if len(shape.input) != 1 or shape.input[0] != 2 or self.train_x.is_complex():
            return None
        classes = shape.outputs if shape.task == "classify" else 0
        if shape.task not in ("classify", "regress") or classes > MOST_CLASSES:
            return None
        both = torch.cat([self.train_x, self.test_x]).double().cpu()
        low, high = both.amin(0), both.amax(0)
        # Points on a horizontal or vertical line need a margin too.
        room = torch.where(high > low, MARGIN * (high - low), torch.ones_like(low))
        ends = [(low - room).tolist(), (high + room).tolist()]
        if not np.isfinite(ends).all() or np.abs(ends).max() >= 1e30:
            return None
        points = self.train_x[:MOST_POINTS].double().cpu().numpy()
        answers = self.train_y[:MOST_POINTS].double().cpu().numpy().reshape(len(points), -1)[:, 0]
        (left, below), (right, above) = ends
        return PlaneMeta(
            low=(left, below),
            high=(right, above),
            side=SIDE,
            unit_side=UNIT_SIDE,
            x=tuple(_rounded(points[:, 0])),
            y=tuple(_rounded(points[:, 1])),
            answers=tuple(_rounded(answers)),
            classes=classes,
        )


def _rounded(numbers: NDArray[np.float64]) -> list[float]:
    return [float(f"{number:.5g}") for number in numbers.tolist()]


def load(data: Data, seed: int) -> Dataset:
    """Load the whole data set on the CPU. The same ``data`` and ``seed`` give the same numbers.

    Raises ExperimentError (its kind DataError for a file's contents) with one line that names the file.
    """
    shape = data_shape(data)
    arrays, brightest = _read(data, shape, seed)
    train_x, test_x = _tensor(arrays.train_x), _tensor(arrays.test_x)
    if len(shape.input) == 3:
        train_x, test_x = scale(as_images(train_x), as_images(test_x), data.scaling, brightest)
    train_y = as_answers(_tensor(arrays.train_y), shape.task)
    test_y = as_answers(_tensor(arrays.test_y), shape.task)
    chance_loss, chance_accuracy = chance(shape.task, train_y)
    return Dataset(train_x, train_y, test_x, test_y, shape, chance_loss, chance_accuracy)


def _read(data: Data, shape: DataShape, seed: int) -> tuple[Arrays, float]:
    """Return the source's arrays, and the brightest value of its images (0 if unknown)."""
    path = data_path(data)
    match data.source:
        case "digits":
            return digits(seed), DIGITS_BRIGHTEST
        case "idx":
            return idx(path, shape.outputs, seed), BYTE_BRIGHTEST
        case "cifar10":
            return cifar10(path), BYTE_BRIGHTEST
        case "npz":
            arrays = npz(path, seed)
            return arrays, BYTE_BRIGHTEST if arrays.train_x.dtype == np.uint8 else 0.0
        case "spirals":
            return spirals(data.samples, seed), 0.0
        case "circle":
            return circle(data.samples, seed), 0.0
        case "xor":
            return xor(data.samples, seed), 0.0
        case "gauss":
            return gauss(data.samples, seed), 0.0
        case "adding":
            return adding(data.samples, data.length, seed), 0.0
        case "copy":
            return copy_memory(data.samples, data.length, seed), 0.0
        case "text":
            return text(path, data), 0.0


def _tensor(array: NDArray[np.generic]) -> Tensor:
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))


def scale(train: Tensor, test: Tensor, scaling: str, brightest: float) -> tuple[Tensor, Tensor]:
    """Return training and test images, float32, scaled as ``data.scaling`` says.

    standard: subtract the mean of all training pixels and divide by their deviation. A mean and a deviation for each
    pixel would enlarge pixels that are nearly constant (the digits' corners), and could multiply one stray dot of a
    test image by hundreds. unit: divide by ``brightest``, the largest value of the format; where the format has none
    (0), map the training set's smallest and largest number to 0 and 1.
    """
    if scaling == "standard":
        mean, deviation = mean_and_deviation(train)
        return (train - mean) / (deviation or 1.0), (test - mean) / (deviation or 1.0)
    if scaling == "unit":
        low = 0.0 if brightest else float(train.min())
        span = brightest or float(train.max()) - low or 1.0
        return (train - low) / span, (test - low) / span
    return train, test


def as_images(pixels: Tensor) -> Tensor:
    """Return images as float32, with a channel axis if the source stores none: (N, H, W) becomes (N, 1, H, W)."""
    pixels = pixels.to(torch.float32)
    return pixels.unsqueeze(1) if pixels.dim() == 3 else pixels


def mean_and_deviation(x: Tensor) -> tuple[float, float]:
    """Return the mean and the deviation of all numbers, in float64.

    It takes the examples in parts, because a float64 copy of CIFAR-10 would take 1.2 GB.
    """
    parts = torch.split(x, 4096)
    mean = sum(float(part.double().sum()) for part in parts) / x.numel()
    square = sum(float((part.double() - mean).square().sum()) for part in parts)
    return mean, (square / x.numel()) ** 0.5


class Batches:
    """Batches is an endless iterator of (x, y) over the shuffled training set.

    The permutation of an epoch depends only on the seed and the epoch's number, so the state is two numbers, and no
    generator's state is stored. Every batch is full: examples that do not fill a last batch are left out of that epoch,
    because a batch of one would break batch norm and make the curves jump. A batch size above the number of examples
    gives the whole data set.
    """

    def __init__(self, dataset: Dataset, batch_size: int, seed: int) -> None:
        self.x, self.y = dataset.train_x, dataset.train_y
        self.count = len(self.x)
        self.size = min(batch_size, self.count)
        self.per_epoch = self.count // self.size
        self.seed = seed
        self.epoch = 0
        self.taken = 0
        """The number of batches taken in this epoch."""
        self._order = self._permutation(0)

    def __iter__(self) -> Batches:
        return self

    def __next__(self) -> tuple[Tensor, Tensor]:
        if self.taken == self.per_epoch:
            self.epoch += 1
            self.taken = 0
            self._order = self._permutation(self.epoch)
        start = self.taken * self.size
        self.taken += 1
        chosen = self._order[start : start + self.size]
        return self.x.index_select(0, chosen), self.y.index_select(0, chosen)

    def state(self) -> dict[str, int]:
        """Return the position of the iteration."""
        return {"epoch": self.epoch, "taken": self.taken}

    def restore(self, state: dict[str, int]) -> None:
        """Continue at a position that ``state`` returned; the next batch is the one that followed there."""
        self.epoch, self.taken = state["epoch"], state["taken"]
        self._order = self._permutation(self.epoch)

    def chosen(self, ago: int = 0) -> list[int]:
        """Return which training examples are in the batch that was taken last, or `ago` batches before it."""
        epoch, place = divmod(self.epoch * self.per_epoch + self.taken - 1 - ago, self.per_epoch)
        order = self._order if epoch == self.epoch else self._permutation(epoch)
        examples: list[int] = order[place * self.size : (place + 1) * self.size].tolist()
        return examples

    def _permutation(self, epoch: int) -> Tensor:
        order = torch.from_numpy(rng(self.seed, "shuffle", epoch).permutation(self.count))
        return order.to(self.x.device)


def batches(dataset: Dataset, batch_size: int, seed: int) -> Batches:
    """Return endless, seeded, resumable batches of the training set, on the device of the data set."""
    return Batches(dataset, batch_size, seed)
