"""Test the findings pane alone: how much of the screen is painted when a figure changes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.app import App, ComposeResult
from textual.screen import Screen

from gradtui.diagnosis import Finding
from gradtui.diagnosis.cures import for_vanishing
from gradtui.experiment import resolve
from gradtui.judgement import judge
from gradtui.ui.screens.lab.findings_pane import FindingsPane
from gradtui.ui.shown_diagnosis import ShownDiagnosis
from tests.support.lab import screen_text


class PaneApp(App[None]):
    """An app with nothing but the pane."""

    def compose(self) -> ComposeResult:
        yield FindingsPane()


def vanishing(step: int, evidence: str) -> ShownDiagnosis:
    findings = (Finding.of("vanishing", step, (), evidence),)
    return ShownDiagnosis(findings, judge(findings, live=True))


async def test_a_changed_figure_does_not_lay_out_the_screen_and_a_longer_text_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layouts = 0
    lay_out = Screen._refresh_layout

    def counted(screen: Screen[object], *args: object, **options: object) -> None:
        nonlocal layouts
        layouts += 1
        lay_out(screen, *args, **options)  # type: ignore[arg-type]

    app = PaneApp()
    async with app.run_test(size=(50, 20)) as pilot:
        pane = app.query_one(FindingsPane)
        pane.diagnosis = vanishing(1, "Loss 1.97 after 100 steps.")
        await pilot.pause(0.1)
        monkeypatch.setattr(Screen, "_refresh_layout", counted)
        for step in range(101, 111):
            pane.step = step
            pane.diagnosis = vanishing(1, f"Loss 1.97 after {step} steps.")
            await pilot.pause(0.02)
        assert layouts == 0
        assert "after 110 steps." in app.screen.query_one("#findings-text").render().plain  # type: ignore[union-attr]
        pane.diagnosis = vanishing(1, "A sentence that is much longer than the pane is wide. " * 3)
        await pilot.pause(0.1)
        assert layouts > 0


async def test_the_lines_of_a_verdict_stay_indented_where_they_are_broken() -> None:
    app = PaneApp()
    async with app.run_test(size=(30, 20)) as pilot:
        pane = app.query_one(FindingsPane)
        pane.verdict = (
            "ReLU",
            "final result",
            "fixed: vanishing gone",
            "input ÷ output gradient: 8e-13 → 2.7",
        )
        await pilot.pause(0.1)
        lines = [line.strip("│").rstrip() for line in screen_text(app).splitlines()]
        assert [line for line in lines if "8e-13" in line or "gradient" in line] == [
            "   input ÷ output gradient:",
            "   8e-13 → 2.7",
        ]
        await pilot.resize_terminal(60, 20)
        await pilot.pause(0.1)
        assert "   input ÷ output gradient: 8e-13 → 2.7" in screen_text(app)
        # The mark of a warning would stand beside good news.
        for head, marked in (
            ("better", "✓ better"),
            ("better, not fixed: vanishing gone; dead-units new", "~ better, not fixed"),
            ("not fixed: vanishing still there", "✖ not fixed"),
            ("worse: exploding new", "! worse"),
            ("so far: vanishing gone", "◌ so far"),
        ):
            pane.verdict = ("ReLU", "final result", head)
            await pilot.pause(0.1)
            assert marked in screen_text(app)


async def test_the_full_screen_shows_each_cure_with_its_reason_and_cost_where_it_is_wide() -> None:
    cures = for_vanishing(resolve("sigmoid-20"))
    finding = replace(Finding.of("vanishing", 1, (), "The first layer gets no gradient."), cures=(*cures,))
    app = PaneApp()
    async with app.run_test(size=(200, 50)) as pilot:
        pane = app.query_one(FindingsPane)
        pane.diagnosis = ShownDiagnosis((finding,), judge((finding,), live=True))
        await pilot.pause(0.1)
        assert "cost:" not in screen_text(app)
        app.screen.maximize(pane)
        await pilot.pause(0.1)
        text = screen_text(app)
        assert next(line.find("Cures") for line in text.splitlines() if "vanishing" in line) > 90, "beside it"
        for cure in cures[:4]:
            assert text.count(f"→ {cure.name}  ") == 1
            assert cure.why[:60] in text
            assert f"cost: {cure.price[:60]}" in text
        await pilot.resize_terminal(120, 50)
        await pilot.pause(0.1)
        assert "cost:" not in screen_text(app)
        assert f"→ {cures[0].name}" in screen_text(app)
