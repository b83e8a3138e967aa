"""Test the list of runs, driven by keys, on folders that are on disk."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from gradtui import words
from gradtui.experiment import resolve, set_fields
from gradtui.runs import trash
from gradtui.runs.control import ControlReader
from gradtui.runs.filter import FilterError, parse_filter
from gradtui.runs.folder import runs_root
from gradtui.runs.label import Label, read_label, write_label, write_note
from gradtui.runs.library import list_runs
from gradtui.runs.reader import open_run
from gradtui.ui.app import GradtuiApp
from gradtui.ui.screens.lab.findings_pane import FindingsPane
from gradtui.ui.screens.lab.lab_screen import LabScreen
from gradtui.ui.screens.runs.runs_screen import RunsScreen
from gradtui.ui.widgets.row_table import RowTable
from tests.support.lab import SIZES, alien, lab_of, no_standby, screen_text, until
from tests.ui.conftest import MakeRun

__all__ = ["no_standby"]


def named(name: str, **changes: object) -> object:
    return set_fields(resolve("sigmoid-20"), {"name": name, **changes})


@pytest.fixture
def three(make_run: MakeRun) -> list[Path]:
    """The oldest first."""
    return [
        make_run(named("alpha"), decades=12.0),
        make_run(named("beta", **{"optimizer.lr": 0.5}), decades=0.0, steps=30),
        make_run(named("gamma"), nan_from=5, end="diverged"),
    ]


async def opened(pilot: Pilot[None], runs: int) -> RunsScreen:
    await lab_of(pilot)
    await pilot.press("r")
    await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))
    screen = pilot.app.screen
    assert isinstance(screen, RunsScreen)
    await until(pilot, lambda: len(screen.listing.runs) == runs)
    await pilot.pause()
    return screen


def names(screen: RunsScreen) -> list[str]:
    return [run.name for run in screen.listing.rows]


async def typed(pilot: Pilot[None], text: str) -> None:
    if not pilot.app.screen.query_one(Input).has_focus:
        await pilot.press("slash")
    pilot.app.screen.query_one(Input).value = text
    await pilot.pause()


@pytest.mark.parametrize("size", SIZES)
async def test_every_run_is_there_with_its_figures(size: tuple[int, int], three: list[Path]) -> None:
    app = GradtuiApp()
    async with app.run_test(size=size) as pilot:
        await opened(pilot, 3)
        lines = screen_text(app).splitlines()
        assert all(len(line) == size[0] for line in lines)
        head, newest, middle, oldest = lines[2:6]
        for column in ("state", "name", "findings", "depth", "test", "started"):
            assert column in head
        # The names need the room of the steps on a narrow terminal.
        assert ("step" in head) == (size[0] >= 120)
        assert newest.startswith(" ▸   ✖ diverged")
        assert ["gamma" in newest, "beta" in middle, "alpha" in oldest] == [True] * 3
        assert ["21" in middle.split(), "30" in middle.split()] == [True, size[0] >= 120]
        assert three[2].name in lines[-2]
        if size[0] >= 120:
            assert "×" * 16 in newest
            assert "▇" * 16 in middle
            (bars,) = re.findall("[▁▂▃▄▅▆▇]+", oldest)
            assert (len(bars), bars[0], bars[-1]) == (16, "▁", "▇")
            assert bars == "".join(sorted(bars))


async def test_enter_opens_the_run_under_the_cursor(three: list[Path]) -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(pilot, 3)
        await pilot.press("down", "j", "k", "enter")
        await until(pilot, lambda: isinstance(app.screen, LabScreen) and app.screen.followed is not None)
        assert app.lab is not None
        assert app.lab.followed is not None
        assert app.lab.followed.folder == three[1]


async def test_a_damaged_run_is_not_called_a_script_and_says_first_what_is_wrong(three: list[Path]) -> None:
    (three[2] / "run.json").write_text("{nonsense")
    app = GradtuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, 3)
        await until(pilot, lambda: f"{three[2].name}  cannot be read" in screen_text(app))
        assert "\n run.json: not a run" in screen_text(app)


async def test_a_filter_is_live_its_errors_are_said_and_escape_takes_it_back(three: list[Path]) -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot, 3)
        await pilot.press("slash", "s", "t", "a", "t", "u", "s", "colon", "d", "i")
        await pilot.pause()
        assert names(screen) == ["gamma"]
        assert "1 of 3" in screen_text(app)
        await typed(pilot, "optimizer.lr>0.1")
        await until(pilot, lambda: names(screen) == ["beta"])
        await typed(pilot, "optimizer.lr>")
        await until(pilot, lambda: "optimizer.lr>: the value of optimizer.lr is missing" in screen_text(app))
        assert names(screen) == ["beta"]
        assert not screen.query_one("#hint").has_class("-bad"), "a word that is typed is no error"
        await pilot.press("enter")
        await until(pilot, lambda: screen.query_one("#hint").has_class("-bad"))
        # A long error is told to its end.
        await typed(pilot, "unheard=1")
        with pytest.raises(FilterError) as refused:
            parse_filter("unheard=1")
        await until(pilot, lambda: str(refused.value) in " ".join(screen_text(app).split()))
        await typed(pilot, "nothing")
        await until(pilot, lambda: "No run matches" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: names(screen) == ["gamma", "beta", "alpha"])
        # Keys are the list's again.
        await pilot.press("space")
        assert screen.listing.marked == {three[2]}
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, LabScreen))


async def test_sorted_by_any_column_by_keys_and_by_its_head(three: list[Path]) -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot, 3)
        await pilot.press("O")
        assert names(screen) == ["alpha", "beta", "gamma"]
        line = screen_text(app).splitlines()[2]
        await pilot.click(RowTable, offset=(line.index("name"), 0))
        await pilot.pause()
        assert names(screen) == ["alpha", "beta", "gamma"]
        await pilot.click(RowTable, offset=(line.index("name"), 0))
        await pilot.pause()
        assert names(screen) == ["gamma", "beta", "alpha"]
        await pilot.press("right")
        assert screen.listing.by == "gradient"
        # From the most vanishing on; what is not a number has no place among them.
        assert names(screen) == ["alpha", "beta", "gamma"]
        await pilot.press("left", "left")
        assert screen.listing.by == "state"


async def test_the_cursor_stays_with_its_run_when_another_appears(
    three: list[Path], make_run: MakeRun
) -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot, 3)
        await pilot.press("down")
        make_run(named("delta"))
        await until(pilot, lambda: len(screen.listing.runs) == 4)
        assert screen.listing.here is not None
        assert screen.listing.here.name == "beta"
        assert screen.listing.at == 2


async def test_a_run_gets_a_name_and_the_lab_says_it(three: list[Path]) -> None:
    app = GradtuiApp(attach=three[2])
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot, 3)
        await pilot.press("n", *["backspace"] * 5, *"cursed", "enter")
        await until(pilot, lambda: "cursed" in names(screen))
        assert read_label(three[2]).name == "cursed"
        await pilot.press("escape")
        await until(pilot, lambda: "cursed" in screen_text(app).splitlines()[0])


async def test_tags_of_several_come_and_go_together_and_others_stay(three: list[Path]) -> None:
    write_label(three[0], Label(tags=("common", "own")))
    write_label(three[1], Label(tags=("common",)))
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot, 3)
        await pilot.press("down", "space", "space", "number_sign")
        await pilot.pause()
        asked = app.screen.query_one(Input)
        assert asked.value == "common "
        asked.value = "bad*tag"
        await pilot.pause()
        assert "a tag cannot contain" not in screen_text(app), "half a word is not an error"
        await pilot.press("enter")
        await pilot.pause()
        assert "a tag cannot contain" in screen_text(app)
        asked.value = "paper"
        await pilot.pause()
        assert "a tag cannot contain" not in screen_text(app)
        await pilot.press("enter")
        await until(pilot, lambda: read_label(three[0]).tags == ("own", "paper"))
        assert read_label(three[1]).tags == ("paper",)
        assert read_label(three[2]).tags == ()
        await until(pilot, lambda: "#own #paper" in screen_text(app))
        await typed(pilot, "tag:paper")
        await until(pilot, lambda: names(screen) == ["beta", "alpha"])


async def test_deleted_runs_return(three: list[Path]) -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        screen = await opened(pilot, 3)
        assert "restore" not in screen_text(app).splitlines()[-1]
        await pilot.press("space", "space", "backspace")
        await until(pilot, lambda: names(screen) == ["alpha"])
        assert [info.name for info in list_runs()] == ["alpha"]
        await until(pilot, lambda: "u restores" in screen_text(app))
        await until(pilot, lambda: "u restore " in screen_text(app).splitlines()[-1])
        await pilot.press("backspace")
        await until(pilot, lambda: "No runs yet" in screen_text(app))
        await pilot.press("u")
        await until(pilot, lambda: names(screen) == ["alpha"])
        await pilot.press("u")
        await until(pilot, lambda: names(screen) == ["gamma", "beta", "alpha"])
        await until(pilot, lambda: "restore" not in screen_text(app).splitlines()[-1])
        assert not any("u restores" in toast.message for toast in app._notifications)
        await pilot.press("u")
        await until(pilot, lambda: "nothing was deleted" in screen_text(app))


async def test_the_run_on_the_screen_stays_there_when_it_is_deleted_and_returns(
    three: list[Path],
) -> None:
    app = GradtuiApp(attach=three[2])
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: "diverged" in screen_text(app))
        screen = await opened(pilot, 3)
        await pilot.press("backspace")
        await until(pilot, lambda: len(screen.listing.runs) == 2)
        await pilot.press("escape")
        await until(pilot, lambda: "deleted · r, then u restores it" in screen_text(app))
        assert lab.followed is not None
        assert lab.followed.snapshot.step == 60
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        await pilot.press("u", "escape")
        await until(pilot, lambda: "diverged" in screen_text(app).splitlines()[0])


async def test_a_live_run_is_stopped_before_it_can_be_deleted(make_run: MakeRun) -> None:
    folder = make_run(named("alive"), end=None)
    app = GradtuiApp()
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await opened(pilot, 1)
        await pilot.press("backspace")
        await until(pilot, lambda: "still training: x stops it first" in screen_text(app))
        assert trash.count(runs_root()) == 0
        await pilot.press("x")
        await until(pilot, lambda: "stopping 1 run" in screen_text(app))
        assert [command.name for command in ControlReader(folder).poll()] == ["stop"]


async def test_marked_runs_are_written_as_one_page(three: list[Path], tmp_path: Path) -> None:
    app = GradtuiApp()
    async with app.run_test(size=(100, 30)) as pilot:
        await opened(pilot, 3)
        await pilot.press("asterisk", "W")
        await until(pilot, lambda: "Write a report" in screen_text(app))
        app.screen.query_one(Input).value = "page.pdf"
        await pilot.press("enter")
        await until(pilot, lambda: "the name of a page has to end in .html or .md" in screen_text(app))
        app.screen.query_one(Input).value = str(tmp_path / "page.html")
        await pilot.press("enter")
        await until(pilot, lambda: (tmp_path / "page.html").exists())
        await until(pilot, lambda: any("Saved" in told.message for told in app._notifications))
    text = (tmp_path / "page.html").read_text()
    assert "Comparison" in text
    assert all(open_run(folder).name in text for folder in three)


async def test_a_folder_without_runs_says_what_to_do() -> None:
    app = GradtuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, 0)
        await until(pilot, lambda: "No runs yet" in screen_text(app))
        await pilot.press("enter", "space", "backspace", "n", "number_sign", "C", "Y")
        await pilot.pause()
        assert isinstance(app.screen, RunsScreen)


async def test_ascii_only(three: list[Path]) -> None:
    app = GradtuiApp(terminal={"GRADTUI_CHARSET": "ascii"})
    async with app.run_test(size=(200, 50)) as pilot:
        await opened(pilot, 3)
        assert alien(app) == set()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "–"),
        (0.257, "0.26 s"),
        (1.04, "1.0 s"),
        (59.6, "60 s"),
        (100, "1.7 min"),
        (86400, "24 h"),
        (3e5, "3.5 d"),
    ],
)
def test_durations_in_the_list_are_short(seconds: float | None, said: str) -> None:
    assert words.duration(seconds) == said


def test_blocks_fall_by_decades_from_the_largest() -> None:
    inf, nan = float("inf"), float("nan")
    assert words.blocks([-20.0, -7.9, -4.0, 0.0]) == "▁▁▄▇"
    assert words.blocks([5.0, 5.0]) == "▇▇"
    assert words.blocks([nan, inf, -inf, 2.0]) == "×∞0▇"
    assert words.blocks([]) == ""


async def test_a_note_is_written_in_the_list_and_in_the_lab_and_is_found(three: list[Path]) -> None:
    """The key edits the note that its script or a person gave; a note of several lines keeps them."""
    folder = three[2]
    write_note(folder, "first\x1b line\nsecond line")
    app = GradtuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, 3)
        await until(pilot, lambda: "first line ⏎ second line" in screen_text(app), 15)
        await pilot.press("quotation_mark")
        await until(pilot, lambda: len(app.screen.query(Input)) == 1)
        assert app.screen.query_one(Input).value == "first line ⏎ second line"
        await pilot.press(*" with clip", "enter")
        await until(pilot, lambda: open_run(folder).note == "first line\nsecond line with clip")
        await until(pilot, lambda: screen.listing.rows[0].note.endswith("clip"))
        await typed(pilot, "note:*with?clip*")
        assert names(screen) == ["gamma"]
        await pilot.press("enter", "enter")
        await until(pilot, lambda: isinstance(app.screen, LabScreen))
        lab = app.screen
        assert isinstance(lab, LabScreen)
        await until(pilot, lambda: lab.followed is not None and lab.followed.outcome is not None)
        await pilot.press("4")
        pane = lab.query_one(FindingsPane)
        await until(pilot, lambda: "note  first line\nsecond line with clip" in str(pane._written))
        await pilot.press("quotation_mark")
        await until(pilot, lambda: len(app.screen.query(Input)) == 1)
        app.screen.query_one(Input).value = "x" * 2001
        await pilot.press("enter")
        await until(pilot, lambda: "at most 2,000 characters" in screen_text(app))
        app.screen.query_one(Input).value = ""
        await pilot.press("enter")
        await until(pilot, lambda: open_run(folder).note == "")
        await until(pilot, lambda: "note  " not in str(pane._written))
