"""Test the breadcrumb, esc through a stack of screens, continued runs, opened files, and what was edited."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from textual.app import App, ComposeResult

from gradtui.experiment import dumps, resolve
from gradtui.experiment.presets import load_preset
from gradtui.judgement import Judgement
from gradtui.ui.app import GradtuiApp
from gradtui.ui.screens.lab.lab_screen import LabScreen
from gradtui.ui.screens.open_dialog import OpenScreen, completions
from gradtui.ui.screens.runs.runs_screen import RunsScreen
from gradtui.ui.widgets.status_bar import RunProgress, StatusBar, crumbs
from tests.support.lab import lab_of, no_standby, screen_text, until
from tests.ui.conftest import MakeRun

__all__ = ["no_standby"]


LONG = "sigmoid-20 with layer normalisation and residual shortcuts"
CLEAN = Judgement("clean", ())
NOT_LEARNING = Judgement("problem", ("not-learning",), critical=True)


def says(app: GradtuiApp, text: str) -> bool:
    return text in screen_text(app)


async def test_escape_leads_back_through_each_list_to_the_run_before(make_run: MakeRun) -> None:
    first, second = make_run(steps=30), make_run(steps=50)
    app = GradtuiApp(attach=first)
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: lab.followed is not None and lab.followed.snapshot is not None)
        for times in (1, 2):
            await pilot.press("r")
            await until(
                pilot, lambda: isinstance(app.screen, RunsScreen) and len(app.screen.listing.rows) == 2
            )
            await pilot.press("home" if times == 1 else "end", "enter")
            await until(pilot, lambda: isinstance(app.screen, LabScreen))
            crumb = "gradtui  " + "runs › " * times + "sigmoid-20"
            await until(pilot, partial(says, app, crumb))
        shown = [lab.followed.folder if lab.followed else None]
        for _ in (1, 2):
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, RunsScreen))
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, LabScreen))
            shown.append(lab.followed.folder if lab.followed else None)
        assert shown == [first, second, first]
        assert not lab.lists.trail
        assert "gradtui  sigmoid-20" in screen_text(app)


async def test_a_stopped_run_continues_with_space_and_an_edited_net_is_trained_anew(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run(steps=40, end="stopped")
    resumed: list[Path] = []
    started: list[str] = []
    monkeypatch.setattr(
        "gradtui.ui.screens.lab.run_controls.RunControls.resume", lambda self, run: resumed.append(run.folder)
    )
    monkeypatch.setattr(
        "gradtui.ui.screens.lab.run_controls.RunControls.start", lambda self, exp: started.append(exp.name)
    )
    app = GradtuiApp(attach=folder)
    async with app.run_test(size=(160, 40)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: "space continue" in screen_text(app))
        await pilot.press("space")
        assert (resumed, started) == ([folder], [])
        await pilot.press("1", "left")
        await until(pilot, lambda: "not trained yet" in screen_text(app))
        assert "of the run, not of the edited net" in screen_text(app)
        assert "run sigmoid-20 · edited" in screen_text(app), "the first line"
        assert "space train" in screen_text(app)
        await pilot.press("space")
        assert (resumed, started) == ([folder], ["sigmoid-20"])
        await pilot.press("u")
        await until(pilot, lambda: "not trained yet" not in screen_text(app))
        assert lab.view.can_continue
        # A preset that is opened over the run is named: it is no edit of the run's net.
        lab.workbench.take(load_preset("vanish-tanh-20"))
        await until(pilot, lambda: "vanish-tanh-20 · 21 layers" in screen_text(app))
        assert "of the run, not of vanish-tanh-20" in screen_text(app)
        assert "run sigmoid-20 · next: vanish-tanh-20" in screen_text(app)


async def test_a_file_is_opened_by_its_path_which_tab_completes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "net.toml").write_text(dumps(resolve("relu-20")).replace("relu-20", "from-a-file"))
    (tmp_path / "mine" / "bad.toml").write_text("nonsense = 1")
    (tmp_path / "notes.txt").write_text("")
    assert list(completions("")) == ["mine/"]
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await pilot.press("ctrl+o")
        await until(pilot, lambda: isinstance(app.screen, OpenScreen))
        await pilot.press("m", "tab", "b", "tab", "enter")
        await until(pilot, lambda: "nonsense" in screen_text(app))
        assert isinstance(app.screen, OpenScreen), "an error is told after return, and the dialog stays"
        await pilot.press(*["backspace"] * len("bad.toml"), "n", "tab", "enter")
        await until(pilot, lambda: app.screen is lab)
        assert lab.workbench.experiment.name == "from-a-file"


def test_a_long_way_is_shown_by_its_end() -> None:
    assert crumbs(("runs", "net"), 40).plain == "gradtui  runs › net"
    assert crumbs(("studies", "a long name of a study", "runs", "net"), 30).plain == "gradtui  … › runs › net"
    assert crumbs(("sigmoid-20 with layer normalisation and residual shortcuts",), 40).plain == (
        "gradtui  sigmoid-20 with…idual shortcuts"
    )


@pytest.mark.parametrize(
    ("progress", "shown"),
    [
        # No rate changes any more, so the verdict may stand beside a name that is cut.
        (
            RunProgress(LONG, "digits", "finished", "finished", 500, 500, judgement=CLEAN),
            "gradtui  sigmoid-20 wit…ual shortcuts ■ finished  ✓ no problems  step 500/500",
        ),
        (
            RunProgress(
                "explode-relu-gain", "digits", "diverged", "diverged: the loss was NaN for 20 steps", 23, 120
            ),
            "gradtui  explode-relu-gain ✖ diverged  step 23/120",
        ),
        (
            RunProgress("sigmoid-20", "digits", "finished", "finished", edited="next: plain-21"),
            "gradtui  run sigmoid-20 · next: plain-21 ■ finished",
        ),
        (
            RunProgress("sigmoid-20 with " + "x" * 60, state="finished", words="finished", edited="next: a"),
            "gradtui  run sigmoid-20 with xxx…xxxxxxxxxxxxxxxxxxxxxxx · next: a ■ finished",
        ),
        (
            RunProgress(
                "broken", "script", "failed", "failed: a long reason why this script has ended · L log"
            ),
            "gradtui  broken ✖ failed: a long reason why this script has ended · L log",
        ),
        # What was found is told where only the end of a name stands in its way.
        (
            RunProgress(
                "spirals, ELU, a rate of 1e-5", "", "finished", "finished", 300, 300, judgement=NOT_LEARNING
            ),
            "gradtui  spirals, ELU,… rate of 1e-5 ■ finished  ✖ not-learning  step 300/300",
        ),
        # The time left is left out whole where it does not fit.
        (
            RunProgress(
                "long-sigmoid", "digits", "running", "training", 479, 60_000, 57.4, 1037.0, judgement=CLEAN
            ),
            "gradtui  long-sigmoid ● training  ✓ no problems  step 479/60,000  57.4/s",
        ),
    ],
)
async def test_the_first_line_cuts_no_word_and_wastes_no_room(progress: RunProgress, shown: str) -> None:
    class Line(App[None]):
        def compose(self) -> ComposeResult:
            yield StatusBar()

    app = Line()
    async with app.run_test(size=(80, 3)) as pilot:
        app.query_one(StatusBar).progress = progress
        await pilot.pause()
        line = screen_text(app).splitlines()[0]
        assert " ".join(line.split()) == " ".join(shown.split())
