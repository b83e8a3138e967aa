"""Measure at sampled steps the sizes of the numbers of the layers' gradients, and the optimizer's moments.

Nothing here waits for a device.

Histograms count numbers by powers of two. The bits of a float32 contain its power of two, so no logarithm is computed
and nothing is rounded. Subnormal numbers get their own powers, also on devices that compute with them as 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from gradtui.absent import ABSENT
from gradtui.probe.layer_stats import sampler
from gradtui.probe.norms import gradient_norms
from gradtui.runs.histograms import POWERS

HISTOGRAM_PLACES = 1 + POWERS + 1
"""The places of a histogram: zero, the powers of two from -149 to 127, and numbers that are not finite."""
HISTOGRAM_STEPS = 128
"""The steps between two histograms of a long run. A row is 32 times as long as one of `grad_norm`, which has a row at
every step, so the histograms take a quarter of its disk space."""
MANTISSA_BITS = 23
"""The bits of the mantissa, which is also the number of powers of two of subnormal numbers."""


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


def evenly_spaced(numbers: Tensor, most: int) -> Tensor:
    """Return about `most` numbers of a tensor, evenly spaced, or all of them as they are if there are no more."""
    count = numbers.numel()
    stride = -(-count // most)
    if stride <= 1:
        return numbers
    # A stride that divides the width of a matrix would return the same few columns of all rows.
    while math.gcd(stride, count) > 1:
        stride += 1
    return numbers.reshape(-1)[::stride]


def count_sizes(layers: Sequence[Sequence[Tensor]], most: int, divisor: Tensor | None = None) -> Tensor:
    """Return how many numbers of each layer lie in each place (layers, HISTOGRAM_PLACES), in float64.

    Of a parameter of more than `most` numbers evenly spaced ones are counted, each for as many as it stands for. The
    numbers are divided by `divisor`, (), before.
    """
    flat = [(at, one) for at, layer in enumerate(layers) for one in layer]
    device = next((one.device for _, one in flat if not one.is_cpu), torch.device("cpu"))
    samples = [
        evenly_spaced(one, most).reshape(-1).to(device, torch.float32, non_blocking=True) for _, one in flat
    ]
    sizes = [len(sample) for sample in samples]
    numbers = torch.cat(samples)
    if divisor is not None:
        numbers = numbers / divisor.to(device, torch.float32, non_blocking=True)
    # The places of the parameters stand one behind another. repeat_interleave would wait for a device.
    offsets = np.repeat(np.arange(len(flat), dtype=np.int32) * HISTOGRAM_PLACES, sizes)
    places = size_places(numbers).add_(torch.from_numpy(offsets).to(device, non_blocking=True))
    rows = len(flat) * HISTOGRAM_PLACES
    if device.type == "cpu":
        counts = torch.bincount(places, minlength=rows)
    else:
        # Here bincount would wait for the device.
        ones = torch.ones_like(places)
        counts = torch.zeros(rows, dtype=torch.int32, device=device).index_add_(0, places, ones)
    weights = torch.tensor([one.numel() / max(1, size) for (_, one), size in zip(flat, sizes, strict=True)])
    weighted = counts.view(-1, HISTOGRAM_PLACES) * weights.double().to(device, non_blocking=True).unsqueeze(1)
    index = torch.tensor([at for at, _ in flat]).to(device, non_blocking=True)
    result = torch.zeros(len(layers), HISTOGRAM_PLACES, dtype=torch.float64, device=device)
    return result.index_add_(0, index, weighted)


def size_places(numbers: Tensor) -> Tensor:
    """Return the place of each float32, as int32."""
    sizes = numbers.view(torch.int32) & 0x7FFFFFFF
    # Read as an integer, the bits of a subnormal number are its size in units of the smallest. Converted to float32,
    # this is exact, and its exponent is the power of two; numbers that are not subnormal get a larger place.
    places = (sizes.float().view(torch.int32) >> MANTISSA_BITS).sub_(126).clamp_(0, MANTISSA_BITS)
    sizes >>= MANTISSA_BITS
    return places.add_(sizes)


def stacked(numbers: Sequence[Tensor]) -> Tensor:
    """Return numbers of any types and devices as one tensor in float64, on the device of the first."""
    first = numbers[0]
    if all(number.dtype is first.dtype and number.device == first.device for number in numbers):
        return torch.stack(list(numbers)).double()
    return torch.stack([number.double().to(first.device, non_blocking=True) for number in numbers])


class OptimizerMoments(NamedTuple):
    """OptimizerMoments hold sums over the numbers of each layer, (layers,) in float64, of what an optimizer remembers.

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


def moments_of(layers: Sequence[Sequence[tuple[Tensor, Tensor | None, Tensor]]]) -> OptimizerMoments:
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

    return OptimizerMoments(
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
def first_moment(moments: OptimizerMoments) -> Tensor:
    """Return the RMS of each layer's first moment, ABSENT where it has none."""
    return _or_absent((moments.first_squares / moments.numbers).sqrt(), moments.numbers)


@sampler("second_moment")
def second_moment(moments: OptimizerMoments) -> Tensor:
    """Return the RMS of each layer's second moment, ABSENT where it has none."""
    return _or_absent((moments.second_squares / moments.second_numbers).sqrt(), moments.second_numbers)


@sampler("moment_cosine")
def moment_cosine(moments: OptimizerMoments) -> Tensor:
    """Return the cosine between each layer's first moment and its gradient, ABSENT where one of them is 0."""
    sizes = (moments.first_squares * moments.gradient_squares).sqrt()
    return _or_absent(moments.products / sizes, sizes)


def _or_absent(values: Tensor, known: Tensor) -> Tensor:
    return torch.where(known == 0, torch.full_like(values, ABSENT), values)
