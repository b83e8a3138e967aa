"""Test the screens of studies, driven by keys, with fake trainers that only write folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from textual.widgets import Input

from gradtui.diagnosis.ended_runs import EndedRuns
from gradtui.experiment import to_dict
from gradtui.judgement import TOO_SHORT
from gradtui.runs.folder import runs_root
from gradtui.runs.library import list_runs
from gradtui.study.presets import names
from gradtui.study.spec import Change, Compare, StudySpec, dumps
from gradtui.study.study_folder import OWNER_FILE, STUDY_FILE
from gradtui.ui.app import GradtuiApp
from gradtui.ui.screens.lab.lab_screen import LabScreen
from gradtui.ui.screens.open_dialog import OpenScreen
from gradtui.ui.screens.study.studies_screen import StudiesScreen
from gradtui.ui.screens.study.study_chart import profiles_of
from gradtui.ui.screens.study.study_screen import StudyScreen
from gradtui.ui.screens.study.study_store import OpenStudy, StudyStore
from gradtui.words import ratio
from tests.support.lab import SIZES, alien, lab_of, no_standby, screen_text, until
from tests.support.studies import Launcher, Trainer, sigmoids
from tests.support.study_screens import BARS, drawn, engine, opened, profiled

__all__ = ["no_standby"]

SPEC = StudySpec(
    name="small",
    description="what it shows",
    base=to_dict(sigmoids()),
    grid={"net.0.repeat": [4, 8]},
    change=(Change(name="plain"), Change(name="relu", set={"net.0.activation": "relu"})),
    compare=Compare(y=("train_accuracy", "loss")),
)


def trains(trainer: Trainer) -> None:
    """Train with success only where the activation is ReLU."""
    learns = trainer.experiment.net[0].activation == "relu"
    trainer.train(decades=0.3 if learns else 9.0, learns=learns, accuracy=0.95 if learns else 0.1)


async def test_shipped_studies_are_listed_and_opening_one_trains_nothing() -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        await lab_of(pilot)
        await pilot.press("S")
        await until(pilot, lambda: "degradation" in screen_text(app))
        text = screen_text(app)
        assert all(name in text for name in names())
        await pilot.press("enter")
        await until(pilot, lambda: "○ 30 trainings, " in screen_text(app))
        assert screen_text(app).count("○ waiting") > 5
        await pilot.press("enter", "escape")
        await until(pilot, lambda: isinstance(app.screen, StudiesScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, LabScreen))
    assert not runs_root().exists()
    assert not (runs_root().parent / "studies").exists()


@pytest.mark.parametrize("size", SIZES)
async def test_study_is_trained_and_shows_its_charts_and_findings(
    size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = GradtuiApp()
    async with app.run_test(size=size) as pilot:
        screen, _ = await opened(pilot, OpenStudy(SPEC, runs_root(), engine(Launcher(trains))))
        assert "what it shows" in screen_text(app)
        assert "Press space to train these nets." in screen_text(app)
        await pilot.press("space")
        await until(pilot, lambda: "✓ all 4 trained" in screen_text(app))
        await until(pilot, lambda: "A plain" in screen_text(app))
        await pilot.pause(0.1)
        text = screen_text(app)
        assert all(len(line) == size[0] for line in text.splitlines())
        assert "small: training accuracy" in text
        assert "✖ vanishing" in text
        assert [row.outcome.accuracy for row in screen.rows] == [0.1, 0.1, 0.95, 0.95]
        assert "1 of 2" in text
        await pilot.press("m")
        await until(pilot, lambda: "small: training loss" in screen_text(app))
        await pilot.press("z")
        await pilot.pause()
        assert screen.maximized is not None
        await pilot.press("escape")
        monkeypatch.chdir(tmp_path)
        await pilot.press("W")
        await until(pilot, lambda: "Write a report" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: (tmp_path / "small.html").is_file())
        page = (tmp_path / "small.html").read_text()
        assert "small" in page
        assert page.count("vanishing") >= 2
        await until(pilot, lambda: isinstance(app.screen, StudyScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, LabScreen))


async def test_the_table_judges_each_run_as_the_list_of_runs_does() -> None:
    def briefly(trainer: Trainer) -> None:
        learns = trainer.experiment.net[0].activation == "relu"
        trainer.train(decades=0.3, learns=learns, steps=60 if learns else 5)

    app = GradtuiApp()
    async with app.run_test(size=(160, 36)) as pilot:
        screen, _ = await opened(pilot, OpenStudy(SPEC, runs_root(), engine(Launcher(briefly))))
        await pilot.press("space")
        await until(pilot, lambda: "✓ all 4 trained" in screen_text(app))
        await until(pilot, lambda: all(row.judgement for row in screen.rows))
        await until(pilot, lambda: screen_text(app).count("✓ no problems") == 2)
        assert screen_text(app).count(f"◌ {TOO_SHORT[:12]}") == 2
        # These trainers record no diagnosis, so the list makes one.
        assert EndedRuns().diagnose(list_runs(runs_root()), 5.0)
        listed = {info.run: info.summary.judgement for info in list_runs(runs_root())}
        assert {row.folder: row.judgement for row in screen.rows} == listed


async def test_training_continues_when_the_screen_is_left_and_is_found_again() -> None:
    launcher = Launcher()
    store = StudyStore(runs_root(), engine(launcher))
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(pilot, store.open(SPEC))
        await pilot.press("space")
        await until(pilot, lambda: len(launcher.started) == 2)
        await until(pilot, lambda: "● 0 of 4 done" in screen_text(app))
        await pilot.press("escape")
        for trainer in launcher.started:
            trains(trainer)
        await until(pilot, lambda: len(launcher.started) == 4)
        again = store.open(SPEC)
        assert again.begun
        screen, answers = await opened(pilot, again)
        await until(pilot, lambda: "● 2 of 4 done" in screen_text(app))
        await pilot.press("down", "enter")
        await until(pilot, lambda: answers == [screen.rows[1].folder])
        assert answers[0] == launcher.started[1].folder
        for trainer in launcher.running:
            trains(trainer)
        await until(pilot, lambda: again.state.done)


async def test_study_is_stopped_and_continued() -> None:
    launcher = Launcher()
    study = OpenStudy(SPEC, runs_root(), engine(launcher))
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(pilot, study)
        await pilot.press("space")
        await until(pilot, lambda: len(launcher.started) == 2)
        trains(launcher.started[0])
        await until(pilot, lambda: len(launcher.started) == 3)
        await pilot.press("x")
        for trainer in launcher.running:
            trainer.train(steps=20, end="stopped")
        await until(pilot, lambda: study.state.status == "stopped")
        await until(pilot, lambda: "space continues" in screen_text(app))
        # The list counts the runs that are done as the study's own screen does, not those that were stopped.
        listed = StudyStore(runs_root()).entries()[0]
        assert (listed.begun, listed.completed) == (3, 1)
        begun = len(launcher.started)
        launcher._at_once = trains
        await pilot.press("space")
        await until(pilot, lambda: "✓ all 4 trained" in screen_text(app))
        # What had been trained to its end was not trained again.
        keys = [trainer.folder for trainer in launcher.started[begun:]]
        assert launcher.started[0].folder not in keys


async def test_study_trained_elsewhere_is_shown_without_taking_its_lock() -> None:
    first = OpenStudy(SPEC, runs_root(), engine(Launcher(trains)))
    first.begin()
    while not first.poll().done:
        pass
    launcher = Launcher()
    study = StudyStore(runs_root(), engine(launcher)).open(SPEC)
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(pilot, study)
        await until(pilot, lambda: "✓ all 4 trained" in screen_text(app))
        assert "train" not in screen_text(app).splitlines()[-1]
    assert launcher.started == []
    assert (study.state.folder / STUDY_FILE).is_file()
    assert not (study.state.folder / OWNER_FILE).exists()


def test_looking_at_an_unfinished_study_starts_nothing() -> None:
    launcher = Launcher()
    first = OpenStudy(SPEC, runs_root(), engine(launcher))
    first.begin()
    trains(launcher.started[0])
    launcher.started[1].train(steps=20, end="stopped")
    first.close()
    study = OpenStudy(SPEC, runs_root(), engine(launcher))
    state = study.poll()
    assert study.idle
    assert [row.state for row in state.rows] == ["finished", "waiting", "waiting", "waiting"]
    assert len(launcher.started) == 2
    assert not (state.folder / OWNER_FILE).exists()


async def test_rows_are_sorted_by_a_column() -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        screen, _ = await opened(pilot, OpenStudy(SPEC, runs_root(), engine(Launcher(trains))))
        await pilot.press("space")
        await until(pilot, lambda: "✓ all 4 trained" in screen_text(app))
        screen.sort("train", True)
        assert [row.outcome.accuracy for row in screen.rows] == [0.95, 0.95, 0.1, 0.1]
        screen.sort("", False)
        assert [row.name for row in screen.rows] == [row.name for row in screen.study.state.rows]


async def test_study_file_is_opened_from_its_path(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(dumps(SPEC))
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        await lab_of(pilot)
        await pilot.press("S")
        await until(pilot, lambda: isinstance(app.screen, StudiesScreen))
        await pilot.press("ctrl+o")
        await pilot.pause()
        await until(pilot, lambda: isinstance(app.screen, OpenScreen))
        asked = app.screen.query_one(Input)
        asked.value = str(tmp_path / "gone.toml")
        await pilot.pause()
        assert "cannot be read" not in screen_text(app), "nothing was asked yet"
        await pilot.press("enter")
        await until(pilot, lambda: "cannot be read" in screen_text(app))
        asked.value = str(path)
        await pilot.pause()
        await pilot.press("enter")
        await until(pilot, lambda: "· space starts" in screen_text(app))


async def test_study_on_an_ascii_terminal_has_ascii_characters_only() -> None:
    app = GradtuiApp(terminal={"GRADTUI_CHARSET": "ascii"})
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(pilot, OpenStudy(SPEC, runs_root(), engine(Launcher(trains))))
        await pilot.press("space")
        await until(pilot, lambda: "+ all 4 trained" in screen_text(app))
        await pilot.pause(0.6)
        assert alien(app) == set()


# -- the gradients behind bars


def titles(screen: StudyScreen) -> list[str]:
    return [str(profile.border_title) for profile in drawn(screen)]


@pytest.mark.parametrize("size", SIZES)
async def test_gradients_of_bars_stand_side_by_side_in_ranked_order(size: tuple[int, int]) -> None:
    app = GradtuiApp()
    async with app.run_test(size=size) as pilot:
        screen = await profiled(pilot)
        text = screen_text(app)
        assert "cured: gradient of each layer at the newest step" in text
        assert "5 profiles, first seed · 2 of 2" in text
        assert all(len(line) == size[0] for line in text.splitlines())
        ranked = [one.change for one in screen.study.state.ranked]
        assert ranked[0] == "batch normalisation"
        ill = {"no cure", "ELU + LeCun initialisation"}
        wanted = [f"{'✖' if name in ill else '✓'} {name}" for name in ("no cure", *ranked)]
        assert titles(screen) == wanted[: len(titles(screen))]
        assert len({profile.chart.scale for profile in drawn(screen)}) == 1
        assert len({profile.size.height for profile in drawn(screen)}) == 1
        # Of the first seed: 9 decades over the 12 steps of 13 layers, norms per root of the layers' parameters.
        drop = -9.0 * 11 / 12 - np.log10(np.sqrt((64 * 16 + 16) / (16 * 16 + 16)))
        assert str(drawn(screen)[0].border_subtitle) == f"input ÷ output {ratio(drop)}"
        await pilot.press("m")
        await until(pilot, lambda: not drawn(screen) or not drawn(screen)[0].region.area)
        assert "cured: training accuracy" in screen_text(app)


async def test_cursor_pages_through_the_gradients_of_every_seed() -> None:
    app = GradtuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await profiled(pilot)
        for row in list(screen.rows):
            await pilot.pause()
            assert screen.rows[screen.at] is row
            marked = [str(one.border_title)[2:] for one in drawn(screen) if one.has_class("-chosen")]
            assert marked == [row.member.change]
            assert titles(screen)[0] == "✖ no cure"
            await pilot.press("down")


async def test_all_gradients_are_drawn_after_quick_resizes() -> None:
    app = GradtuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await profiled(pilot)
        await pilot.resize_terminal(200, 50)
        screen.choose(3)
        screen.choose(4)
        await until(pilot, lambda: len(titles(screen)) == 5)


def test_no_gradients_before_the_first_step_and_for_curves() -> None:
    launcher = Launcher()
    for spec in (BARS, SPEC):
        study = OpenStudy(spec, runs_root(), engine(launcher))
        assert profiles_of(study.poll()) == ()
    study = OpenStudy(SPEC, runs_root(), engine(Launcher(trains)))
    study.begin()
    while not study.poll().done:
        pass
    assert profiles_of(study.state) == ()


async def test_gradients_on_an_ascii_terminal_have_ascii_characters_only() -> None:
    app = GradtuiApp(terminal={"GRADTUI_CHARSET": "ascii"})
    async with app.run_test(size=(120, 36)) as pilot:
        await profiled(pilot)
        assert "X no cure" in screen_text(app)
        assert alien(app) == set()
