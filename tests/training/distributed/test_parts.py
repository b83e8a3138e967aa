"""Test the parts of a batch against the whole of it, by plain autograd."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from gradtui.data.task import IGNORED
from gradtui.training.shared_step import part_of


def gradient(weights: Tensor, x: Tensor, y: Tensor, share: float | Tensor = 1.0) -> tuple[Tensor, Tensor]:
    """Of the mean loss of a linear net, times a share."""
    outputs = x @ weights
    loss = share * (
        F.mse_loss(outputs, y)
        if y.is_floating_point()
        else F.cross_entropy(outputs.reshape(y.numel(), -1), y.reshape(-1), ignore_index=IGNORED)
    )
    return loss.detach(), torch.autograd.grad(loss, weights)[0]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("task", ["classify", "regress", "sequence"])
def test_the_gradients_of_the_parts_add_up_to_that_of_the_batch(task: str, size: int) -> None:
    torch.manual_seed(0)
    weights = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    if task == "sequence":
        x, y = torch.randn(10, 6, 5, dtype=torch.float64), torch.randint(4, (10, 6))
        # Examples of which ever fewer steps count.
        y[torch.arange(6) < torch.arange(10)[:, None] // 2] = IGNORED
    else:
        x = torch.randn(10, 5, dtype=torch.float64)
        y = torch.randint(4, (10,)) if task == "classify" else torch.randn(10, 4, dtype=torch.float64)
    parts = [part_of(x, y, rank, size) for rank in range(size)]
    assert torch.equal(torch.cat([part[0] for part in parts]), x)
    assert max(len(part[0]) for part in parts) - min(len(part[0]) for part in parts) <= 1
    sums = [sum(numbers) for numbers in zip(*(gradient(weights, *part) for part in parts), strict=True)]
    for found, expected in zip(sums, gradient(weights, x, y), strict=True):
        torch.testing.assert_close(found, expected)
