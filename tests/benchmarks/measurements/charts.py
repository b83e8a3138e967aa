"""Measure what a frame of each chart costs, from the data to the bytes.

It is measured in a process of its own, ``python -m tests.benchmarks.measurements.charts FRAMES SIZES LAYERS…``, so
that nothing else of the benchmark is counted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

from tests.benchmarks.figures import Measured
from tests.benchmarks.home import Home


def measure(home: Home, quick: bool) -> Iterator[Measured]:
    """Yield medians over the frames; 1,000 layers should cost little more than 50."""
    words = ("5", "200x50", "50") if quick else ("10", "80x24,200x50", "50", "1000")
    for cost in json.loads(home.answer_of(__name__, *words)):
        of = f", {cost['layers']:,} layers" if cost["layers"] >= 10 else ""
        size = f"{cost['width']}×{cost['height']}"
        yield Measured(f"a frame of {cost['chart']}{of}, {size}", cost["cpu_ms"], "ms")


def _main(frames: int, words: str, *layers: int) -> None:
    from dataclasses import asdict

    from tests.benchmarks.chart_cost import SIZES, frame_costs, histogram_costs

    sizes = tuple(size for size in SIZES if f"{size[0]}x{size[1]}" in words.split(","))
    costs = (*frame_costs(frames, layers, sizes), *histogram_costs(frames, sizes))
    print(json.dumps([asdict(cost) for cost in costs]))


if __name__ == "__main__":
    _main(int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:]))
