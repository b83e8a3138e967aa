"""Test the screen of all cures, driven by keys, with fake trainers."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.content import Content
from textual.pilot import Pilot

from gradtui.diagnosis.outcome import Outcome
from gradtui.experiment import load
from gradtui.runs.control import ControlReader
from gradtui.study.cure_study import cure_study
from gradtui.study.plan import Member
from gradtui.study.state import StudyRow
from gradtui.study.study import Study
from gradtui.ui.app import GradtuiApp
from gradtui.ui.screens.study.cures_screen import LOW_TABLE, CuresScreen
from gradtui.ui.screens.study.small_profiles import GradientProfile, SmallProfile, among, fitting
from gradtui.ui.screens.study.study_heads import in_room
from gradtui.ui.screens.study.study_tables import cure_columns
from gradtui.ui.widgets.row_table import RowTable, TableState
from gradtui.ui.widgets.table_columns import SIGNS, placed
from tests.support.lab import ASCII, SIZES, alien, lab_of, no_standby, screen_text, until
from tests.support.studies import Launcher, Trainer, failing_run, fixes, sigmoids

__all__ = ["no_standby"]

CURES = ["relu", "elu", "tanh-xavier"]


def unlike(trainer: Trainer) -> None:
    """Train so that each cure ends in another way."""
    match trainer.cure:
        case "relu":
            trainer.train(decades=0.3, learns=True, seconds=0.02)
        case "elu":
            (trainer.folder / "trainer.log").write_text("Killed by a meteorite\n")
            trainer.code = 1
        case "tanh-xavier":
            trainer.train(decades=7.0)
        case _:
            trainer.train()


async def shown(pilot: Pilot[None], study: Study) -> tuple[CuresScreen, list[Path | None]]:
    """Return the screen over the lab, and a list of what it returns."""
    answers: list[Path | None] = []
    await lab_of(pilot)
    screen = CuresScreen(study)
    pilot.app.push_screen(screen, answers.append)
    await until(pilot, lambda: bool(screen.rows))
    return screen, answers


@pytest.mark.parametrize("size", SIZES)
async def test_every_end_is_shown_in_numbers_with_the_baseline_profile_beside_the_cure(
    size: tuple[int, int],
) -> None:
    study = cure_study(failing_run(), CURES, jobs=2, start=Launcher(unlike))
    app = GradtuiApp()
    async with app.run_test(size=size) as pilot:
        screen, _ = await shown(pilot, study)
        await until(pilot, lambda: "done: 1 of 3 fix it" in screen_text(app))
        await until(pilot, lambda: bool(screen.query(SmallProfile)))
        await pilot.pause(0.1)
        text = screen_text(app)
        assert all(len(line) == size[0] for line in text.splitlines())
        assert "✖ vanishing  since step 1" in text
        lines = [line for line in text.splitlines() if line.startswith(("   ", " ▸ "))]
        assert [line.split()[0] for line in lines[1:5]] == ["no", "▸", "tanh", "ELU"]
        assert "✖ failing" in lines[1]
        for said in ("✓ fixed", "95.0%", "×2.00", "✓ none"):
            assert said in lines[2]
        assert "✖ not fixed" in lines[3]
        assert "2e-7" in lines[3]
        assert "✖ failed" in lines[4]
        assert "the trainer could not start: Killed by a meteorite"[: size[0] - 40] in lines[4]
        assert "fixed: vanishing gone" in text
        assert "why    ReLU's slope" in text
        drawn = [profile for profile in screen.query(SmallProfile) if profile.display]
        assert [str(profile.border_title) for profile in drawn[:2]] == [
            "✖ no cure",
            "✓ ReLU + He initialisation",
        ]
        assert len(drawn) == (2 if size == (80, 24) else 3)
        assert len({profile.chart.scale for profile in drawn}) == 1
        assert len({profile.size.height for profile in drawn}) == 1


def test_the_first_line_drops_its_key_rather_than_cut_a_word() -> None:
    told = Content.assemble("○ 10 trainings, about 20 s · ", ("space", "bold"), " starts")
    assert in_room(told, told.cell_length).plain == told.plain
    assert in_room(told, told.cell_length - 1).plain == "○ 10 trainings, about 20 s"
    assert in_room(Content("✖ nothing to compare"), 5).plain == "✖ nothing to compare"


@pytest.mark.parametrize("size", SIZES)
async def test_running_cure_has_a_bar_and_waiting_cures_say_so(size: tuple[int, int]) -> None:
    launcher = Launcher()
    app = GradtuiApp()
    async with app.run_test(size=size) as pilot:
        await shown(pilot, cure_study(failing_run(sigmoids(run__steps=120)), CURES, jobs=2, start=launcher))
        assert "◌ starting" in screen_text(app)
        await until(pilot, lambda: screen_text(app).count("waiting") == 2)
        launcher.started[0].train(steps=60, end=None)
        launcher.started[0].code = None
        await until(
            pilot, lambda: any("no cure" in line and "━" in line for line in screen_text(app).splitlines())
        )
        assert "● 0 of 3 cures trained" in screen_text(app)
        assert "stop all" in screen_text(app)


async def test_a_low_screen_lists_all_cures_where_the_gradients_have_no_room() -> None:
    app = GradtuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        study = cure_study(failing_run(sigmoids(run__steps=40)), jobs=2, start=Launcher(fixes))
        screen, _ = await shown(pilot, study)
        await until(pilot, lambda: "✓ done" in screen_text(app))
        await pilot.pause(0.1)
        assert len(screen.rows) > LOW_TABLE
        assert not any(profile.size for profile in screen.query(SmallProfile))
        table = screen.query_one(RowTable)
        for _ in screen.rows:
            assert table.size.height == 1 + len(screen.rows), "also while the cursor moves"
            await pilot.press("down")
        await pilot.resize_terminal(80, 23 - len(screen.rows) + LOW_TABLE)
        await until(pilot, lambda: table.size.height == LOW_TABLE)
        await pilot.resize_terminal(120, 36)
        await until(pilot, lambda: table.size.height == 1 + len(screen.rows))


async def test_chosen_cure_stays_chosen_when_its_place_changes_and_opens_its_run() -> None:
    launcher = Launcher()
    study = cure_study(failing_run(), CURES, jobs=4, start=launcher)
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        screen, answers = await shown(pilot, study)
        await until(pilot, lambda: len(launcher.started) == 4)
        await pilot.press("down", "j", "k", "down")
        assert screen.row is not None
        assert screen.row.key == "tanh-xavier"
        fixes(launcher.started[3])
        await until(pilot, lambda: screen.at == 1)
        assert screen.row.key == "tanh-xavier"
        await pilot.press("enter")
        await until(pilot, lambda: answers == [launcher.started[3].folder])


async def test_best_cure_is_chosen_before_the_person_chooses() -> None:
    launcher = Launcher()
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        screen, _ = await shown(pilot, cure_study(failing_run(), CURES, jobs=4, start=launcher))
        await until(pilot, lambda: len(launcher.started) == 4)
        fixes(launcher.started[2])
        await until(pilot, lambda: screen.row is not None and screen.row.key == "elu")


async def test_waiting_cure_has_no_run_to_open() -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        screen, answers = await shown(pilot, cure_study(failing_run(), CURES, jobs=1, start=Launcher()))
        await pilot.press("end", "enter")
        await pilot.pause()
        assert screen.row is not None
        assert screen.row.state == "waiting"
        assert answers == []


async def test_cures_continue_when_the_screen_is_left_and_it_can_be_opened_again() -> None:
    launcher = Launcher()
    study = cure_study(failing_run(), CURES, jobs=1, start=launcher)
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        _, answers = await shown(pilot, study)
        await pilot.press("escape")
        await until(pilot, lambda: answers == [None])
        for _ in range(4):
            await until(pilot, lambda: bool(launcher.running))
            fixes(launcher.running[0])
        await until(pilot, lambda: study.state.done)
        await shown(pilot, study)
        await until(pilot, lambda: "done: 3 of 3 fix it" in screen_text(app))


async def test_x_stops_the_running_cures() -> None:
    launcher = Launcher()
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        await shown(pilot, cure_study(failing_run(), CURES, jobs=2, start=launcher))
        await until(pilot, lambda: len(launcher.started) == 2)
        await pilot.press("x")
        await until(pilot, lambda: "■ stopped" in screen_text(app))
        for trainer in launcher.started:
            assert [command.name for command in ControlReader(trainer.folder).poll()] == ["stop"]
            trainer.train(steps=20, end="stopped")
        await until(pilot, lambda: "stopped: 0 of 0 fix it" in screen_text(app))
        await until(pilot, lambda: "stop all" not in screen_text(app))


async def test_s_saves_the_experiment_of_the_chosen_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        await shown(pilot, cure_study(failing_run(), CURES, jobs=2, start=Launcher()))
        await pilot.press("s")
        await pilot.pause()
        await pilot.press("enter")
        await until(pilot, lambda: (tmp_path / "sigmoids-relu.toml").exists())
        assert load(tmp_path / "sigmoids-relu.toml").net[0].activation == "relu"


async def test_click_chooses_a_cure_and_a_second_click_opens_it() -> None:
    launcher = Launcher(fixes)
    study = cure_study(failing_run(), CURES, jobs=2, start=launcher)
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        screen, answers = await shown(pilot, study)
        await until(pilot, lambda: study.state.done)
        await pilot.pause(0.3)
        await pilot.click(RowTable, offset=(10, 1))
        assert screen.row is not None
        assert screen.row.key == ""
        await pilot.click(RowTable, offset=(10, 1))
        await until(pilot, lambda: answers == [launcher.started[0].folder])


async def test_nothing_to_compare_is_explained_in_one_line() -> None:
    app = GradtuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await lab_of(pilot)
        app.push_screen(CuresScreen(cure_study(failing_run(decades=0.3, learns=True), start=Launcher())))
        await until(pilot, lambda: "no problem was found, so there is nothing to cure" in screen_text(app))
        await pilot.press("down", "enter", "s", "escape")
        await lab_of(pilot)


async def test_ascii_terminal_gets_ascii_characters_only() -> None:
    app = GradtuiApp(terminal=ASCII)
    async with app.run_test(size=(120, 36)) as pilot:
        await shown(pilot, cure_study(failing_run(), CURES, jobs=2, start=Launcher(unlike)))
        await until(pilot, lambda: "done: 1 of 3 fix it" in screen_text(app))
        assert not alien(app)


# -- what fits


@pytest.mark.parametrize("width", [78, 98, 118, 198])
def test_the_longest_name_and_all_numbers_of_a_cure_fit_under_their_heads(width: int) -> None:
    columns = cure_columns()
    table = RowTable[StudyRow](columns, marks=False)
    outcome = Outcome(("vanishing",), 60, 2.3026, 0.1, 0.1, -12.25, 0.01)
    name = "pretraining by Boltzmann machines"
    member = Member("pretrain-rbm", name, name, (), 0, sigmoids())
    row = StudyRow(member=member, state="finished", outcome=outcome, price=123.4)
    table._shown = TableState((row,))
    shown = placed(columns, width, SIGNS // 2)
    head, line = (table._line(y, shown, width)[0] for y in (0, 1))
    assert head.cell_length == line.cell_length == width
    assert head.plain.index("found") == line.plain.index("vanishing")
    assert [one.column.key for one in shown if one.column.key != "test"] == [
        "name",
        "state",
        "train",
        "loss",
        "in÷out",
        "time",
        "found",
    ]


@pytest.mark.parametrize(
    ("width", "height", "wanted", "grid"),
    [
        (80, 7, 9, (2, 1)),
        (80, 6, 9, (0, 0)),
        (120, 20, 9, (3, 2)),
        (200, 30, 9, (5, 2)),
        (200, 30, 2, (2, 1)),
        (30, 30, 2, (0, 0)),
    ],
)
def test_grid_has_as_many_profiles_as_can_be_read(
    width: int, height: int, wanted: int, grid: tuple[int, int]
) -> None:
    assert fitting(width, height, wanted) == grid


@pytest.mark.parametrize(
    ("count", "chosen", "shown"),
    [
        (9, "s", "sabcdef"),
        (2, "s", "sa"),
        (2, "d", "sd"),
        (4, "c", "sabc"),
        (4, "d", "sdef"),
        (5, "e", "scdef"),
        (1, "d", "d"),
        (4, "not started", "sabc"),
        (0, "s", ""),
    ],
)
def test_first_profile_stands_beside_the_page_of_the_chosen_one(count: int, chosen: str, shown: str) -> None:
    given = [GradientProfile((key, key.upper()), key) for key in "sabcdef"]
    for key in {chosen, chosen.upper()}:
        assert "".join(one.name for one in among(given, count, key)) == shown
