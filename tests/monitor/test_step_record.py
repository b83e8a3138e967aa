"""Norms of parameters are folded to those of layers."""

from __future__ import annotations

import numpy as np
import pytest

from gradtui.monitor.step_record import ParameterLayout


@pytest.mark.parametrize("rest", [0, 2])
def test_the_norm_of_a_layer_covers_its_parameters_that_have_a_gradient(rest: int) -> None:
    layout = ParameterLayout([2, 1, 2], rest)
    norms = np.array([3.0, 4.0, 1e-30, 5.0, 12.0, *[7.0] * rest])
    present = np.ones(5 + rest, bool)
    np.testing.assert_allclose(layout.fold(norms, present), [5, 1e-30, 13], rtol=1e-15)
    present[[1, 2]] = False
    np.testing.assert_array_equal(layout.fold(norms, present), [3, np.nan, 13])


def test_fold_without_layers_is_empty() -> None:
    assert ParameterLayout([], 2).fold(np.ones(2), np.ones(2, bool)).size == 0
