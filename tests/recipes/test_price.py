"""Test the cost of an activation alone."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from time import process_time

import pytest
import torch

from gradtui.nets.activations import make_activation

BLOCK, BLOCKS = 1 << 16, 16
"""A million values, in blocks that fit in a core's cache: in one piece it is the memory that is measured, and
who else uses it."""


@pytest.fixture
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def price(kind: str, values: torch.Tensor, upstream: torch.Tensor) -> float:
    """Seconds of processor time for forward and backward of all blocks."""
    activation = make_activation(kind, 0.01)
    begin = process_time()
    for _ in range(BLOCKS):
        torch.autograd.grad(activation(values), values, upstream)
    return process_time() - begin


@pytest.mark.long
@pytest.mark.usefixtures("_one_thread")
def test_elu_costs_more_than_leaky_relu() -> None:
    """5.2 times in RECIPES.md; 2 to 3 times where exponentials are vectorised. Measured in turns, so that
    whatever else the machine does meets both."""
    values, upstream = torch.randn(2, BLOCK, generator=torch.Generator().manual_seed(0))
    values.requires_grad_()
    ratios = [price("elu", values, upstream) / price("leaky_relu", values, upstream) for _ in range(15)]
    assert median(ratios) > 1.5
