"""Test norms of tensors against float64, over the whole range of float32 and in half precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from gradtui.probe.norms import gradient_norms, scaled_row_norms, tensor_norms, wide_norms


def oracle(tensors: list[Tensor]) -> float:
    """Return the plain way: every number as float64."""
    return float(torch.cat([t.detach().double().reshape(-1) for t in tensors]).norm())


@pytest.mark.parametrize("scale", [1e-44, 1e-30, 1.0, 1e30])
def test_scaled_norms_need_no_float64(scale: float) -> None:
    torch.manual_seed(4)
    rows = torch.randn(5, 300) * scale
    rows[1] = 0
    rows[2, 3] = torch.nan
    rows[3, 3] = torch.inf
    norms = scaled_row_norms(rows)
    assert norms[1] == 0
    assert norms[2].isnan()
    assert norms[3].isinf()
    expected = rows.double().norm(dim=1)
    np.testing.assert_allclose(norms[[0, 4]].numpy(), expected[[0, 4]].numpy(), rtol=1e-6, atol=1e-45)


def test_norms_of_tensors_of_several_types() -> None:
    tensors = [torch.full((100,), 1e-30), torch.full((3, 3), 1e-28), torch.full((4,), 1e4).half()]
    np.testing.assert_allclose(tensor_norms(tensors).numpy(), [oracle([t]) for t in tensors], rtol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_wide_norms_of_tensors_of_every_magnitude(dtype: torch.dtype) -> None:
    torch.manual_seed(6)
    smallest = -44 if dtype != torch.float16 else -7
    largest = 36 if dtype != torch.float16 else 3
    tensors = [(torch.randn(50, 7).double() * 10.0**e).to(dtype) for e in range(smallest, largest)]
    np.testing.assert_allclose(wide_norms(tensors), [oracle([t]) for t in tensors], rtol=1e-6)


def test_wide_norms_keep_nan_and_infinity() -> None:
    norms = wide_norms([torch.tensor([1.0, torch.nan]), torch.tensor([1e30, -torch.inf]), torch.ones(4)])
    np.testing.assert_array_equal(norms, [np.nan, np.inf, 2.0])


def test_norms_stay_right_while_gradients_change_their_magnitude_from_step_to_step() -> None:
    torch.manual_seed(7)
    wide: set[int] = set()
    sizes = [1, 3, 100, 5000, 40]
    for exponents in (
        [0] * 5,
        [-30, 0, -20, -25, 25],
        [0, -44, 30, -18, 0],
        [-21, -21, -21, -21, -21],
        [0] * 5,
    ):
        tensors = [torch.randn(n) * 10.0**e for n, e in zip(sizes, exponents, strict=True)]
        tensors[4][0] = torch.nan if exponents[4] == 25 else 1.0
        norms = gradient_norms(tensors, wide)
        expected = [oracle([t]) for t in tensors]
        np.testing.assert_allclose(np.asarray(norms), expected, rtol=1e-6, atol=1e-45)
    # Places of a step with more tensors than the next one has.
    wide.update({2, 4})
    np.testing.assert_allclose(np.asarray(gradient_norms(tensors[:3], wide)), expected[:3], rtol=1e-6)
