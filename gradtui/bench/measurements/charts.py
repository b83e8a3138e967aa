"""What a frame of each chart costs, from the data to the bytes.

In a process of its own, ``python -m gradtui.bench.measurements.charts FRAMES SIZES LAYERS…``: nothing else of the bench
is then counted along with it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

from gradtui.bench.home import Home
from gradtui.bench.measured import Measured


def measure(home: Home, quick: bool) -> Iterator[Measured]:
    """Medians over the frames. One of 1,000 layers costs little more than one of 50, which is the point."""
    words = ("5", "200x50", "50") if quick else ("10", "80x24,200x50", "50", "1000")
    for cost in json.loads(home.answer_of(__name__, *words)):
        of = f", {cost['layers']:,} layers" if cost["layers"] >= 10 else ""
        size = f"{cost['width']}×{cost['height']}"
        yield Measured(f"a frame of {cost['chart']}{of}, {size}", cost["cpu_ms"], "ms")


def _main(frames: int, words: str, *layers: int) -> None:
    from dataclasses import asdict

    from gradtui.ui.charts.bench import SIZES, frame_costs, histogram_costs

    sizes = tuple(size for size in SIZES if f"{size[0]}x{size[1]}" in words.split(","))
    costs = (*frame_costs(frames, layers, sizes), *histogram_costs(frames, sizes))
    print(json.dumps([asdict(cost) for cost in costs]))


if __name__ == "__main__":
    _main(int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:]))
