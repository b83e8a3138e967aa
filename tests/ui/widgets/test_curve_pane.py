"""Test the keys of loss and accuracy: another axis, smoothing, another step."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from textual import on
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Footer

from gradtui.charts.layer_axis import GUTTER
from gradtui.runs.folder import record_dtype, table_path
from gradtui.runs.follower import Follower
from gradtui.runs.meta import RunMeta, TableMeta, write_meta
from gradtui.runs.reader import open_run
from gradtui.runs.writer import RunWriter
from gradtui.ui.followed_run import FollowedRun
from gradtui.ui.settings_store import SettingsStore
from gradtui.ui.view import StepChanged, ViewRequest
from gradtui.ui.widgets.curve_pane import CurvePane
from gradtui.ui.widgets.curve_plot import CurvePlot
from tests.support.lab import until
from tests.support.pictures import text_of

SCALARS = ("loss", "accuracy", "lr", "clipped")


def write(folder: Path, steps: int = 400, planned: int = 500) -> Path:
    """A run with something of everything: evaluations, a change of the rate, clipping, a pause, a finding."""
    meta = RunMeta.of_this_process(
        id="run",
        name="run",
        experiment=None,
        layers=(),
        tables={"scalars": TableMeta(SCALARS, "scalars")},
        steps=planned,
    )
    write_meta(folder, meta)
    writer = RunWriter(folder, {"scalars": SCALARS})
    noise = np.random.default_rng(0).normal(0, 0.2, steps)
    for step in range(1, steps + 1):
        loss = 2 * np.exp(-step / 100) + 0.1
        accuracy = round(64 * (1 - 0.9 * np.exp(-step / 60))) / 64
        row = np.array([loss * (1 + noise[step - 1]), accuracy, 0.1 if step <= 200 else 0.01, step <= 40])
        writer.append("scalars", step, row, time=1e9 + step)
        if step % 50 == 0:
            writer.event("evaluation", step, test_loss=loss, test_accuracy=accuracy, train_loss=loss / 2)
    writer.event("control", 200, wish="set", set={"optimizer.lr": 0.01})
    writer.event("checkpoint", 300, path="checkpoints/300")
    writer.event("end", steps, status="finished", reason="")
    writer.close()
    return folder


def write_long(folder: Path, steps: int, taken: Callable[[Any], Any], logged: dict[str, Any]) -> Path:
    """Write a run of many steps at once, with the seconds after which each ended and the numbers that a script logs."""
    tables = {"scalars": ("loss",), **{name: (name,) for name in logged}}
    every = np.arange(1, steps + 1)
    meta = RunMeta.of_this_process(
        id="run", name="run", experiment=None, layers=(), steps=steps, kind="script",
        tables={name: TableMeta(columns, "scalars") for name, columns in tables.items()},
    )  # fmt: skip
    write_meta(folder, meta)
    for name in tables:
        values = np.asarray(logged.get(name, 1 / every), np.float32)
        there = np.isfinite(values)
        rows = np.zeros(there.sum(), record_dtype(1))
        rows["step"], rows["time"] = every[there], 1e9 + taken(every[there])
        rows["values"][:, 0] = values[there]
        rows.tofile(table_path(folder, name))
    (folder / "events.jsonl").write_text(
        f'{{"event": "end", "time": 1e9, "step": {steps}, "status": "finished", "reason": ""}}\n'
    )
    return folder


class Bench(App[None]):
    """Obeys a pane as the lab does."""

    CSS = "CurvePane { height: 1fr; border: round $border; }"

    def __init__(self, what: str, folder: Path) -> None:
        super().__init__()
        self.what = what
        self.settings_store = SettingsStore(self)
        self.followed = SimpleNamespace(
            snapshot=Follower(open_run(folder)).poll(),
            at=None,
            request=ViewRequest(),
            data=None,
            newest_findings=(),
        )
        self.said: list[int | None] = []

    def compose(self) -> ComposeResult:
        yield CurvePane(self.what)
        yield Footer()

    async def show(self, **changes: Any) -> None:
        for name, value in changes.items():
            setattr(self.followed, name, value)
        await self.pane.paint(cast(FollowedRun, self.followed))

    @on(StepChanged)
    async def travelled(self, event: StepChanged) -> None:
        self.said.append(event.step)
        await self.show(at=event.step)

    @property
    def pane(self) -> CurvePane:
        return self.query_one(CurvePane)

    @property
    def plot(self) -> CurvePlot:
        return self.query_one(CurvePlot)

    @property
    def text(self) -> str:
        return "\n".join(strip.text for strip in self.screen._compositor.render_strips())


@asynccontextmanager
async def bench(
    what: str, folder: Path, size: tuple[int, int] = (100, 18)
) -> AsyncIterator[tuple[Bench, Pilot[None]]]:
    app = Bench(what, folder)
    async with app.run_test(size=size) as pilot:
        await app.show()
        await app.workers.wait_for_complete()
        app.pane.focus()
        await pilot.pause()
        await until(pilot, lambda: app.plot.frame is not None)
        yield app, pilot


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path)


async def test_the_axis_is_switched_in_place(folder: Path) -> None:
    async with bench("loss", folder) as (app, pilot):
        assert "─ Loss ─" in app.text
        linear = app.plot.frame
        await pilot.press("y")
        await pilot.pause()
        assert app.pane.logarithmic
        assert "─ Loss · log ─" in app.text
        assert "1e0┤" in app.text
        await pilot.press("y")
        await pilot.pause()
        assert "1e0┤" not in app.text
        assert app.plot.frame is not None
        assert linear is not None
        assert app.plot.frame.scale.high == linear.scale.high


async def test_a_log_axis_of_the_accuracy_shows_the_error_and_says_so(folder: Path) -> None:
    async with bench("accuracy", folder) as (app, pilot):
        assert " 100%┤" in app.text
        assert "batch 98.4%" in app.text or "batch 100.0%" in app.text
        await pilot.press("y")
        await pilot.pause()
        assert "Error (1 − accuracy) · log" in app.text
        assert "batch 0 " in app.text
        assert "    0┤" in app.text


async def test_m_draws_another_curve_of_the_run(folder: Path) -> None:
    async with bench("loss", folder) as (app, pilot):
        app.pane.keep_settings(app.settings_store)
        seen = []
        for _ in range(3):
            await pilot.press("m")
            await until(pilot, lambda: bool(app.query(CurvePlot)) and app.plot.frame is not None)
            seen.append(str(app.pane.border_title))
            if app.pane.what == "lr":
                assert "rate 0.01" in app.text, "the rate was 0.1 and is 0.01 since step 200"
                assert (app.plot.frame.scale.low, app.plot.frame.scale.high) == pytest.approx(
                    (0.01, 0.1), abs=0.03
                )
            if app.pane.what == "accuracy":
                await pilot.press("y")
                assert app.settings_store.settings.log_accuracy
                assert not app.settings_store.settings.log_loss
        assert seen == ["Accuracy", "Learning rate", "Loss"]
        await pilot.press("M")
        assert app.pane.what == "lr"


async def test_v_cycles_the_smoothing(folder: Path) -> None:
    async with bench("loss", folder) as (app, pilot):
        seen = []
        for _ in range(3):
            await pilot.press("v")
            await pilot.pause()
            seen.append((app.pane.smoothing, app.plot.smoothing, "smoothed" in app.text))
        assert seen == [("light", "light", True), ("strong", "strong", True), ("off", "off", False)]
        await pilot.press("v")
        await pilot.pause()
        assert "Loss · smoothed" in app.text
        assert "batch smoothed over 10 steps" in app.text


async def test_choices_made_before_the_first_numbers_are_kept(folder: Path) -> None:
    app = Bench("loss", folder)
    async with app.run_test(size=(100, 18)) as pilot:
        app.pane.logarithmic, app.pane.smoothing = True, "strong"
        await pilot.pause()
        assert "Loss · log · smoothed" in app.text
        await app.show()
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert app.plot.logarithmic
        assert "smoothed over 50 steps" in app.text


async def test_keys_move_through_time(folder: Path) -> None:
    async with bench("loss", folder) as (app, pilot):
        await pilot.press("right", "end")
        await pilot.pause()
        assert app.said == [], "there is nothing later than now"
        await pilot.press("left", "h", "l", "shift+left", "shift+right")
        await pilot.pause()
        frame = app.plot.frame
        assert frame is not None
        assert app.said[0] == 396
        assert "step 396" in app.text
        newest = frame.place(400) or 0
        moved = [newest - (frame.place(step or 0) or 0) for step in app.said]
        assert moved == [1, 2, 1, 11, 1]
        await pilot.press("right")
        await pilot.pause()
        assert app.said[-1] is None, "beyond the newest step is now"
        assert "step" not in app.text.replace("steps", "")
        await pilot.press("home")
        await pilot.pause()
        assert app.said[-1] == 1
        await pilot.press("left", "shift+left")
        await pilot.pause()
        assert app.said[-1] == 1, "nothing is before the first"
        await pilot.press("end")
        await pilot.pause()
        assert app.said[-1] is None


async def test_quick_keys_add_up_before_the_view_has_changed(folder: Path) -> None:
    async with bench("loss", folder) as (app, pilot):
        pane = app.pane
        for _ in range(3):
            pane.action_time(-1)
        await pilot.pause()
        assert app.said == [396, 391, 387]


async def test_in_a_short_run_a_column_is_a_step(tmp_path: Path) -> None:
    async with bench("loss", write(tmp_path, steps=12, planned=12)) as (app, pilot):
        await pilot.press(*["left"] * 4)
        await pilot.pause()
        assert app.said == [11, 10, 9, 8]
        await pilot.press(*["right"] * 4)
        await pilot.pause()
        assert app.said[4:] == [9, 10, 11, None]


async def test_a_click_travels_and_focuses(folder: Path) -> None:
    async with bench("loss", folder) as (app, pilot):
        app.set_focus(None)
        await pilot.click(CurvePlot, offset=(GUTTER + 40, 6))
        await pilot.pause()
        frame = app.plot.frame
        assert frame is not None
        assert app.said == [round(frame.x_at(40))]
        assert app.pane.has_focus
        assert f"step {app.said[0]}" in app.text


async def test_the_pane_points_where_the_run_is_looked_at_and_shows_that_stretch(folder: Path) -> None:
    async with bench("loss", folder) as (app, pilot):
        await app.show(at=250)
        await pilot.pause()
        assert "▲250" in app.text
        await app.show(at=None, request=ViewRequest(window=(201, 300)))
        await pilot.pause()
        assert "▲" not in app.text
        assert "└201" in app.text.replace("─", "") or app.plot.window == (201, 300)
        assert "◆ saved" in app.text
        assert "η lr" not in app.text, "out of view"


async def test_events_are_named_beneath_the_curve(folder: Path) -> None:
    async with bench("loss", folder) as (app, pilot):
        assert "η lr  ◆ saved  ▃ clipped" in app.text
        await app.show(at=200)
        await pilot.pause()
        assert app.pane.caption == "lr 0.01"
        await app.show(at=20, newest_findings=(SimpleNamespace(code="vanishing", step=20),))
        await pilot.pause(0.6)
        assert app.pane.caption == "vanishing · clipped"


async def test_keys_are_in_the_footer_and_in_the_help(folder: Path) -> None:
    async with bench("loss", folder) as (app, _):
        for words in ("←→ time", "y log", "v smooth"):
            assert words in app.text
        for sign in "ηΔ◆‖▸«!":
            assert f"`{sign}`" in app.pane.HELP
        ids = {active.binding.id for active in app.screen.active_bindings.values()}
        assert {"curves.earlier", "curves.later", "curves.log", "curves.smooth", "curves.first"} <= ids


async def test_before_and_after_a_run_keys_do_nothing(folder: Path) -> None:
    app = Bench("loss", folder)
    async with app.run_test(size=(100, 18)) as pilot:
        app.pane.focus()
        await pilot.press("left", "home", "end", "y", "v")
        await app.show()
        await app.workers.wait_for_complete()
        await pilot.pause()
        app.pane.clear()
        await pilot.press("left", "home")
        await pilot.pause()
        assert app.said == []
        assert app.pane.caption == ""
        assert "no values yet" in app.text


async def test_pretraining_has_epochs_not_steps(tmp_path: Path) -> None:
    folder = write(tmp_path, steps=0)
    writer = RunWriter(folder, {"scalars": SCALARS})
    for epoch in range(1, 6):
        writer.event("pretrain", 0, name="dense1", epoch=epoch, reconstruction_error=1 / epoch)
    writer.close()
    async with bench("loss", folder) as (app, pilot):
        assert "Reconstruction error by epoch" in app.text
        await pilot.press("left", "home")
        await pilot.click(CurvePlot, offset=(GUTTER + 40, 6))
        await pilot.pause()
        assert app.said == []


async def test_unchanged_state_paints_nothing(folder: Path) -> None:
    async with bench("loss", folder) as (app, pilot):
        before, layer = text_of(app), app.plot._layer
        dirty = []
        original = app.plot.refresh
        app.plot.refresh = lambda *given, **how: dirty.append(given) or original(*given, **how)  # type: ignore
        pane = app.pane
        pane.refresh = lambda *given, **how: dirty.append(given)  # type: ignore[method-assign, assignment]
        await app.show()
        await pilot.pause(0.6)
        assert dirty == []
        assert app.plot._layer is layer
        assert text_of(app) == before


@pytest.mark.parametrize("size", [(20, 6), (42, 10), (240, 60)])
async def test_pane_draws_at_any_size(folder: Path, size: tuple[int, int]) -> None:
    app = Bench("accuracy", folder)
    async with app.run_test(size=size) as pilot:
        await app.show()
        await app.workers.wait_for_complete()
        app.pane.focus()
        await pilot.press("y", "v", "left", "shift+left", "home", "end", "left")
        await pilot.pause()
        assert [len(line) for line in app.text.splitlines()] == [size[0]] * size[1]


async def test_x_goes_through_step_time_and_the_numbers_that_rise(tmp_path: Path) -> None:
    """The cursor stays at its step, and the place of each step is where its own row says that it is."""
    steps = 1_000_000
    tokens = np.where(np.arange(1, steps + 1) % 1000 == 0, np.arange(1, steps + 1) * 512.0, np.nan)
    epochs = (np.arange(steps) // 250_000).astype(float)

    def taken(step: Any) -> Any:
        # Between the steps 400,000 and 400,001 the run paused for as long as it trained before.
        return step * 0.01 + np.where(step > 400_000, 4000.0, 0.0)

    falls = -np.arange(steps, dtype=float)
    logged = {"tokens": tokens, "epoch": epochs, "lr": falls}
    async with bench("loss", write_long(tmp_path, steps, taken, logged)) as (app, pilot):
        await app.show(at=500_000)
        await pilot.pause()
        titles, places = [], {}
        for _ in range(8):
            await pilot.press("X")
            await pilot.pause()
            frame = app.plot.frame
            assert frame is not None
            titles.append(app.pane.heading.plain.removesuffix(" · log"))
            axis = frame.axis
            places[axis.what, axis.log] = float(axis.nearest(500_000))
            assert app.plot.cursor == 500_000
            assert "step 500,000" in app.text
            assert frame.place(500_000) is not None
        names = ["log step", "time", "log time", "tokens", "log tokens", "epoch", "log epoch"]
        assert titles == [*(f"Loss · by {name}" for name in names), "Loss"]
        assert places["step", True] == pytest.approx(np.log10(500_000))
        assert places["time", False] == pytest.approx(9000, rel=1e-3)
        assert places["time", True] == pytest.approx(np.log10(9000), rel=1e-3)
        assert places["tokens", False] == pytest.approx(256e6, rel=1e-2)
        assert places["epoch", False] == pytest.approx(2.0, abs=0.02), "to a point of the curve"
        app.settings_store.change(x_axis="time")
        stretch = {
            table.name: table.summary(table.row_of(399_991), table.row_of(400_011)).column(0)
            for table in open_run(tmp_path).scalar_tables()
        }
        closer = {"loss": stretch.pop("scalars"), **stretch}
        await app.show(data=SimpleNamespace(curves=closer), request=ViewRequest(window=(399_991, 400_010)))
        await pilot.pause()
        app.plot.draw_at_once()
        assert app.plot.frame is not None
        assert app.plot.frame.high - app.plot.frame.low == pytest.approx(4000, abs=60), (
            "the stretch with the pause"
        )


async def test_a_run_without_the_chosen_number_is_drawn_by_step(folder: Path) -> None:
    async with bench("loss", folder) as (app, pilot):
        app.settings_store.change(x_axis="tokens, log")
        await app.show()
        await pilot.pause()
        assert app.pane.heading.plain == "Loss"
        await pilot.press("X", "X", "X")
        await pilot.pause()
        assert app.pane.heading.plain == "Loss · by time"
        assert app.plot.frame is not None
        assert app.plot.frame.high == pytest.approx(400, abs=2)


async def test_a_chart_too_low_for_a_legend_names_its_curves_in_the_title(folder: Path) -> None:
    async with bench("loss", folder) as (app, pilot):
        named = "Loss  ━ batch  ━ train  ━ test"
        assert app.pane.heading.plain == "Loss"
        await pilot.resize_terminal(80, 9)
        await pilot.pause()
        app.plot.draw_at_once()
        await pilot.pause()
        assert app.pane.heading.plain == named
        assert named in app.text
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        app.plot.draw_at_once()
        await pilot.pause()
        assert app.pane.heading.plain == "Loss"
