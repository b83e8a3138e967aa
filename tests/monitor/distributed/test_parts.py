"""What comes together of parts, through a store of torch's in which some arrive late, twice, or never."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest
from torch.distributed import HashStore

from gradtui.monitor.distributed.helper import Helper
from gradtui.monitor.distributed.leader import Leader, NotTogether
from gradtui.monitor.distributed.post import UNREAD, Post
from gradtui.monitor.parts import Part
from gradtui.monitor.rounds import Row


def row(*layers: float) -> Row:
    norms = np.array(layers)
    total = float(np.linalg.norm(norms))
    return Row(norms, total, total / 2, False, {0: (total, (0.1,))})


def part(step: int, *layers: float) -> Part:
    return Part(step, float(step), row(*layers))


@pytest.fixture
def three() -> Iterator[tuple[Leader, Helper, Helper]]:
    store = HashStore()
    leader = Leader(Post(store, 0, 0, 3), 3)
    helpers = [Helper(Post(store, 0, rank, 3), rank, 3) for rank in (1, 2)]
    yield leader, helpers[0], helpers[1]
    for one in (leader, *helpers):
        one.close()


def come(leader: Leader, count: int, seconds: float = 20) -> list[Part]:
    """Wait until so many are whole."""
    found: list[Part] = []
    end = time.monotonic() + seconds
    while len(found) < count and time.monotonic() < end:
        found += leader.whole("rows")
        time.sleep(0.01)
    return found


def test_a_norm_of_all_is_the_root_of_the_sum_of_squares(three: tuple[Leader, Helper, Helper]) -> None:
    for rank, one in enumerate(three):
        one.add("rows", part(1, 3.0 + rank, 1e-20, np.nan, np.inf))
    (whole,) = come(three[0], 1)
    assert (whole.step, whole.moment) == (1, 1.0)
    found = whole.measures
    np.testing.assert_allclose(found.layers[:2], [np.sqrt(9 + 16 + 25), np.sqrt(3) * 1e-20])
    assert np.isnan(found.layers[2])
    assert np.isinf(found.layers[3])
    assert found.parts[0][1] == (0.1,)


def test_a_step_of_which_a_part_is_missing_has_no_row(three: tuple[Leader, Helper, Helper]) -> None:
    for rank, one in enumerate(three):
        for step in range(1, 9):
            if not (rank == 2 and step in (3, 4)) and not (rank == 0 and step == 6):
                one.add("rows", part(step, 1.0))
    found = come(three[0], 5)
    assert [whole.step for whole in found] == [1, 2, 5, 7, 8]
    for whole in found:
        np.testing.assert_allclose(whole.measures.layers, np.sqrt(3))


def test_what_is_under_way_at_the_end_is_waited_for(three: tuple[Leader, Helper, Helper]) -> None:
    for one in three:
        for step in range(1, 4):
            one.add("rows", part(step, 1.0))
    for helper in three[1:]:
        helper.close()
    three[0].settle()
    assert [whole.step for whole in three[0].whole("rows")] == [1, 2, 3]


def test_other_layers_are_refused(three: tuple[Leader, Helper, Helper]) -> None:
    for rank, one in enumerate(three):
        one.add("rows", part(1, *[1.0] * (2 if rank == 1 else 3)))
    with pytest.raises(NotTogether, match="process 1 watches other layers"):
        come(three[0], 1)


def test_the_store_does_not_fill_where_nobody_reads() -> None:
    store = HashStore()
    post = Post(store, 0, 1, 2)
    assert [post.send(b"x") for _ in range(UNREAD + 5)] == [True] * UNREAD + [False] * 5
    reader = Post(store, 0, 0, 2)
    assert reader.receive() == [(1, b"x")] * UNREAD
    assert reader.receive() == []
    assert post.send(b"y")
    assert reader.receive() == [(1, b"y")]
