"""A lesson is played in the lab, wholly by keyboard, on 80 columns and 24 lines, with a real training."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from gradtui.lessons.lesson import columns_of
from gradtui.lessons.library import note_step, read_progress
from gradtui.ui.app import GradtuiApp
from gradtui.ui.screens.lab.lab_screen import LabScreen
from gradtui.ui.screens.lab.lesson_pane import AnswerScreen
from tests.support.lab import SIZES, lab_of, screen_text, until


async def answered(pilot: Pilot[None], *keys: str) -> str:
    """Press the keys that answer, and return what is said."""
    app = pilot.app
    await pilot.press("E")
    await until(pilot, lambda: not isinstance(app.screen, LabScreen))
    await pilot.press(*keys)
    await until(pilot, lambda: isinstance(app.screen, LabScreen) and app.screen.is_current)
    await pilot.pause()
    return screen_text(app)


@pytest.mark.long
async def test_lesson_two_is_played_by_keyboard_alone(home: Path) -> None:
    app = GradtuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        lab = await lab_of(pilot)
        await pilot.press("t")
        await until(pilot, lambda: "2 The vanishing gradient" in screen_text(app))
        await pilot.press("down", "enter")
        await until(pilot, lambda: "1 of 5" in screen_text(app))
        assert "Where does the loss end?" in screen_text(app)
        assert lab.workbench.experiment.run.steps == 150

        assert "Train first" in await answered(pilot, "3")
        await pilot.press("space")
        await until(pilot, lambda: lab.followed is not None, 60)
        await until(pilot, lambda: lab.followed.snapshot is not None and not lab.followed.live, 120)
        await until(pilot, lambda: lab.followed.findings is not None, 60)
        assert "✗ Not this: near 0" in await answered(pilot, "1")
        await pilot.press("H")
        await pilot.pause()
        assert "Hint: The legend" in screen_text(app)
        text = await answered(pilot, "3")
        assert "✓ Right: about 2.3" in text
        assert "the depth is the problem" in " ".join(text.replace("│", " ").split())
        assert read_progress() == {"vanishing": [1]}

        await pilot.press("greater_than_sign")
        await until(pilot, lambda: "2 of 5" in screen_text(app))
        assert "✓ Right" in await answered(pilot, "down", "down", "enter")
        await pilot.press("greater_than_sign")
        await until(pilot, lambda: "Update ÷ weight of each layer" in screen_text(app))
        await pilot.press("right")
        await until(pilot, lambda: "dense1 " in screen_text(app))
        assert "✓ Right" in await answered(pilot, *"1e-9", "enter")
        await pilot.press("greater_than_sign")
        await until(pilot, lambda: "4 of 5" in screen_text(app))
        assert "✖" in screen_text(app)
        assert "✓ Right: vanishing" in await answered(pilot, "2")
        assert read_progress() == {"vanishing": [1, 2, 3, 4]}

        await pilot.press("greater_than_sign")
        await until(pilot, lambda: "5 of 5" in screen_text(app))
        await pilot.press("space")
        await until(pilot, lambda: "What the net computes" in screen_text(app), 60)
        await until(pilot, lambda: lab.followed.snapshot is not None and not lab.followed.live, 120)
        await until(pilot, lambda: "the net ignores its input" in screen_text(app))
        assert "✓ Right: one" in await answered(pilot, "1")

        await pilot.press("greater_than_sign")
        await until(pilot, lambda: "Leave this lesson" in screen_text(app))
        assert "✓ twenty sigmoid layers" in screen_text(app)
        assert "3 Why: a product of factors · next" in screen_text(app)
        await pilot.press(*"leave", "enter")
        await until(pilot, lambda: "of 5 ·" not in screen_text(app))
        await pilot.press("greater_than_sign")
        await until(pilot, lambda: "learning rate 0.005" in screen_text(app), 5)
        await pilot.press("E")
        await until(pilot, lambda: "needs a lesson" in screen_text(app))


@pytest.mark.parametrize("size", SIZES)
async def test_a_lesson_continues_where_it_was_left_and_a_question_is_skipped_by_asking_twice(
    size: tuple[int, int], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gradtui.ui.screens.lab.run_controls.Trainers.warm", lambda self: None)
    note_step("product", 1)
    app = GradtuiApp(lesson="product")
    async with app.run_test(size=size) as pilot:
        await lab_of(pilot)
        await until(pilot, lambda: "2 of 5 · Its two parts" in screen_text(app))
        await pilot.press("E")
        await until(pilot, lambda: isinstance(app.screen, AnswerScreen))
        assert "How large can sigmoid's derivative be at most?" in screen_text(app)
        # The keys of the lesson have their effect over its answers too.
        await pilot.press("H")
        await until(pilot, lambda: "Hint: " in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: "esc: t leaves the lesson" in screen_text(app))
        await pilot.press("E")
        await until(pilot, lambda: isinstance(app.screen, AnswerScreen))
        await pilot.press("9", "escape")
        await pilot.pause()
        await pilot.press("greater_than_sign")
        await pilot.pause()
        assert "2 of 5" in screen_text(app)
        await pilot.press("greater_than_sign")
        await until(pilot, lambda: "3 of 5" in screen_text(app))
        await pilot.press("less_than_sign")
        await until(pilot, lambda: "2 of 5" in screen_text(app))
        assert "✓ Right: 1/4" in await answered(pilot, "3")


@pytest.mark.parametrize("how", ["locale", "setting"])
async def test_lessons_in_chinese_are_chosen_by_the_locale_or_a_setting_and_fit(
    how: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gradtui.ui.screens.lab.run_controls.Trainers.warm", lambda self: None)
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8" if how == "locale" else "C.UTF-8")
    if how == "setting":
        home.mkdir(exist_ok=True)
        (home / "settings.toml").write_text('language = "zh"\n')
    app = GradtuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await lab_of(pilot)
        await pilot.press("t")
        await until(pilot, lambda: "3 为什么：因子的乘积" in screen_text(app))
        await pilot.press("down", "down", "enter")
        await until(pilot, lambda: "为什么：因子的乘积 · 1/5 · 每层一个因子" in screen_text(app))
        lines = screen_text(app).splitlines()
        assert "链式法则" in "".join(lines)
        assert {columns_of(line) for line in lines} == {80}
        frame = [line for line in lines if "按 space 训练" in line]
        assert frame[0].startswith("│ ▶")
        assert frame[0].endswith("│")
        for _ in range(2):
            await pilot.press("greater_than_sign")
            await pilot.pause()
        await until(pilot, lambda: "2/5" in screen_text(app))
        assert "✗ 不对：1。按 H 有提示。" in await answered(pilot, "1")
        await pilot.press("H")
        await until(pilot, lambda: "提示：把 σ = 1/2 代入" in screen_text(app))
        assert "✓ 对：1/4。" in await answered(pilot, "3")


async def test_a_step_loads_its_experiment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradtui.ui.screens.lab.run_controls.Trainers.warm", lambda self: None)
    for step in (1, 2, 3):
        note_step("product", step)
    app = GradtuiApp(lesson="3")
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: "4 of 5 · tanh" in screen_text(app))
        assert lab.workbench.experiment.net[0].activation == "tanh"
        await pilot.press("u")
        await pilot.pause()
        assert lab.workbench.experiment.net[0].activation == "sigmoid", (
            "what was edited before is one undo away"
        )
