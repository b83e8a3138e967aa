"""Test the picture of what a net computes, on the screens, in reports, and in runs without it or damaged ones."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from gradtui.experiment import resolve
from gradtui.report.share import share_runs
from gradtui.runs.errors import RunError
from gradtui.runs.export.sheets import sheets_of
from gradtui.runs.plane import read_plane, read_units
from gradtui.runs.reader import open_run
from gradtui.ui.app import GradtuiApp
from gradtui.ui.key_actions import key_actions
from gradtui.ui.screens.layer.layer_screen import LayerScreen
from gradtui.ui.widgets.plane_chart import PlaneChart
from gradtui.ui.widgets.waterfall import Waterfall
from tests.support.lab import SIZES, alien, lab_of, no_standby, screen_text, until
from tests.support.planes import write_plane_run
from tests.ui.conftest import MakeRun

__all__ = ["no_standby"]


@pytest.mark.parametrize("size", SIZES)
async def test_a_key_shows_it_goes_through_time_and_leads_to_the_units(size: tuple[int, int]) -> None:
    app = GradtuiApp(attach=write_plane_run())
    async with app.run_test(size=size) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: bool(lab.query(Waterfall)) and lab.followed.has_plane)
        await until(pilot, lambda: "D what it computes" in screen_text(app))
        await pilot.press("D")
        await until(
            pilot, lambda: "100% of the points shown lie in the region of their class" in screen_text(app)
        )
        assert "What the net computes" in screen_text(app)
        assert "class 0: 50% of the plane" in screen_text(app)
        assert "step 60" in screen_text(app)
        assert not lab.query(Waterfall)
        for step in (50, 40, 30):
            await pilot.press("up")
            await until(pilot, lambda: lab.followed.data.plane.step == step)  # noqa: B023
        await until(pilot, lambda: "every place gets class 1: the net ignores its input" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: "100% of the points" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, LayerScreen))
        await until(pilot, lambda: "from 0 (faint) to 3 (strong)" in screen_text(app))
        await pilot.press("end")
        await until(pilot, lambda: "from 0 (faint) to 13 (strong)" in screen_text(app))
        assert "unit 1" in screen_text(app)
        await pilot.press("D")
        await until(pilot, lambda: "Gradient of each weight, by size" in screen_text(app))
        await pilot.press("escape", "D")
        await until(pilot, lambda: bool(lab.query(Waterfall)))
        assert "Gradient of each layer" in screen_text(app)


async def test_without_colours_and_in_ascii_it_is_drawn_with_characters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = GradtuiApp(attach=write_plane_run())
    async with app.run_test(size=(80, 24)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: bool(lab.query(Waterfall)) and lab.followed.has_plane)
        await pilot.press("D")
        await until(pilot, lambda: "····▒▒▒▒" in screen_text(app))
        assert "··0 class 0" in screen_text(app)
        app.ascii = True
        await until(pilot, lambda: "....::::" in screen_text(app) or "....++++" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: "unit 2" in screen_text(app))
        assert not alien(app)


async def test_a_second_run_stands_beside_it_and_a_new_one_keeps_it() -> None:
    first, second = write_plane_run(), write_plane_run(30)
    app = GradtuiApp(attach=first)
    async with app.run_test(size=(160, 45)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: bool(lab.query(Waterfall)) and lab.followed.has_plane)
        await pilot.press("D")
        await until(pilot, lambda: bool(lab.query(PlaneChart)))
        lab.open_run(second, against=first)
        await until(pilot, lambda: "without the cure" in screen_text(app))
        assert "this run" in screen_text(app)
        assert "every place gets class 1" in screen_text(app)


async def test_the_key_says_why_it_can_do_nothing(make_run: MakeRun) -> None:
    app = GradtuiApp(attach=make_run(resolve("spirals-sigmoid")))
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: bool(lab.query(Waterfall)))
        assert "what it computes" not in screen_text(app)
        assert all(one.action != "plane" for _, actions in key_actions(app.screen) for one in actions)
        await pilot.press("D")
        await until(pilot, lambda: "needs data whose points lie in a plane" in screen_text(app))
        assert lab.query(Waterfall)


def test_an_older_run_has_none_and_a_part_of_one_is_read_as_far_as_it_goes(make_run: MakeRun) -> None:
    old = open_run(make_run(resolve("spirals-sigmoid")))
    assert read_plane(old) is None
    assert read_units(old, 0) is None
    folder = write_plane_run()
    content = (folder / "plane.f32").read_bytes()
    (folder / "plane.f32").write_bytes(content[: len(content) * 5 // 12])
    run = open_run(folder)
    plane = read_plane(run)
    assert plane is not None
    assert plane.steps == (10, 20)
    (folder / "plane.f32").unlink()
    (folder / "unit_planes.f32").unlink()
    assert read_plane(run) is None
    assert read_units(run, 0) is None
    assert run.status.step == 60


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("low", [2.0, 0.0], "plane: no coordinates lie between 2 and 1"),
        ("high", ["inf", 2.0], "plane.high"),
        ("side", 0, "plane.side"),
        ("side", 13, "tables.plane.width: 144 is not a multiple of 13 × 13"),
        ("x", [0.0], "plane: its points need one x, one y and one answer each"),
        ("classes", 1e9, "plane.classes"),
    ],
)
def test_a_wrong_description_is_one_line_that_names_the_field(field: str, value: object, said: str) -> None:
    folder = write_plane_run()
    meta = json.loads((folder / "run.json").read_text())
    meta["plane"][field] = value
    (folder / "run.json").write_text(json.dumps(meta))
    with pytest.raises(RunError) as error:
        open_run(folder)
    assert said.replace("plane.", "") in str(error.value) or said in str(error.value)
    assert "\n" not in str(error.value)


def test_other_numbers_of_classes_than_the_table_has_are_no_picture() -> None:
    folder = write_plane_run()
    meta = json.loads((folder / "run.json").read_text())
    meta["plane"]["classes"] = 3
    (folder / "run.json").write_text(json.dumps(meta))
    assert read_plane(open_run(folder)) is None


def test_a_report_has_the_first_and_the_last_picture(tmp_path: Path) -> None:
    folder = write_plane_run()
    for name in ("page.html", "page.md"):
        share_runs([folder], tmp_path / name)
        page = (tmp_path / name).read_text()
        assert "What the net computes" in page
        assert "At step 10" in page
        assert "At step 60" in page
        assert re.search(r"100(\.0)? ?% of the 3 training points", page)
    assert (tmp_path / "page.html").read_text().count("<circle") >= 12
    assert "······▒" in (tmp_path / "page.md").read_text()
    assert not {"plane", "unit_planes"} & {sheet.name for sheet in sheets_of(open_run(folder))}
