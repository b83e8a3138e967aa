"""Images from stored numbers to what a net reads."""

from __future__ import annotations

import torch
from torch import Tensor


def scale(train: Tensor, test: Tensor, scaling: str, brightest: float) -> tuple[Tensor, Tensor]:
    """Training and test images, float32, scaled as ``data.scaling`` says.

    standard: minus the mean and over the deviation of all training numbers together, one pair for all
    places. One pair a place would blow up places that are nearly constant (the digits' corners) and would,
    on a test image, multiply one stray dot by hundreds. unit: over ``brightest``, the largest value that
    the format knows; where it knows none (0), from the training set's smallest and largest number.
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
    """float32, with a channel of its own where the source stores none: (N, H, W) becomes (N, 1, H, W)."""
    pixels = pixels.to(torch.float32)
    return pixels.unsqueeze(1) if pixels.dim() == 3 else pixels


def mean_and_deviation(x: Tensor) -> tuple[float, float]:
    """Of all numbers, in float64, a part of the examples at a time: a copy of CIFAR-10 would take 1.2 GB."""
    parts = torch.split(x, 4096)
    mean = sum(float(part.double().sum()) for part in parts) / x.numel()
    square = sum(float((part.double() - mean).square().sum()) for part in parts)
    return mean, (square / x.numel()) ** 0.5
