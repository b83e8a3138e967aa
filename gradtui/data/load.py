"""From an experiment's `[data]` to tensors in memory."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gradtui.data import cifar10, digits, idx
from gradtui.data.arrays import Arrays
from gradtui.data.dataset import Dataset
from gradtui.data.npz import npz
from gradtui.data.scaling import as_images, scale
from gradtui.data.sequences import adding, copy_memory
from gradtui.data.spirals import spirals
from gradtui.data.task import as_answers, chance
from gradtui.data.text import text
from gradtui.experiment.data_shapes import DataShape, data_path, data_shape
from gradtui.experiment.spec import Data


def load(data: Data, seed: int) -> Dataset:
    """The whole data set on the CPU. The same ``data`` and ``seed`` give the same numbers.

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
    """The source's arrays, and the brightest value of its images (0: not known)."""
    path = data_path(data)
    match data.source:
        case "digits":
            return digits.digits(seed), digits.BRIGHTEST
        case "idx":
            return idx.idx(path, shape.outputs, seed), idx.BRIGHTEST
        case "cifar10":
            return cifar10.cifar10(path), cifar10.BRIGHTEST
        case "npz":
            arrays = npz(path, seed)
            return arrays, 255.0 if arrays.train_x.dtype == np.uint8 else 0.0
        case "spirals":
            return spirals(data.samples, seed), 0.0
        case "adding":
            return adding(data.samples, data.length, seed), 0.0
        case "copy":
            return copy_memory(data.samples, data.length, seed), 0.0
        case "text":
            return text(path, data), 0.0


def _tensor(array: NDArray[np.generic]) -> Tensor:
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))
