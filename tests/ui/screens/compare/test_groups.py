"""Test runs that differ only in their seed, drawn as one: in the list, the curves and the profile, against numpy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from gradtui.cli import main
from gradtui.experiment import resolve, set_fields
from gradtui.runs.folder import record_dtype, table_path
from gradtui.runs.label import read_label
from gradtui.runs.reader import open_run
from gradtui.ui.app import GradtuiApp
from gradtui.ui.run_curves import mean_curve
from gradtui.ui.screens.compare.compare_screen import CompareScreen
from gradtui.ui.screens.compare.differences import DifferenceTable
from gradtui.ui.screens.compare.overlays import OverlaidCurves, OverlaidProfiles, RunWaterfall
from gradtui.ui.screens.runs.run_lines import RunDetail
from gradtui.ui.screens.runs.runs_screen import RunsScreen
from gradtui.ui.widgets.curve_plot import CurvePlot
from gradtui.words import number, with_deviation
from tests.support.lab import SIZES, lab_of, no_standby, screen_text, until
from tests.ui.conftest import SCALARS, MakeRun

__all__ = ["no_standby"]


def with_losses(folder: Path, losses: np.ndarray) -> Path:
    """Give a finished run other losses."""
    path = table_path(folder, "scalars")
    rows = np.fromfile(path, record_dtype(len(SCALARS)))
    rows["values"][:, 0] = losses[: len(rows)]
    rows.tofile(path)
    return folder


@pytest.fixture
def seeds(make_run: MakeRun) -> list[Path]:
    """Five runs that differ in their seed, two of which have diverged, and one of another rate."""
    base = resolve("sigmoid-20")
    rng = np.random.default_rng(0)
    folders = []
    for seed in range(5):
        diverges = seed in (1, 3)
        folder = make_run(
            set_fields(base, {"name": f"wide seed {seed}", "seed": seed}),
            decades=6 + seed,
            end="diverged" if diverges else "finished",
            nan_from=40 if diverges else None,
        )
        losses = 2.0 * np.exp(-np.arange(60) / 30) + rng.normal(0, 0.1, 60) + seed / 10
        losses[40:] = np.nan if diverges else losses[40:]
        folders.append(with_losses(folder, losses))
    folders.append(make_run(set_fields(base, {"name": "other", "optimizer.lr": 0.5})))
    return folders


async def listed(pilot: Pilot[None]) -> RunsScreen:
    await lab_of(pilot)
    await pilot.press("r")
    await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))
    screen = pilot.app.screen
    assert isinstance(screen, RunsScreen)
    await until(pilot, lambda: len(screen.listing.runs) == 6)
    return screen


@pytest.mark.parametrize("size", SIZES)
async def test_runs_that_differ_in_their_seed_are_offered_grouped_drawn_and_parted(
    size: tuple[int, int], seeds: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    app = GradtuiApp()
    async with app.run_test(size=size) as pilot:
        screen = await listed(pilot)
        listing = screen.listing
        assert len(listing.rows) == 6, "a group is offered, not made by itself"
        assert screen.query_one(RunDetail).alike == 0, "nothing is like the run of another rate"
        await pilot.press("down")
        await until(pilot, lambda: "& groups 5 runs that differ only in their seed" in screen_text(app))
        await pilot.press("ampersand")
        await until(pilot, lambda: len(app.screen.query(Input)) == 1)
        assert app.screen.query_one(Input).value == "wide"
        await pilot.press("enter")
        await until(pilot, lambda: len(listing.rows) == 2)
        assert {read_label(folder).group for folder in seeds} == {"wide", ""}

        # The row has the means of the runs that did not diverge, and says how many did.
        row = next(row for row in listing.rows if row.label.group)
        kept = [seeds[at] for at in (0, 2, 4)]
        last = [open_run(folder).scalars("loss")[1][-1] for folder in kept]
        assert row.summary.loss == pytest.approx(np.mean(last))
        listing.choose(listing.rows.index(row))
        screen.paint()
        await until(
            pilot, lambda: "wide ×5" in screen_text(app) and "2 of 5 diverged, left out" in screen_text(app)
        )
        assert f"loss {with_deviation(np.mean(last), np.std(last), number)}" in screen_text(app)

        # Its curves and its profile are mean and standard deviation of the rows.
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen))
        compared = app.screen
        assert isinstance(compared, CompareScreen)
        pane = compared.query_one(OverlaidCurves)
        await until(pilot, lambda: all(run.outcome is not None for run in compared.followed_runs))
        await until(pilot, lambda: "A 2 of 5 diverged, left out" in pane.caption)
        plot = pane.query_one(CurvePlot)
        await until(pilot, lambda: plot._layer is not None and len(plot._given[0]) == 1)
        losses = np.array([open_run(folder).scalars("loss")[1] for folder in kept], np.float64)
        curve = plot._given[0][0]
        np.testing.assert_allclose(curve.y, losses.mean(axis=0), rtol=1e-6)
        np.testing.assert_allclose(curve.high, losses.mean(axis=0) + losses.std(axis=0), rtol=1e-6)
        np.testing.assert_allclose(curve.low, losses.mean(axis=0) - losses.std(axis=0), rtol=1e-6)
        norms = np.array([open_run(folder).layers("grad_norm")[1][-1] for folder in kept], np.float64)
        profile = compared.query_one(OverlaidProfiles).query_one(CurvePlot)._given[0][0]
        np.testing.assert_allclose(profile.y, norms.mean(axis=0), rtol=1e-6)
        np.testing.assert_allclose(profile.high, norms.mean(axis=0) + norms.std(axis=0), rtol=1e-6)
        assert (np.asarray(profile.low) > 0).all(), "a logarithmic axis has no place at 0"
        assert "2 of 5 diverged" in screen_text(app).splitlines()[0]
        title = compared.query_one(RunWaterfall).border_title
        assert title == "A wide ×5, its first run", "a waterfall has no mean, so it says whose it is"
        table = compared.query_one(DifferenceTable)
        await until(
            pilot, lambda: any(" ± " in line.values[0] for line in table.figures if line.field == "mean loss")
        )
        assert table.figures[0].values == ("✖ 2 of 5 diverged",)
        # At an earlier step, all runs show that step.
        compared.go_to(20)
        await until(pilot, lambda: all(run.data.step == 20 for run in compared.followed_runs if run.data))

        # Each run is led to, and the group can be parted.
        await pilot.press("escape", "escape")
        await until(pilot, lambda: app.screen is screen)
        await pilot.press("ampersand")
        await until(pilot, lambda: len(app.screen.query(Input)) == 1)
        app.screen.query_one(Input).value = ""
        await pilot.press("enter")
        await until(pilot, lambda: len(listing.rows) == 6)
    assert main(["runs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == said


async def test_any_marked_runs_become_a_group_that_is_compared_with_a_run(seeds: list[Path]) -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await listed(pilot)
        listing = screen.listing
        for at in (0, 1):
            listing.choose(at)
            screen.action_mark()
        await pilot.press("ampersand")
        await until(pilot, lambda: len(app.screen.query(Input)) == 1)
        app.screen.query_one(Input).value = "two of mine"
        await pilot.press("enter")
        await until(pilot, lambda: any(row.label.group for row in listing.rows))
        await until(pilot, lambda: len(listing.rows) == 5)
        assert len(listing.chosen) == 2
        assert len(listing.chosen_rows) == 1
        # A filter that fits one of the two shows it alone.
        await pilot.press("slash")
        app.screen.query_one(Input).value = "name:other"
        await pilot.pause()
        assert [row.name for row in listing.rows] == ["other"]
        app.screen.query_one(Input).value = ""
        await pilot.press("enter")
        single = next(at for at, row in enumerate(listing.rows) if row.name == "wide seed 0")
        listing.choose(single)
        await pilot.press("C")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen))
        compared = app.screen
        assert isinstance(compared, CompareScreen)
        assert [(entry.title, len(entry.runs)) for entry in compared.entries] == [
            ("two of mine ×2", 2),
            (compared.entries[1].followed.title, 1),
        ]
        await until(pilot, lambda: "two of mine ×2" in screen_text(app))


def test_curves_of_other_lengths_are_averaged_where_they_are() -> None:
    long, short = np.arange(1.0, 101), np.arange(1.0, 51)
    gap = np.where(long == 10, np.nan, long)
    found = mean_curve([(long, gap), (short, 3 * short), (long[::3], 5 * long[::3])])
    np.testing.assert_array_equal(found.x, long)
    mean, high = np.asarray(found.y), np.asarray(found.high)
    assert mean[0] == 3
    assert high[0] == pytest.approx(3 + np.std([1, 3, 5]))
    assert mean[9] == pytest.approx(np.mean([30, 50])), "a value that is missing does not count"
    assert mean[80] == pytest.approx(np.mean([81, 405])), "a curve that has ended does not count"
