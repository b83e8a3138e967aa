"""Test norms of layers against float64 sums of torch's own gradients, over the whole range of float32."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from gradtui.probe.flat_gradients import FlatGradients


def oracle(tensors: list[Tensor]) -> float:
    """Return the plain way: every number as float64."""
    return float(torch.cat([t.detach().double().reshape(-1) for t in tensors]).norm())


def layers_of(shapes: list[list[tuple[int, ...]]]) -> list[list[nn.Parameter]]:
    return [[nn.Parameter(torch.randn(shape)) for shape in layer] for layer in shapes]


MIXED = [[(64, 64), (64,)], [(3, 5), (3,)], [(1,)], [(8, 3, 3, 3), (8,), (8,), (8,)], [(200, 100)], []]


@pytest.mark.parametrize("scale", [1.0, 1e-7, 1e-18, 1e-22, 1e-30, 1e-38, 1e-42, 1e17, 1e25, 1e36])
def test_norms_over_the_range_of_float32(scale: float) -> None:
    torch.manual_seed(0)
    layers = layers_of(MIXED)
    flat = FlatGradients(layers)
    for p in flat.parameters:
        assert p.grad is not None
        p.grad.copy_(torch.randn(p.shape) * scale)
    expected = [oracle([p.grad for p in layer if p.grad is not None]) if layer else 0.0 for layer in layers]
    np.testing.assert_allclose(flat.layer_norms(), expected, rtol=1e-6)
    assert all(expected[:-1])


@settings(max_examples=60, deadline=None)
@given(
    exponents=st.lists(st.integers(-44, 36), min_size=1, max_size=12),
    sizes=st.lists(st.integers(1, 3000), min_size=12, max_size=12),
    seed=st.integers(0, 1000),
)
def test_layers_of_any_size_and_magnitude_side_by_side(
    exponents: list[int], sizes: list[int], seed: int
) -> None:
    torch.manual_seed(seed)
    layers = layers_of([[(n,)] for n in sizes[: len(exponents)]])
    flat = FlatGradients(layers)
    for (p,), exponent in zip(layers, exponents, strict=True):
        assert p.grad is not None
        p.grad.copy_((torch.randn(p.shape, dtype=torch.float64) * 10.0**exponent).float())
    expected = [oracle([p.grad]) for (p,) in layers if p.grad is not None]
    np.testing.assert_allclose(flat.layer_norms(), expected, rtol=1e-6)


def test_magnitudes_mixed_within_one_layer() -> None:
    ((p,),) = layers = layers_of([[(5000,)]])
    flat = FlatGradients(layers)
    assert p.grad is not None
    p.grad.copy_(torch.full((5000,), 1e-25))
    p.grad[17] = 3e-24
    np.testing.assert_allclose(flat.layer_norms(), [oracle([p.grad])], rtol=1e-6)
    p.grad[18] = 1e30
    np.testing.assert_allclose(flat.layer_norms(), [1e30], rtol=1e-6)


def test_nan_and_infinity_are_kept_apart_from_overflow() -> None:
    layers = layers_of([[(70, 70)], [(70, 70)], [(70, 70)], [(70, 70)]])
    flat = FlatGradients(layers)
    for value, (p,) in zip([1.0, torch.nan, -torch.inf, 1e37], layers, strict=True):
        assert p.grad is not None
        p.grad.fill_(1.0)[3, 4] = value
    norms = flat.layer_norms()
    assert norms[0] == pytest.approx(70)
    assert np.isnan(norms[1])
    assert norms[2] == np.inf
    assert norms[3] == pytest.approx(1e37)


def test_padding_is_small() -> None:
    flat = FlatGradients(layers_of([[(64, 64), (64,)]] * 21))
    assert len(flat.gradients) % flat.row_length == 0
    assert flat.counts.sum() <= len(flat.gradients) <= 1.05 * flat.counts.sum()


def test_gradients_that_autograd_writes_land_in_the_buffer() -> None:
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(7, 33), nn.Tanh(), nn.Linear(33, 5))
    plain = nn.Sequential(nn.Linear(7, 33), nn.Tanh(), nn.Linear(33, 5))
    plain.load_state_dict(net.state_dict())
    flat = FlatGradients([list(net[0].parameters()), list(net[2].parameters())])
    x = torch.randn(16, 7)
    for _ in range(2):  # the second time the buffer holds old numbers
        flat.zero_()
        net(x).square().sum().backward()
    plain(x).square().sum().backward()
    for ours, theirs in zip(net.parameters(), plain.parameters(), strict=True):
        assert ours.grad is not None
        assert theirs.grad is not None
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=0)
    expected = [oracle([p.grad for p in plain[i].parameters() if p.grad is not None]) for i in (0, 2)]
    np.testing.assert_allclose(flat.layer_norms(), expected, rtol=1e-6)


def test_gradients_against_finite_differences_in_float64() -> None:
    """The numbers that are recorded are those of the loss's own change."""
    torch.manual_seed(2)
    net = nn.Sequential(nn.Linear(4, 6), nn.Sigmoid(), nn.Linear(6, 3), nn.Sigmoid(), nn.Linear(3, 2))
    x, y = torch.randn(5, 4), torch.tensor([0, 1, 1, 0, 1])
    flat = FlatGradients([list(net[i].parameters()) for i in (0, 2, 4)])
    nn.functional.cross_entropy(net(x), y).backward()

    double = nn.Sequential(
        nn.Linear(4, 6), nn.Sigmoid(), nn.Linear(6, 3), nn.Sigmoid(), nn.Linear(3, 2)
    ).double()
    double.load_state_dict({name: value.double() for name, value in net.state_dict().items()})
    expected = []
    with torch.no_grad():
        for i in (0, 2, 4):
            squares = 0.0
            for p in double[i].parameters():
                for at in range(p.numel()):
                    losses = []
                    for change in (1e-6, -1e-6):
                        p.view(-1)[at] += change
                        losses.append(nn.functional.cross_entropy(double(x.double()), y).item())
                        p.view(-1)[at] -= change
                    squares += ((losses[0] - losses[1]) / 2e-6) ** 2
            expected.append(squares**0.5)
    np.testing.assert_allclose(flat.layer_norms(), expected, rtol=2e-5)


def test_one_optimizer_over_the_buffer_moves_like_one_over_the_parameters() -> None:
    torch.manual_seed(3)
    net, plain = nn.Linear(9, 5), nn.Linear(9, 5)
    plain.load_state_dict(net.state_dict())
    flat = FlatGradients([list(net.parameters())])
    whole = nn.Parameter(flat.weights)
    whole.grad = flat.gradients
    ours = torch.optim.Adam([whole], lr=0.1)
    theirs = torch.optim.Adam(plain.parameters(), lr=0.1)
    x = torch.randn(8, 9)
    for _ in range(3):
        flat.zero_()
        theirs.zero_grad()
        net(x).square().sum().backward()
        plain(x).square().sum().backward()
        ours.step()
        theirs.step()
    torch.testing.assert_close(net.state_dict(), plain.state_dict())


def test_a_shared_parameter_belongs_to_the_first_layer() -> None:
    shared = nn.Parameter(torch.ones(10))
    flat = FlatGradients([[shared], [shared, nn.Parameter(torch.ones(3))]])
    flat.gradients.fill_(0)
    assert shared.grad is not None
    shared.grad.fill_(2.0)
    np.testing.assert_allclose(flat.layer_norms(), [np.sqrt(40), 0])


def test_norms_of_rows_from_another_device_fold_to_the_same() -> None:
    """What a GPU gives (norms of rows, in float64) is folded by the host to what the CPU gives."""
    torch.manual_seed(5)
    flat = FlatGradients(layers_of(MIXED))
    for p in flat.parameters:
        assert p.grad is not None
        p.grad.copy_(torch.randn(p.shape) * 1e-25)
    rows = flat.gradients.view(-1, flat.row_length).double().norm(dim=1)
    np.testing.assert_allclose(flat.fold(rows.numpy()), flat.layer_norms(), rtol=1e-6)
    expected = flat.gradients.double().norm().item()
    assert flat.total(flat.row_norms()) == pytest.approx(expected, rel=1e-6)
    assert float(flat.total(rows)) == pytest.approx(expected, rel=1e-6)
    assert float(flat.total(rows.float())) == pytest.approx(expected, rel=1e-6)


def test_marks_lie_where_the_chosen_parameters_lie() -> None:
    flat = FlatGradients([[nn.Parameter(torch.full((3, 4), 7.0)), nn.Parameter(torch.ones(3))]])
    marks = flat.marked(lambda p: p.dim() > 1)
    assert marks.sum() == 12
    assert bool((flat.weights[marks == 1] == 7).all())


def test_layers_begin_where_start_of_says() -> None:
    layers = layers_of(MIXED[:-1])
    flat = FlatGradients(layers)
    flat.weights[flat.start_of(2) :].zero_()
    assert all(bool((p != 0).all()) for layer in layers[:2] for p in layer)
    assert all(bool((p == 0).all()) for layer in layers[2:] for p in layer)
    assert flat.start_of(len(layers)) == len(flat.weights)


def test_half_precision_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match="float32"):
        FlatGradients([[nn.Parameter(torch.ones(3, dtype=torch.float16))]])
