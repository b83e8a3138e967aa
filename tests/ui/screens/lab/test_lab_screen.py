"""Test the lab, driven by keys, on run folders that are on disk."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from textual.content import Content
from textual.widgets import Input

from gradtui.diagnosis.cures import for_vanishing
from gradtui.diagnosis.findings import CureOffer
from gradtui.experiment import dumps, resolve, set_fields
from gradtui.runs.control import ControlReader
from gradtui.runs.folder import new_folder, runs_root
from gradtui.runs.writer import RunWriter
from gradtui.ui.app import GradtuiApp
from gradtui.ui.edit.field_dialogs import SettingsScreen
from gradtui.ui.edit.field_list import FieldList
from gradtui.ui.screens.lab.headline import Headline
from gradtui.ui.screens.lab.model_pane import ModelPane
from gradtui.ui.widgets.curve_pane import CurvePane
from gradtui.ui.widgets.status_bar import StatusBar
from tests.support.lab import SIZES, lab_of, screen_text, until
from tests.ui.conftest import MakeRun

if TYPE_CHECKING:
    from gradtui.training.launch import Trainer


async def test_opens_on_the_default_experiment_and_says_which_key_trains() -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        assert lab.workbench.experiment == resolve("sigmoid-20")
        text = screen_text(app)
        assert "sigmoid-20" in text
        assert "press space to train" in text
        assert "83,850 parameters" in text


async def test_the_charts_say_why_they_are_empty_before_a_run_and_while_it_starts() -> None:
    app, folder = GradtuiApp(), new_folder(runs_root(), "sigmoid-20")
    async with app.run_test(size=(200, 50)) as pilot:
        lab = await lab_of(pilot)
        await pilot.press("N")
        await until(pilot, lambda: "Press  space  to train this net" in screen_text(app))
        for what in ("Loss", "Accuracy", "Gradient norm"):
            assert f"{what} appears here" in screen_text(app)
        lab.controls.start = lambda _: lab.open_run(  # type: ignore[method-assign]
            folder, trainer=cast("Trainer", SimpleNamespace(folder=folder, poll=lambda: None))
        )
        lab.action_start()
        await until(pilot, lambda: "Starting the trainer" in screen_text(app))
        assert "Press  space" not in screen_text(app)
        assert "gradtui  sigmoid-20 " in screen_text(app), "and not the name of the folder"


async def test_a_script_without_accuracy_is_said_to_have_none(make_run: MakeRun) -> None:
    app = GradtuiApp(attach=make_run(scalars=("loss", "lr", "grad_norm")))
    async with app.run_test(size=(200, 50)) as pilot:
        await lab_of(pilot)
        await until(pilot, lambda: "This run has no accuracy." in screen_text(app))


async def test_a_run_without_a_step_says_that_it_is_paused_or_has_ended(make_run: MakeRun) -> None:
    stopped, paused = make_run(steps=0, end="stopped"), make_run(steps=0, end=None)
    writer = RunWriter(paused, {})
    writer.event("paused")
    app = GradtuiApp(attach=stopped)
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: "Stopped before the first step." in screen_text(app))
        lab.open_run(paused, adopt=True)
        await until(pilot, lambda: "Paused before the first step." in screen_text(app))
        assert "Stopped" not in screen_text(app)
        writer.event("resumed")
        writer.event("phase", phase="pretraining", layer=2, layers=3, epoch=1, epochs=5)
        await until(pilot, lambda: "layer 2   learns now" in screen_text(app))
        writer.event("paused")
        await until(pilot, lambda: "layer 2   paused" in screen_text(app))
        writer.event("resumed")
        writer.event("pretrain", name="dense3", reconstruction_error=0.01, layer=3, epoch=5)
        writer.event("phase", phase="training", text="training")
        await until(pilot, lambda: "● fine-tuning" in screen_text(app))
        # A brief evaluation is not named, and the fine-tuning goes on meanwhile.
        writer.event("phase", phase="evaluating", text="evaluating", time=time.time() + 60)
        await until(pilot, lambda: "Evaluating on the training" in screen_text(app))
        assert "● fine-tuning" in screen_text(app)
        writer.close()


@pytest.mark.parametrize(
    ("key", "said"), [("p", "Nothing matches."), ("ctrl+o", "No folder and no TOML file begins like this.")]
)
async def test_a_list_in_which_nothing_matches_says_so(key: str, said: str) -> None:
    app = GradtuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        lab = await lab_of(pilot)
        await pilot.press(key)
        await until(pilot, lambda: app.screen is not lab)
        await pilot.press("z", "z", "z")
        await until(pilot, lambda: said in screen_text(app))
        await pilot.press("down", "enter")
        await pilot.pause()
        assert app.screen is not lab, "there was nothing to choose"
        await pilot.press(*["backspace"] * 3)
        await until(pilot, lambda: said not in screen_text(app))


async def test_keys_pressed_before_the_lab_is_there_are_not_lost() -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("o")
        await until(pilot, lambda: type(app.screen).__name__ == "SettingsScreen")


async def test_groups_are_added_duplicated_moved_and_removed_and_undone() -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        start = lab.workbench.experiment
        lab.query_one(ModelPane).focus()
        assert "20 sigmoid layers: almost no gradient" in screen_text(app)
        await pilot.press("a")
        await pilot.pause()
        assert [g.repeat for g in lab.workbench.experiment.net] == [20, 1]
        # What is said of the preset may not be true of another net.
        assert "edited, no longer the preset" in screen_text(app)
        assert "20 sigmoid layers" not in screen_text(app)
        await pilot.press("right", "right")
        await pilot.pause()
        assert [g.repeat for g in lab.workbench.experiment.net] == [20, 3]
        await pilot.press("K")
        await pilot.pause()
        assert [g.repeat for g in lab.workbench.experiment.net] == [3, 20]
        await pilot.press("d")
        await pilot.pause()
        assert [g.repeat for g in lab.workbench.experiment.net] == [3, 3, 20]
        assert "27 layers" in screen_text(app)
        await pilot.press("backspace", "backspace")
        await pilot.pause()
        assert len(lab.workbench.experiment.net) == 1
        await pilot.press("backspace")
        await pilot.pause()
        assert len(lab.workbench.experiment.net) == 1, "the last group stays"
        for _ in range(10):
            await pilot.press("u")
        await pilot.pause()
        assert lab.workbench.experiment == start


async def test_every_field_of_a_group_is_changed_by_arrows_and_by_typing() -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await pilot.press("enter", "down", "right")
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press("9", "9", "9", "9", "9", "9", "9")
        await pilot.pause()
        assert "is not allowed" not in screen_text(app), "the number may be incomplete"
        await pilot.press("enter")
        await pilot.pause()
        assert "net.0.width: 9999999 is not allowed" in screen_text(app)
        assert type(app.screen).__name__ == "ValueScreen", "what is not allowed is not taken"
        await pilot.press("escape", "4", "8", "enter")
        await pilot.pause()
        await pilot.press("escape")
        await pilot.pause()
        assert lab.workbench.experiment.net[0].width == 48


async def test_training_numbers_change_by_arrows() -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        lab.query_one(FieldList).focus()
        await pilot.press("down", "right")
        await pilot.pause()
        assert lab.workbench.experiment.optimizer.lr == 0.002
        # From every other pane, two keys change the rate.
        await pilot.press("2", "greater_than_sign")
        assert lab.workbench.experiment.optimizer.lr == 0.005
        assert "learning rate 0.005" in screen_text(app)
        await pilot.press("less_than_sign", "less_than_sign")
        assert lab.workbench.experiment.optimizer.lr == 0.001


async def test_a_setting_is_found_by_a_word() -> None:
    app = GradtuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        lab = await lab_of(pilot)
        await pilot.press("o")
        await until(pilot, lambda: type(app.screen).__name__ == "SettingsScreen")
        fields = app.screen.query_one(FieldList)
        every = len(fields.rows)
        await pilot.press("slash", *"clip_n")
        await until(pilot, lambda: [row.path for row in fields.rows] == ["cures.clip_norm"])
        assert "clip_n " in screen_text(app), "what is typed can be read"
        await pilot.press(*"othing")
        await until(pilot, lambda: "No setting matches" in screen_text(app))
        await pilot.press(*["backspace"] * 6, "enter", "right", "escape")
        await until(pilot, lambda: len(fields.rows) == every)
        assert fields.has_focus
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is lab)
        assert lab.workbench.experiment.cures.clip_norm > 0


async def test_a_letter_goes_to_the_field_and_to_the_choice_that_begin_with_it() -> None:
    app = GradtuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        lab = await lab_of(pilot)
        lab.query_one(ModelPane).focus()
        await pilot.press("enter", "b", "b", "a", "enter", "e", "e", "enter", "b", "escape")
        await until(pilot, lambda: app.screen is lab)
        # Only elu begins with e, so the second e stays there.
        assert lab.workbench.experiment.net[0].activation == "elu"


async def test_a_run_without_a_step_stands_on_no_axis_of_the_run_before(make_run: MakeRun) -> None:
    app = GradtuiApp(attach=make_run())
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: "1e-12" in screen_text(app))
        lab.view.open(make_run(steps=0, end=None), adopt=False, trainer=None, against=None)
        await until(pilot, lambda: "Taking the first step" in screen_text(app))
        assert "1e-12" not in screen_text(app)
        lab.view.open(make_run(), adopt=False, trainer=None, against=None)
        await until(pilot, lambda: "1e-12" in screen_text(app))


async def test_what_is_not_allowed_is_said_and_changes_nothing() -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        before = lab.workbench.experiment
        lab.workbench.put("cures.pretrain.kind", "rbm")
        await pilot.pause()
        assert lab.workbench.experiment == before
        assert any("data.scaling" in str(toast.message) for toast in app._notifications)


@pytest.mark.parametrize("size", SIZES)
async def test_a_run_is_shown_whole(make_run: MakeRun, size: tuple[int, int]) -> None:
    app = GradtuiApp(attach=make_run())
    async with app.run_test(size=size) as pilot:
        lab = await lab_of(pilot)
        await until(
            pilot, lambda: "times weaker at the input" in screen_text(app) and "█" in screen_text(app)
        )
        text = screen_text(app)
        # 12 decades over 20 layers, of which the last hidden one lies 0.6 below the output.
        assert "250 billion times weaker" in text
        assert "finished" in text
        assert "█" in text
        assert all(len(line) == size[0] for line in text.splitlines())
        assert not lab.followed.live


async def test_the_value_of_a_layer_pointed_at_is_always_shown(make_run: MakeRun) -> None:
    """A long sentence over the charts is cut for it, but not away."""
    app = GradtuiApp(attach=make_run())
    async with app.run_test(size=(80, 24)) as pilot:
        lab = await lab_of(pilot)
        headline = lab.query_one(Headline)
        await until(pilot, lambda: "vanishing" in headline.sentence.plain)
        # The run is painted again when its findings are known, which would write the sentence anew.
        lab.followed.close()
        await pilot.pause(0.2)
        headline.sentence = Content(
            "✖ vanishing · a step changes the weights of dense1 by 9.4e-10 of their size"
        )
        await pilot.pause()
        assert headline.render().plain == headline.sentence.plain, "nothing was asked for"
        await pilot.press("2", "right")
        await until(pilot, lambda: "…   " in headline.render().plain)
        assert re.fullmatch(r"✖ vanishing · a step changes.*… +dense1 \d\.\d+e-\d+", headline.render().plain)
        assert headline.render().cell_length == headline.content_size.width
        headline.legend = (Content("a.name.of.a.script's.layer." * 3),)
        assert headline.render().plain.startswith("✖ vanishing · a step changes")


async def test_nan_is_said_in_words(make_run: MakeRun) -> None:
    app = GradtuiApp(attach=make_run(nan_from=30, end="diverged"))
    async with app.run_test(size=(120, 36)) as pilot:
        await lab_of(pilot)
        await until(pilot, lambda: "NaN or infinite in all 21 layers" in screen_text(app))
        assert "diverged" in screen_text(app)


async def test_death_of_a_trainer_is_shown_with_its_step_and_its_log(make_run: MakeRun) -> None:
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    from gradtui.runs.meta import read_meta, write_meta
    from gradtui.runs.process import start_ticks

    folder = make_run(end=None)
    import msgspec

    meta = read_meta(folder)
    write_meta(folder, msgspec.structs.replace(meta, pid=sleeper.pid, pid_started=start_ticks(sleeper.pid)))
    (folder / "trainer.log").write_text("the very last words\n")
    app = GradtuiApp(attach=folder)
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: lab.followed is not None and lab.followed.state == "running")
        os.kill(sleeper.pid, signal.SIGKILL)  # it stays as a zombie: nobody has waited for it
        await until(pilot, lambda: "trainer died at step 60" in screen_text(app), seconds=2.0)
        await pilot.press("L")
        await pilot.pause()
        await until(pilot, lambda: "the very last words" in screen_text(app))
    sleeper.wait()


async def test_commands_reach_the_run_folder(make_run: MakeRun) -> None:
    folder = make_run(end=None)
    app = GradtuiApp(attach=folder)
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: lab.followed is not None and lab.followed.state == "running")
        await pilot.press("space", "full_stop")
        lab.query_one(FieldList).focus()
        await pilot.press("down", "right", "x")
        await pilot.pause()
        commands = ControlReader(folder).poll()
        assert [w.name for w in commands] == ["pause", "step", "set", "stop"]
        assert commands[2].fields["set"] == {"optimizer.lr": 0.002}


async def test_batch_size_waits_for_the_next_start_and_is_marked(make_run: MakeRun) -> None:
    folder = make_run(end=None)
    app = GradtuiApp(attach=folder)
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: lab.followed is not None and lab.followed.state == "running")
        lab.query_one(FieldList).focus()
        await pilot.press("down", "down", "right")
        await until(pilot, lambda: "128 ○" in screen_text(app))
        assert ControlReader(folder).poll() == []


async def test_the_run_list_opens_another_run(make_run: MakeRun) -> None:
    make_run(steps=7)
    app = GradtuiApp(attach=make_run(steps=60))
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: lab.query_one(StatusBar).progress.step == 60)
        await pilot.press("r")
        await until(pilot, lambda: "gradient in" in screen_text(app) and "finished" in screen_text(app))
        await pilot.press("down", "enter")
        await until(pilot, lambda: lab.query_one(StatusBar).progress.step == 7)


async def test_a_folder_that_is_no_run_gives_a_line_and_no_traceback(tmp_path: Path) -> None:
    app = GradtuiApp(attach=tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        await lab_of(pilot)
        await until(pilot, lambda: any(str(tmp_path) in toast.message for toast in app._notifications))
        assert "press space to train" in screen_text(app)


async def test_digits_that_come_in_a_burst_are_one_value() -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        lab.query_one(FieldList).focus()
        await pilot.press("3")
        assert lab.query_one(CurvePane).has_focus, "in the lab, digits lead to its panes"
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, SettingsScreen))
        dialog = app.screen
        fields = dialog.query_one(FieldList)
        fields.cursor = next(i for i, row in enumerate(fields.rows) if row.path == "run.steps")
        await pilot.pause()
        for key in "12345":
            app.simulate_key(key)
        await until(pilot, lambda: type(app.screen).__name__ == "ValueScreen")
        await pilot.pause()
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is dialog)
        await pilot.press("escape")
        await until(pilot, lambda: lab.workbench.experiment.run.steps == 12345)
        assert app.screen is lab, "one dialog, not five"


async def test_another_experiment_leaves_the_running_one_alone(make_run: MakeRun) -> None:
    folder = make_run(end=None)
    app = GradtuiApp(attach=folder)
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: lab.followed is not None and lab.followed.state == "running")
        lab.workbench.take(resolve("plain-5"))
        await pilot.pause()
        assert ControlReader(folder).poll() == []


async def test_changes_by_any_viewer_are_shown(make_run: MakeRun) -> None:
    folder = make_run(end=None)
    writer = RunWriter(folder, {})
    writer.event("control", step=40, wish="set", set={"optimizer.lr": 0.002})
    writer.close()
    app = GradtuiApp(attach=folder)
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: lab.followed is not None and lab.followed.state == "running")
        await until(pilot, lambda: lab.workbench.experiment.optimizer.lr == 0.002)
        assert "○" not in screen_text(app)


async def test_run_title_never_stands_over_numbers_of_another_run(make_run: MakeRun) -> None:
    other = new_folder(runs_root(), "no row yet")
    (other / "experiment.toml").write_text(dumps(resolve("plain-5")))
    app = GradtuiApp(attach=make_run())
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: "times weaker" in screen_text(app))
        lab.open_run(other, adopt=True)
        await until(pilot, lambda: lab.workbench.experiment == resolve("plain-5"))
        await until(pilot, lambda: "weaker" not in screen_text(app) and "━ batch" not in screen_text(app))
        assert lab.check_action("start", ()), "no trainer is at it, so space trains"
        await pilot.press("u")
        await until(pilot, lambda: lab.workbench.experiment == resolve("sigmoid-20"))


async def test_presets_are_found_by_typing_and_can_be_undone() -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await pilot.press("p")
        await pilot.pause()
        await pilot.press(*"plain-5")
        await pilot.pause()
        await pilot.press("enter")
        await until(pilot, lambda: lab.workbench.experiment == resolve("plain-5"))
        await pilot.press("u")
        await until(pilot, lambda: lab.workbench.experiment == resolve("sigmoid-20"))


async def test_the_experiment_is_saved_as_toml_that_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await pilot.press("s")
        await pilot.pause()
        await pilot.press("enter")
        await until(pilot, lambda: (tmp_path / "sigmoid-20.toml").exists())
        assert resolve("sigmoid-20.toml") == lab.workbench.experiment


async def test_command_palette_lists_the_labs_actions() -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        titles = {command.title for command in app.get_system_commands(lab)}
        assert {"Train", "Options", "Runs", "Quit"} <= titles


async def test_the_run_on_the_screen_is_written_as_a_page(make_run: MakeRun, tmp_path: Path) -> None:
    app = GradtuiApp(attach=make_run())
    async with app.run_test(size=(80, 24)) as pilot:
        await lab_of(pilot)
        await pilot.press("W")
        await until(pilot, lambda: "Write a report" in screen_text(app))
        app.screen.query_one(Input).value = str(tmp_path / "page.md")
        await pilot.press("enter")
        await until(pilot, lambda: (tmp_path / "page.md").exists())
    assert "## Findings" in (tmp_path / "page.md").read_text()


async def test_the_experiment_is_copied_as_a_string_and_pasted() -> None:
    app = GradtuiApp(resolve("relu-20"))
    async with app.run_test(size=(80, 24)) as pilot:
        lab = await lab_of(pilot)
        await pilot.press("Z")
        await until(pilot, lambda: app.clipboard.startswith("gt1-"))
        assert resolve(app.clipboard) == lab.workbench.experiment
        lab.workbench.take(resolve("sigmoid-20"))
        lab.workbench.paste(app.clipboard + "\n")
        assert lab.workbench.experiment == resolve("relu-20")


async def test_curves_are_left_as_they_are_found_next_time(make_run: MakeRun) -> None:
    folder = make_run()
    for logarithmic in (False, True):
        app = GradtuiApp(attach=folder)
        async with app.run_test(size=(120, 36)) as pilot:
            await lab_of(pilot)
            await until(pilot, lambda app=app: "batch" in screen_text(app))
            assert ("Loss · log" in screen_text(app)) == logarithmic
            await pilot.press("3", "y")
            await pilot.pause(0.2)


async def test_a_cure_that_two_findings_advise_is_offered_once() -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        whole = for_vanishing(lab.workbench.experiment)[0]
        clip = CureOffer("clip the gradient's norm", {"cures.clip_norm": 1.0}, "", "", "clip-norm")
        lab.workbench.choose_cure([whole, clip, whole, clip])
        await until(pilot, lambda: "clip the gradient's norm" in screen_text(app))
        assert screen_text(app).count("clip the gradient's norm · advised") == 1
        # What a finding puts together for this net is no cure of the general list, and is offered too.
        assert not whole.key
        assert screen_text(app).count(f"{whole.name} · advised") == 1
        await pilot.press("enter")
        await until(pilot, lambda: lab.workbench.experiment != resolve("sigmoid-20"))
        assert lab.workbench.experiment == set_fields(resolve("sigmoid-20"), whole.set)


async def test_a_run_whose_first_step_is_not_over_is_shown_without_numbers(make_run: MakeRun) -> None:
    app = GradtuiApp(attach=make_run(steps=0, end=None))
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: lab.followed is not None and lab.followed.snapshot is not None)
        await pilot.pause(0.3)
        assert "training" in screen_text(app)


@pytest.mark.parametrize("key", ["f", "T", "b", "x", "R", "F", "L", "m"])
async def test_a_key_that_needs_a_run_says_so(key: str) -> None:
    app = GradtuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await lab_of(pilot)
        await pilot.press(key)
        await until(pilot, lambda: f"{key}: needs a run: press space first" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: "esc: nothing to go back to: q leaves the app" in screen_text(app))


@pytest.mark.parametrize("key", ["x", "."])
async def test_a_key_of_a_training_says_that_the_run_has_ended(make_run: MakeRun, key: str) -> None:
    app = GradtuiApp(attach=make_run())
    async with app.run_test(size=(80, 24)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: lab.followed is not None and lab.followed.findings is not None)
        await pilot.press("full_stop" if key == "." else key)
        await until(pilot, lambda: f"{key}: this run has ended" in screen_text(app))


@pytest.mark.parametrize("size", SIZES)
async def test_once_a_problem_is_found_the_keys_to_fix_it_are_seen(
    make_run: MakeRun, size: tuple[int, int]
) -> None:
    app = GradtuiApp(attach=make_run())
    async with app.run_test(size=size) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: lab.followed is not None and bool(lab.followed.newest_findings))
        await until(
            pilot,
            lambda: "f fix it  T try all cures" in screen_text(app).replace("  ", " ").replace(" T", "  T"),
        )
        assert "b first bad step" in screen_text(app).splitlines()[-1]


async def test_a_change_that_was_sent_is_not_said_to_wait_for_the_next_start(make_run: MakeRun) -> None:
    """A trainer that still starts takes it over with its first step, seconds later."""
    folder = make_run(end=None)
    app = GradtuiApp(attach=folder)
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: lab.followed is not None and lab.followed.state == "running")
        await until(pilot, lambda: "at the input" in screen_text(app))
        await pilot.press("greater_than_sign")
        await until(pilot, lambda: "lr           0.002" in screen_text(app))
        await pilot.pause(0.3)
        assert "next start" not in screen_text(app)
        assert "edited" not in screen_text(app)
        lab.workbench.step("data.batch_size", up=True)
        await until(pilot, lambda: "○ applies at the next start" in screen_text(app))
        assert "lr           0.002 ○" not in screen_text(app)
        await until(pilot, lambda: "Model · 21 layers · edited" in screen_text(app))
        [sent] = ControlReader(folder).poll()
        assert sent.fields["set"] == {"optimizer.lr": 0.002}
