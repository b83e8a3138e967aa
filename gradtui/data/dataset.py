"""A data set in memory, and what one learns from it without learning anything."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gradtui.experiment.data_shapes import DataShape


@dataclass(frozen=True)
class Dataset:
    """Examples and answers as tensors, first axis the examples.

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
    """Loss of a net that ignores its input: ln(classes), or the variance of the numbers."""
    chance_accuracy: float
    """Accuracy of the same net."""

    def to(self, device: torch.device | str) -> Dataset:
        """The same data on a device."""
        return replace(
            self,
            train_x=self.train_x.to(device),
            train_y=self.train_y.to(device),
            test_x=self.test_x.to(device),
            test_y=self.test_y.to(device),
        )
