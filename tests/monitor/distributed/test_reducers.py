"""Norms of several ranks are added up, also where parts arrive late or never; sampling periods keep to the budget."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest
from torch.distributed import HashStore

from gradtui.monitor.distributed.mailbox import LARGEST_UNREAD_COUNT, StoreMailbox
from gradtui.monitor.distributed.reducers import (
    DifferentModels,
    Rank0Reducer,
    RankPart,
    RankSender,
    next_period,
)
from gradtui.monitor.step_record import StepRecord
from gradtui.probe.sampling_budget import SamplingBudget

Ranks = tuple[Rank0Reducer, RankSender, RankSender]


def record(*layers: float) -> StepRecord:
    norms = np.array(layers)
    total = float(np.linalg.norm(norms))
    return StepRecord(norms, total, total / 2, False, {0: (total, (0.1,))})


def part(step: int, *layers: float) -> RankPart:
    return RankPart(step, float(step), record(*layers))


@pytest.fixture
def three() -> Iterator[Ranks]:
    store = HashStore()
    rank0 = Rank0Reducer(StoreMailbox(store, 0, 0, 3), 3)
    senders = [RankSender(StoreMailbox(store, 0, rank, 3), rank, 3) for rank in (1, 2)]
    yield rank0, senders[0], senders[1]
    for reducer in (rank0, *senders):
        reducer.close()


def take(rank0: Rank0Reducer, count: int, seconds: float = 20) -> list[RankPart]:
    """Wait until `count` steps have been added up, and return them."""
    found: list[RankPart] = []
    end = time.monotonic() + seconds
    while len(found) < count and time.monotonic() < end:
        found += rank0.take_reduced("steps")
        time.sleep(0.01)
    return found


def test_the_norm_of_all_ranks_is_the_root_of_the_sum_of_squares(three: Ranks) -> None:
    for rank, one in enumerate(three):
        one.add("steps", part(1, 3.0 + rank, 1e-20, np.nan, np.inf))
    (reduced,) = take(three[0], 1)
    assert (reduced.step, reduced.moment) == (1, 1.0)
    found = reduced.measured
    np.testing.assert_allclose(found.layers[:2], [np.sqrt(9 + 16 + 25), np.sqrt(3) * 1e-20])
    assert np.isnan(found.layers[2])
    assert np.isinf(found.layers[3])
    assert found.optimizers[0][1] == (0.1,)


def test_a_step_of_which_a_part_is_missing_has_no_record(three: Ranks) -> None:
    for rank, one in enumerate(three):
        for step in range(1, 9):
            if not (rank == 2 and step in (3, 4)) and not (rank == 0 and step == 6):
                one.add("steps", part(step, 1.0))
    found = take(three[0], 5)
    assert [reduced.step for reduced in found] == [1, 2, 5, 7, 8]
    for reduced in found:
        np.testing.assert_allclose(reduced.measured.layers, np.sqrt(3))


def test_settle_waits_for_parts_under_way(three: Ranks) -> None:
    for one in three:
        for step in range(1, 4):
            one.add("steps", part(step, 1.0))
    for sender in three[1:]:
        sender.close()
    three[0].settle()
    assert [reduced.step for reduced in three[0].take_reduced("steps")] == [1, 2, 3]


def test_a_rank_with_other_layers_is_refused(three: Ranks) -> None:
    for rank, one in enumerate(three):
        one.add("steps", part(1, *[1.0] * (2 if rank == 1 else 3)))
    with pytest.raises(DifferentModels, match="process 1 watches other layers"):
        take(three[0], 1)


def test_the_store_does_not_fill_up_when_rank_0_does_not_read() -> None:
    store = HashStore()
    mailbox = StoreMailbox(store, 0, 1, 2)
    assert [mailbox.send(b"x") for _ in range(LARGEST_UNREAD_COUNT + 5)] == [True] * LARGEST_UNREAD_COUNT + [
        False
    ] * 5
    reader = StoreMailbox(store, 0, 0, 2)
    assert reader.receive() == [(1, b"x")] * LARGEST_UNREAD_COUNT
    assert reader.receive() == []
    assert mailbox.send(b"y")
    assert reader.receive() == [(1, b"y")]


def budget_after(cost: float, training: float, steps: int, share: float = 0.01) -> SamplingBudget:
    """Return a budget after steps of `training` seconds each and samples of `cost` seconds each."""
    budget = SamplingBudget(share)
    for _ in range(steps):
        budget.add(training, 0.0, cost)
    return budget


@pytest.mark.parametrize(
    ("cost", "period"),
    [(0.00005, 1), (0.0001, 1), (0.00011, 2), (0.0003, 4), (0.001, 16), (0.0064, 64)],
)
def test_the_period_is_the_least_power_of_two_within_the_share(cost: float, period: int) -> None:
    # A hundredth of 10 ms is 0.1 ms.
    assert next_period(1, budget_after(cost, 0.01, 20), 20) == period


def test_the_period_is_halved_when_half_is_enough_by_a_margin() -> None:
    assert next_period(16, budget_after(0.00079, 0.01, 20), 20) == 16
    assert next_period(16, budget_after(0.0006, 0.01, 20), 20) == 8
    assert next_period(1, budget_after(0.00001, 0.01, 20), 20) == 1


def test_the_period_stays_before_any_cost_is_known() -> None:
    assert next_period(1, SamplingBudget(0.01), 0) == 1


def test_every_step_of_a_short_training_is_measured() -> None:
    budget = SamplingBudget(0.01, free=0.02)
    budget.add(0.001, 0.0, 0.001)
    assert next_period(1, budget, 1) == 1
