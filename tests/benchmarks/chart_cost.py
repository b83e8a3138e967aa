"""Measure what a frame of each chart costs, in a real app whose output goes nowhere."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import numpy as np
from textual.app import ComposeResult
from textual.drivers.headless_driver import HeadlessDriver
from textual.widget import Widget

from gradtui.charts.series import CurveData
from gradtui.ui.terminal.terminal_app import TerminalApp
from gradtui.ui.widgets.curve_plot import CurvePlot
from gradtui.ui.widgets.histogram_chart import HistogramChart
from gradtui.ui.widgets.layer_charts import ProfileChart
from gradtui.ui.widgets.waterfall import Waterfall

SIZES = ((80, 24), (200, 50))
LAYERS = (10, 50, 1000)


@dataclass(frozen=True)
class FrameCost:
    """The median CPU milliseconds of a frame, from data to bytes, and the median of its bytes."""

    chart: str
    layers: int
    width: int
    height: int
    cpu_ms: float
    bytes: float


class _CountingDriver(HeadlessDriver):
    """A driver that counts what would be sent to a terminal."""

    written = 0

    @property
    def is_headless(self) -> bool:
        """False: a headless app does not even make the bytes."""
        return False

    def write(self, data: str) -> None:
        """Count the bytes and drop them."""
        _CountingDriver.written += len(data.encode())


class _Stage(TerminalApp):
    """An app that sends what the lab would send: only the cells that changed."""

    def __init__(self, chart: Widget) -> None:
        super().__init__(driver_class=_CountingDriver)
        self.chart = chart

    def compose(self) -> ComposeResult:
        yield self.chart


def frame_costs(
    frames: int = 30, layers: tuple[int, ...] = LAYERS, sizes: tuple[tuple[int, int], ...] = SIZES
) -> list[FrameCost]:
    """Measure every chart at 80×24 and 200×50, in about `frames` × 0.06 s each; not within a running event loop."""
    costs = []
    for size in sizes:
        for count in layers:
            costs += [asyncio.run(_cost(name, make, count, size, frames)) for name, make in _SCENES]
        costs.append(asyncio.run(_cost("curves", _curves, 2, size, frames)))
    return costs


def histogram_costs(frames: int = 30, sizes: tuple[tuple[int, int], ...] = SIZES) -> list[FrameCost]:
    """Measure the chart of the layer page, which is drawn while the lab is not."""
    return [asyncio.run(_cost("histogram", _histogram, 1, size, frames)) for size in sizes]


Frame = Callable[[int], None]


async def _cost(
    name: str, make: Callable[[int], tuple[Widget, Frame]], layers: int, size: tuple[int, int], frames: int
) -> FrameCost:
    chart, frame = make(layers)
    app = _Stage(chart)
    milliseconds, sizes = [], []

    async def play(pilot_ready: asyncio.Event) -> None:
        await pilot_ready.wait()
        for warm_up in range(3):
            frame(warm_up)
            await asyncio.sleep(0.05)
        gc.collect()
        for i in range(3, frames + 3):
            written, started = _CountingDriver.written, time.process_time()
            frame(i)
            # The screen paints at most 60 times a second: this waits for exactly one of them.
            await asyncio.sleep(0.05)
            milliseconds.append((time.process_time() - started) * 1000)
            sizes.append(_CountingDriver.written - written)
        app.exit()

    ready = asyncio.Event()
    player = asyncio.create_task(play(ready))
    app.call_later(app.call_after_refresh, ready.set)
    await app.run_async(size=size)
    await player
    return FrameCost(name, layers, *size, round(median(milliseconds), 2), median(sizes))


def _norms(rows: int, layers: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 0.3, (rows, layers))
    return np.linspace(-9, 0, layers) + noise


def _profile(layers: int) -> tuple[Widget, Frame]:
    chart = ProfileChart()
    values = _norms(200, layers)
    return chart, lambda i: chart.update(values[i % 200])


def _one_row(layers: int) -> tuple[Widget, Frame]:
    chart = Waterfall()
    values = _norms(200, layers)
    return chart, lambda i: chart.update(values[: 1 + i % chart.capacity])


def _whole(layers: int) -> tuple[Widget, Frame]:
    chart = Waterfall()
    values = [_norms(100, layers, seed) for seed in range(8)]
    return chart, lambda i: chart.update(values[i % 8][: chart.capacity])


def _curves(series: int) -> tuple[Widget, Frame]:
    chart = CurvePlot(pause=0)
    x = np.arange(2200)
    noise = np.random.default_rng(0).normal(0, 0.05, (series, 2200))
    loss = 0.1 + 2.2 * np.exp(-x / 500) * (1 + noise)

    def frame(i: int) -> None:
        chart.update([CurveData(f"series {s}", x[: 2000 + i], loss[s, : 2000 + i]) for s in range(series)])

    return chart, frame


def _histogram(_: int) -> tuple[Widget, Frame]:
    chart = HistogramChart()
    counts = np.random.default_rng(0).integers(0, 100, (200, 29)).astype(float)
    shares = counts / counts.sum(axis=1, keepdims=True)
    edges, steps = np.arange(-28.0, 2.0) * np.log10(2), 1 + 10 * np.arange(200)

    def frame(i: int) -> None:
        chart.update(np.roll(shares, i, axis=0), edges, steps, 2000)

    return chart, frame


_SCENES: tuple[tuple[str, Callable[[int], tuple[Widget, Frame]]], ...] = (
    ("profile", _profile),
    ("waterfall, one row", _one_row),
    ("waterfall, whole", _whole),
)
