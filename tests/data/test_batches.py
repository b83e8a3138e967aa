"""Test batches: each example occurs once an epoch, all batches are full, and they are seeded and resumable."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gradtui.data import Dataset, batches
from gradtui.experiment.data_shapes import DataShape


def numbered(count: int) -> Dataset:
    """Examples that are their own number."""
    x = torch.arange(count, dtype=torch.float32).unsqueeze(1)
    return Dataset(x, torch.arange(count), x, torch.arange(count), DataShape((1,), 2, "classify"), 1.0, 0.5)


@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, 60), size=st.integers(1, 80), seed=st.integers(0, 2**32 - 1))
def test_an_epoch_shows_no_example_twice(count: int, size: int, seed: int) -> None:
    source = batches(numbered(count), size, seed)
    for _ in range(3):
        seen: list[int] = []
        for _ in range(count // min(size, count)):
            x, y = next(source)
            assert len(x) == min(size, count)
            assert torch.equal(x[:, 0].long(), y)
            seen += y.tolist()
        assert len(set(seen)) == len(seen)
        assert count - len(seen) < size


def test_epochs_differ_and_seeds_differ() -> None:
    source = batches(numbered(40), 40, 0)
    first, second = next(source)[1], next(source)[1]
    assert not torch.equal(first, second)
    assert not torch.equal(first, next(batches(numbered(40), 40, 1))[1])
    assert torch.equal(first, next(batches(numbered(40), 40, 0))[1])


@settings(max_examples=60, deadline=None)
@given(taken=st.integers(0, 30), size=st.integers(1, 12))
def test_restored_batches_continue_without_a_difference(taken: int, size: int) -> None:
    source = batches(numbered(10), size, 7)
    for _ in range(taken):
        next(source)
    resumed = batches(numbered(10), size, 7)
    resumed.restore(source.state())
    for _ in range(25):
        assert torch.equal(next(source)[1], next(resumed)[1])


def test_the_global_generators_play_no_part() -> None:
    torch.manual_seed(1)
    first = next(batches(numbered(20), 5, 3))[1]
    torch.manual_seed(2)
    state = torch.get_rng_state()
    assert torch.equal(first, next(batches(numbered(20), 5, 3))[1])
    assert torch.equal(torch.get_rng_state(), state)


@settings(max_examples=60, deadline=None)
@given(taken=st.integers(1, 30), size=st.integers(1, 12), data=st.data())
def test_the_examples_of_batches_that_were_taken_are_known(
    taken: int, size: int, data: st.DataObject
) -> None:
    source = batches(numbered(10), size, 7)
    seen = [next(source)[1].tolist() for _ in range(taken)]
    ago = data.draw(st.integers(0, taken - 1))
    assert source.chosen(ago) == seen[taken - 1 - ago]
    state = source.state()
    source.chosen(taken - 1)
    assert source.state() == state
