"""Test that every key is listed with its action, and that every action of a key is in the command palette."""

from __future__ import annotations

import io
import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text
from textual.actions import parse
from textual.binding import Binding
from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.widgets import Input

from gradtui.experiment import resolve
from gradtui.ui.app import GradtuiApp
from gradtui.ui.edit.field_list import FieldList
from gradtui.ui.key_actions import key_actions
from gradtui.ui.keys import LAB_KEYS
from gradtui.ui.screens.help import KeysScreen, KeyTable, SideBySide
from gradtui.ui.screens.lab.model_pane import ModelPane
from tests.support.lab import lab_of, no_standby, screen_text, until
from tests.ui.conftest import MakeRun

__all__ = ["no_standby"]


async def keys_shown(pilot: Pilot[None]) -> KeysScreen:
    """Press ?, and wait for the list."""
    app = pilot.app
    await pilot.press("question_mark")
    await until(pilot, lambda: isinstance(app.screen, KeysScreen) and app.screen.is_mounted)
    await pilot.pause(0.1)
    assert isinstance(app.screen, KeysScreen)
    return app.screen


def listed(screen: KeysScreen) -> dict[str, str]:
    """Return what the list says each key does, whether or not it is in view."""
    return {
        " ".join(action.keys): action.description
        for table in screen.query(KeyTable)
        for action in table.actions
    }


async def test_the_focused_panes_words_and_keys_come_first() -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        lab.query_one(ModelPane).focus()
        await pilot.pause()
        screen = await keys_shown(pilot)
        text = screen_text(app)
        assert text.index("Most used") < text.index("The groups of blocks, from input to output.")
        assert text.index("from input to output.") < text.index("duplicate")
        tables = list(screen.query(KeyTable))
        assert [table.group_title for table in tables] == [
            "Most used", "", "This screen", "Moving", "Everywhere",
        ]  # fmt: skip
        assert [action.description for action in tables[0].actions][:2] == ["train", "check at init"]
        assert "page left" not in {action.description for table in tables for action in table.actions}


async def test_a_key_of_the_list_shows_what_the_words_mean_and_the_keys_again() -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        await lab_of(pilot)
        await keys_shown(pilot)
        await pilot.press("w")
        await until(pilot, lambda: "vanishing, exploding: on its way each layer" in screen_text(app))
        assert "Most used" not in screen_text(app)
        await pilot.press("w")
        await until(pilot, lambda: "Most used" in screen_text(app))


async def test_keys_that_do_the_same_stand_together() -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        lab.query_one(ModelPane).focus()
        await pilot.pause()
        keys = listed(await keys_shown(pilot))
        assert keys["↑ k"] == "up", "the one has no description, the other is Textual's own"
        assert keys["← h"] == "fewer blocks"
        assert keys["K shift+↑"] == "move up"
        await pilot.press("end")
        await until(pilot, lambda: "↑ k" in screen_text(app))


@given(
    entries=st.lists(st.tuples(st.text("abc+ ↑", max_size=9), st.text("xyz ", max_size=14)), max_size=12),
    width=st.integers(26, 60),
)
def test_an_entry_of_the_keys_that_move_is_never_broken(entries: list[tuple[str, str]], width: int) -> None:
    texts = [f"<{keys} {word}>" for keys, word in entries]
    console = Console(width=width, file=io.StringIO())
    lines = [
        "".join(part.text for part in line) for line in console.render_lines(SideBySide([*map(Text, texts)]))
    ]
    assert [part for line in lines for part in re.findall("<.*?>", line)] == texts
    for line, after in itertools.pairwise(lines):
        first = re.match("<.*?>", after)
        assert first is not None
        assert len(line.rstrip()) + SideBySide.GAP + len(first[0]) > width, "a line ends where it is full"


async def test_all_keys_of_the_lab_are_listed_hidden_ones_and_their_tooltips_too(make_run: MakeRun) -> None:
    app = GradtuiApp(attach=make_run())
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: lab.followed is not None and lab.followed.snapshot is not None)
        await pilot.pause()
        expected = {
            binding.description
            for binding in LAB_KEYS
            if isinstance(binding, Binding)
            and (app if parse(binding.action)[0] == "app" else lab).check_action(*parse(binding.action)[1:])
            is not False
        }
        screen = await keys_shown(pilot)
        actions = [action for table in screen.query(KeyTable) for action in table.actions]
        assert expected <= {action.description for action in actions}
        assert {"undo edit", "redo edit", "save experiment", "find", "full screen", "quit", "keys"} <= {
            action.description for action in actions
        }
        assert next(d for d in actions if d.description == "undo edit").tooltip == "Undo the last edit."


@pytest.mark.parametrize("key", ["question_mark", "escape", "q"])
async def test_it_is_closed_by_the_key_that_opened_it_and_by_escape(key: str) -> None:
    app = GradtuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        lab = await lab_of(pilot)
        await keys_shown(pilot)
        await pilot.press(key)
        await until(pilot, lambda: app.screen is lab)


@pytest.mark.parametrize("size", [(80, 24), (40, 12), (200, 50)])
async def test_it_fits_and_scrolls_to_the_last_key(size: tuple[int, int]) -> None:
    app = GradtuiApp()
    async with app.run_test(size=size) as pilot:
        await lab_of(pilot)
        await keys_shown(pilot)
        await pilot.press("j", "k", "end")
        await until(pilot, lambda: "palette" in screen_text(app))
        assert all(len(line) == size[0] for line in screen_text(app).splitlines())


async def test_a_dialog_has_a_list_of_its_own_and_one_may_type_a_question_mark() -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        await lab_of(pilot)
        await pilot.press("o")
        await until(pilot, lambda: type(app.screen).__name__ == "SettingsScreen")
        dialog = app.screen
        keys = listed(await keys_shown(pilot))
        assert "type a value" in keys.values()
        assert "done" in keys.values()
        assert "train" not in keys.values(), "the dialog has the keys of the lab beneath it"
        await pilot.press("question_mark")
        await until(pilot, lambda: app.screen is dialog)
        await pilot.press("escape", "s")
        await until(pilot, lambda: type(app.screen).__name__ == "SaveScreen")
        await pilot.press("question_mark")
        assert app.screen.query_one(Input).value == "?"


async def test_keys_for_all_screens_wait_for_the_lab() -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        app.action_toggle_keys()
        await until(pilot, lambda: isinstance(app.screen, KeysScreen))
        assert app.lab in app.screen_stack, "and not beneath it"
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        app.action_command_palette()
        await until(pilot, lambda: isinstance(app.screen, CommandPalette))
        assert app.lab in app.screen_stack
        # It looks for its list of commands, which must not be gone with the test.
        await until(pilot, lambda: bool(app.screen.query("CommandList")))
        await app.screen.workers.wait_for_complete()


async def choose(pilot: Pilot[None], words: str) -> None:
    """Find a command in the palette and run it."""
    app = pilot.app
    await pilot.press("ctrl+p")
    await until(pilot, lambda: isinstance(app.screen, CommandPalette))
    app.screen.query_one(Input).value = words
    await pilot.pause(0.3)
    await pilot.press("enter")
    await until(pilot, lambda: not isinstance(app.screen, CommandPalette))


async def test_the_palette_does_what_the_focused_pane_can_do() -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        lab.query_one(ModelPane).focus()
        await choose(pilot, "duplicate")
        await until(pilot, lambda: len(lab.workbench.experiment.net) == 2)
        lab.query_one(FieldList).focus()
        await pilot.press("down")
        await choose(pilot, "more")
        await until(pilot, lambda: lab.workbench.experiment.optimizer.lr == 0.002)
        await choose(pilot, "undo")
        await until(pilot, lambda: lab.workbench.experiment.optimizer == resolve("sigmoid-20").optimizer)


async def test_the_palette_offers_everything_once_and_says_its_keys(make_run: MakeRun) -> None:
    app = GradtuiApp(attach=make_run())
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        for pane in lab.panes():
            pane[1].focus()
            await pilot.pause()
            commands = list(app.get_system_commands(lab))
            titles = [command.title for command in commands]
            assert [title for title in titles if titles.count(title) > 1] == []
            assert [command.title for command in commands if not command.help.endswith(".")] == []
            for _, actions in key_actions(lab):
                for action in actions:
                    if action.enabled and not action.moves and action.action != "command_palette":
                        name = action.description.lower()
                        said = [c.help for c in commands if c.title.lower().rpartition(": ")[2] == name]
                        assert any("".join(action.keys)[:1] in one for one in said)
            # Whichever pane has the focus, the actions of the others are found too, by what they concern.
            assert {"Net: add", "Loss: smooth", "Accuracy: log", "Gradients: zoom time"} <= set(titles)
        assert {"Theme", "Characters: ASCII only", "Screenshot", "Keys"} <= set(titles)
        assert "Maximize" not in titles, "fill does that"


async def test_what_looks_like_markup_in_a_key_is_no_markup(make_run: MakeRun) -> None:
    app = GradtuiApp(attach=make_run())
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: "times weaker" in screen_text(app))
        await pilot.press("2")
        await pilot.pause()
        assert lab.focused is not None
        await pilot.press("ctrl+p", *"zoom time")
        await until(pilot, lambda: "]  Show a shorter stretch of time; [ shows" in screen_text(app))


async def test_a_picture_of_the_screen_lies_in_this_folder(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # type: ignore[arg-type]
    app = GradtuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await lab_of(pilot)
        await choose(pilot, "screenshot")
        await until(pilot, lambda: any("Saved" in toast.message for toast in app._notifications))
    assert list(tmp_path.glob("*.svg"))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("words", "shown"), [("preset plain-57", "plain-57"), ("study degradation", "○ 30 trainings")]
)
async def test_the_palette_opens_presets_and_studies_by_their_names(words: str, shown: str) -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        await lab_of(pilot)
        await choose(pilot, words)
        await until(pilot, lambda: shown in screen_text(app).splitlines()[0])
