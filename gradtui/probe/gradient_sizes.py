"""Measure at sampled steps the largest number and the zeros of the layers' gradients, and the optimizer's moments.

Nothing here waits for a device.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from gradtui.absent import ABSENT
from gradtui.probe.layer_stats import sampler
from gradtui.probe.norms import gradient_norms


@sampler("grad_max", scales_with_loss=True)
def grad_max(gradients: list[list[Tensor]]) -> Tensor:
    """Return the largest size of a number in each layer's gradient, NaN where one is NaN, ABSENT for an empty layer."""
    return by_layer(gradients, largest_sizes, "amax")


@sampler("grad_zeros")
def grad_zeros(gradients: list[list[Tensor]]) -> Tensor:
    """Return the share of numbers in each layer's gradient that are exactly 0, ABSENT for a layer without any."""
    nonzero = by_layer(gradients, nonzero_counts, "sum")
    sizes = torch.tensor([sum(one.numel() for one in layer) for layer in gradients], dtype=torch.float64)
    return 1 - nonzero / sizes.to(nonzero.device, non_blocking=True)


def largest_sizes(tensors: list[Tensor]) -> Tensor:
    """Return the largest size (tensors,) of a number in each tensor, on the device of the first."""
    if all(tensor.is_cpu for tensor in tensors):
        # On the CPU a norm of this kind takes six times as long.
        low, high = (stacked(ends) for ends in zip(*map(torch.aminmax, tensors), strict=True))
        return torch.maximum(-low, high)
    return stacked([torch.linalg.vector_norm(tensor, math.inf) for tensor in tensors])


def nonzero_counts(tensors: list[Tensor]) -> Tensor:
    """Return how many numbers (tensors,) of each tensor are not 0, on the device of the first."""
    return stacked([torch.count_nonzero(tensor) for tensor in tensors])


def by_layer(
    tensors: Sequence[Sequence[Tensor]],
    measure: Callable[[list[Tensor]], Tensor],
    how: Literal["amax", "sum"],
) -> Tensor:
    """Return a measure of each tensor, put together by layer, in float64; ABSENT for a layer without numbers."""
    flat = [(at, one) for at, layer in enumerate(tensors) for one in layer if one.numel()]
    result = torch.full((len(tensors),), ABSENT, dtype=torch.float64)
    if not flat:
        return result
    values = measure([one for _, one in flat])
    places = torch.tensor([at for at, _ in flat])
    result[places] = -math.inf if how == "amax" else 0.0
    result, places = (one.to(values.device, non_blocking=True) for one in (result, places))
    return result.scatter_reduce(0, places, values, how)


def stacked(numbers: Sequence[Tensor]) -> Tensor:
    """Return numbers of any types and devices as one tensor in float64, on the device of the first."""
    first = numbers[0]
    if all(number.dtype is first.dtype and number.device == first.device for number in numbers):
        return torch.stack(list(numbers)).double()
    return torch.stack([number.double().to(first.device, non_blocking=True) for number in numbers])


class Moments(NamedTuple):
    """Moments hold sums over the numbers of each layer, (layers,) in float64, of what an optimizer remembers.

    `first` is its moving mean of gradients, `second` that of their squares.
    """

    numbers: Tensor
    """How many numbers have a first moment."""
    second_numbers: Tensor
    first_squares: Tensor
    second_squares: Tensor
    gradient_squares: Tensor
    products: Tensor
    """The sums of the products of first moment and gradient."""


def moments_of(layers: Sequence[Sequence[tuple[Tensor, Tensor | None, Tensor]]]) -> Moments:
    """Return the sums of each layer, of which each tensor is given as first moment, second moment and gradient."""
    flat = [(at, *three) for at, layer in enumerate(layers) for three in layer]
    firsts, gradients = [one for _, one, _, _ in flat], [one for _, _, _, one in flat]
    seconds = [(at, one) for at, _, one, _ in flat if one is not None]
    device = firsts[0].device
    places, second_places = [at for at, *_ in flat], [at for at, _ in seconds]

    def added(numbers: Tensor, at: list[int]) -> Tensor:
        index = torch.tensor(at, dtype=torch.int64).to(device, non_blocking=True)
        sums = torch.zeros(len(layers), dtype=torch.float64, device=device)
        return sums.index_add(0, index, numbers.double().to(device, non_blocking=True))

    def squares(tensors: list[Tensor]) -> Tensor:
        return torch.as_tensor(gradient_norms(tensors)).square()

    return Moments(
        numbers=added(torch.tensor([one.numel() for one in firsts]), places),
        second_numbers=added(torch.tensor([one.numel() for _, one in seconds]), second_places),
        first_squares=added(squares(firsts), places),
        second_squares=added(squares([one for _, one in seconds]), second_places),
        gradient_squares=added(squares(gradients), places),
        products=added(stacked([_product(*two) for two in zip(firsts, gradients, strict=True)]), places),
    )


def _product(first: Tensor, gradient: Tensor) -> Tensor:
    """Return the product of two vectors. It is summed in float64: products of vanishing gradients are 0 in float32."""
    return torch.dot(first.reshape(-1).double(), gradient.reshape(-1).double())


@sampler("first_moment")
def first_moment(moments: Moments) -> Tensor:
    """Return the RMS of each layer's first moment, ABSENT where it has none."""
    return _or_absent((moments.first_squares / moments.numbers).sqrt(), moments.numbers)


@sampler("second_moment")
def second_moment(moments: Moments) -> Tensor:
    """Return the RMS of each layer's second moment, ABSENT where it has none."""
    return _or_absent((moments.second_squares / moments.second_numbers).sqrt(), moments.second_numbers)


@sampler("moment_cosine")
def moment_cosine(moments: Moments) -> Tensor:
    """Return the cosine between each layer's first moment and its gradient, ABSENT where one of them is 0."""
    sizes = (moments.first_squares * moments.gradient_squares).sqrt()
    return _or_absent(moments.products / sizes, sizes)


def _or_absent(values: Tensor, known: Tensor) -> Tensor:
    return torch.where(known == 0, torch.full_like(values, ABSENT), values)
