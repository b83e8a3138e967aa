"""Test that the measurement of charts counts bytes exactly; times are not judged here."""

from __future__ import annotations

import pytest

from tests.benchmarks.chart_cost import SIZES, frame_costs


@pytest.mark.long
def test_every_chart_at_every_size() -> None:
    costs = frame_costs(frames=5, layers=(10, 1000))
    assert {(cost.width, cost.height) for cost in costs} == set(SIZES)
    assert len(costs) == len(SIZES) * (2 * 3 + 1)
    assert all(cost.cpu_ms > 0 for cost in costs)
    by_name = {(cost.chart, cost.layers, cost.width): cost.bytes for cost in costs}
    for width in (80, 200):
        for layers in (10, 1000):
            # One new row is one line of text: this is what lets an SSH line carry the waterfall.
            row, whole = (
                by_name["waterfall, one row", layers, width],
                by_name["waterfall, whole", layers, width],
            )
            assert 0 < row < whole / 10
