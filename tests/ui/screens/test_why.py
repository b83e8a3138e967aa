"""Test the explanation of findings."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from textual.app import App

from gradtui.diagnosis.findings import CODES, EXPLANATIONS, Finding
from gradtui.diagnosis.judged import AnsweredQuestions
from gradtui.diagnosis.monitor import diagnose_run
from gradtui.judgement import Judgement, judge
from gradtui.runs.reader import open_run
from gradtui.ui.app import GradtuiApp
from gradtui.ui.screens.why_screen import WhyScreen, explained
from gradtui.ui.shown_diagnosis import ShownDiagnosis, shown_diagnosis
from tests.support.lab import SIZES, lab_of, no_standby, screen_text, until
from tests.support.studies import failing_run

__all__ = ["no_standby"]


def test_every_finding_is_explained() -> None:
    assert set(EXPLANATIONS) == set(CODES)
    for code in CODES:
        told, shown = EXPLANATIONS[code], plain_of(Finding(code, "warning", 3, (), ""))
        assert all(text and text in shown for text in (told.what, told.signs, told.helps))


def test_a_finding_of_another_version_has_its_evidence() -> None:
    assert "It is new." in plain_of(Finding("newer", "warning", 3, (), "It is new."))


def plain_of(finding: Finding) -> str:
    diagnosis = ShownDiagnosis((finding,), judge([finding], live=False))
    return "\n".join(paragraph.text.plain for paragraph in explained(diagnosis, 3))


def test_the_steps_of_the_headline_and_of_a_finding_are_told_apart() -> None:
    assert "is about step 3 alone" in plain_of(Finding("vanishing", "critical", 1, (), "1e-5 times."))
    assert "alone" not in plain_of(Finding("not-learning", "critical", 1, (), "Nothing is learned."))


@pytest.mark.parametrize(
    ("judgement", "text", "healthy"),
    [
        (judge((), live=False), "✓ No problems found (step 300).", True),
        (judge(None, live=True, pending=["dead-units"]), "◌ checking: dead-units? (step 300)", False),
        (judge((), live=False, enough=False), "◌ 300 steps are too few to judge.", False),
        (
            judge((), live=False, objection="the loss is NaN"),
            "✖ No rule found a problem, but the loss is NaN.",
            False,
        ),
    ],
)
def test_a_run_without_findings_is_called_healthy_only_if_it_was_judged(
    judgement: Judgement, text: str, healthy: bool
) -> None:
    first, *rest = explained(ShownDiagnosis((), judgement), 300)
    assert first.text.plain[1:] == text[1:]
    assert bool(rest) == healthy


@pytest.mark.parametrize("size", SIZES)
async def test_a_key_explains_the_finding_with_the_numbers_of_the_run(size: tuple[int, int]) -> None:
    app = GradtuiApp(attach=failing_run())
    async with app.run_test(size=size) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: bool(lab.followed is not None and lab.followed.newest_findings))
        await pilot.press("w")
        await until(pilot, lambda: "since step 1" in screen_text(app) and "Helps" in screen_text(app))
        text = screen_text(app)
        for said in (
            "vanishing",
            "gradient of dense1 is 3e-9 times that of dense12",
            "0.173",
            "Signs",
        ):
            assert said in text
        assert "↑↓ more" not in text, "all of it can be read"
        edge = min(part.region.x for part in app.screen.query(".label"))
        indented = [part for part in app.screen.query(".text") if part.region.x > edge]
        assert len(indented) == 4, "each label has its text beside it"
        assert max(part.size.height for part in indented) > 1, "whose further lines stand under the first one"
        await pilot.resize_terminal(60, 14)
        await until(pilot, lambda: "↑↓ more" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is lab)


async def test_a_run_that_is_still_read_is_not_said_to_be_without_findings_and_its_verdict_follows() -> None:
    nothing_yet = partial(
        shown_diagnosis,
        objections=("the loss is NaN", "the loss is NaN"),
        pending=(),
        remarks=(),
        live=False,
        past=False,
        steps=(23, 23),
    )
    diagnosis = nothing_yet(None, None, judged=None)
    assert [paragraph.text.plain for paragraph in explained(diagnosis, 23)] == ["◌ reading 23 steps …"]
    found = (Finding("nonfinite", "critical", 4, (), "It became NaN at step 4."),)
    told = [diagnosis, nothing_yet(found, found, judged=AnsweredQuestions(True, True, ""))]
    app: App[None] = App()
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(
            WhyScreen(lambda: explained(told[0], 23), lambda: told[0].judgement.state != "checking")
        )
        await until(pilot, lambda: "reading 23 steps" in screen_text(app))
        del told[0]
        await until(pilot, lambda: "It became NaN at step 4." in screen_text(app))
        assert "reading" not in screen_text(app)


def test_time_is_explained_where_the_net_is_recurrent_only() -> None:
    diagnosis = ShownDiagnosis(
        (finding := Finding("vanishing", "critical", 1, (), ""),), judge([finding], live=False)
    )
    plain, recurrent = (
        " ".join(part.text.plain for part in explained(diagnosis, 3, recurrent=is_recurrent))
        for is_recurrent in (False, True)
    )
    assert "LSTM" not in plain
    assert "back in time" not in plain
    assert "LSTM" in recurrent
    assert "back in time" in recurrent


async def test_what_is_unusual_and_harmless_in_a_run_that_has_ended_is_shown_as_no_problem(
    home: Path,
) -> None:
    run = failing_run(learns=True, decades=4.0)
    (remark,) = diagnose_run(open_run(run)).remarks
    assert remark.severity == "info"
    app = GradtuiApp(attach=run)
    async with app.run_test(size=(120, 36)) as pilot:
        await lab_of(pilot)
        await until(pilot, lambda: f"i {remark.code}" in screen_text(app))
        assert "✓ No problems found (step 60)." in screen_text(app)
        assert "✓ no problems" in screen_text(app).splitlines()[0]
        await pilot.press("w")
        await until(pilot, lambda: "Helps" in screen_text(app))
        for said in ("No problems found", f"i {remark.code}", remark.evidence[:40]):
            assert said in screen_text(app)
