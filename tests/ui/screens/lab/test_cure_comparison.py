"""Test the comparison of a cured run with its parent: overlays, words, and how to leave and reopen it."""

from __future__ import annotations

import json
import math
import re
import time
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from textual.widgets import OptionList

from gradtui.diagnosis import CureOffer, Finding
from gradtui.experiment import Experiment, resolve, set_fields
from gradtui.experiment.cures import Cure, cure
from gradtui.runs.library import list_runs
from gradtui.runs.meta import Parent
from gradtui.runs.reader import open_run
from gradtui.runs.writer import RunWriter
from gradtui.study.cure_study import cure_study
from gradtui.study.trials import CureTrial
from gradtui.training.forks import Fork
from gradtui.ui.app import GradtuiApp
from gradtui.ui.screens.lab.cure_options import CureListScreen, cure_options
from gradtui.ui.screens.lab.findings_pane import FindingsPane
from gradtui.ui.screens.lab.gradient_pane import GradientPane
from gradtui.ui.widgets.layer_charts import ProfileChart
from tests.support.lab import lab_of, no_standby, screen_text, until
from tests.support.studies import Launcher, failing_run
from tests.ui.conftest import SCALARS, MakeRun

__all__ = ["no_standby"]

CURED = cure("relu").apply(resolve("sigmoid-20"))


def twins(make_run: MakeRun) -> tuple[Path, Path]:
    """A failing run, and one with a cure that names it as its parent."""
    failing = make_run(steps=200)
    return failing, make_run(CURED, steps=100, decades=0.3, parent=Parent(failing.name, 0, "relu"))


async def test_cured_run_is_compared_with_its_parent(make_run: MakeRun) -> None:
    failing, cured = twins(make_run)
    _, before = open_run(failing).layers("grad_norm")
    app = GradtuiApp(attach=cured)
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: "with ReLU + He initialisation" in screen_text(app))
        await until(pilot, lambda: "vanishing gone" in screen_text(app))
        await until(pilot, lambda: "without" in screen_text(app))
        profile = lab.query_one(ProfileChart)._profile
        assert profile is not None
        assert profile.other is not None
        # At the same step of both, although the other one continued for longer.
        await until(
            pilot, lambda: np.allclose(10.0 ** lab.query_one(ProfileChart)._profile.other, before[99])
        )
        lab.cursor.go_to(50)
        await until(
            pilot, lambda: np.allclose(10.0 ** lab.query_one(ProfileChart)._profile.other, before[49])
        )
        await pilot.press("F")
        await until(pilot, lambda: "without" not in screen_text(app))
        await until(pilot, lambda: "vanishing gone" not in screen_text(app))
        assert lab.query_one(ProfileChart)._profile.other is None


async def test_the_verdict_is_said_where_its_pane_is_on_another_tab(make_run: MakeRun) -> None:
    failing = make_run(steps=100)
    cured = make_run(CURED, steps=100, decades=0.3, end=None, parent=Parent(failing.name, 0, "relu"))
    app = GradtuiApp(attach=cured)
    async with app.run_test(size=(80, 24)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: "4 Verdict" in screen_text(app))
        await until(pilot, lambda: lab.query_one(FindingsPane).verdict[1:2] == ("result so far",))
        writer = RunWriter(cured, {})
        writer.event("end", step=100, status="finished", reason="")
        writer.close()
        await until(pilot, lambda: "· 4 verdict" in screen_text(app).splitlines()[0])
        await pilot.press("F", "F")
        await until(pilot, lambda: "4 Findings" in screen_text(app))


async def test_pause_of_the_cured_run_does_not_raise_its_price(make_run: MakeRun) -> None:
    failing = make_run(steps=200)
    cured = make_run(CURED, steps=99, decades=0.3, end=None, parent=Parent(failing.name, 0, "relu"))
    names = open_run(cured).layer_names
    writer = RunWriter(cured, {"scalars": SCALARS, "grad_norm": names})
    writer.append("scalars", 100, np.array([2.0, 0.2, 0.001, 1.0, 1.0]), time=time.time() + 3600)
    writer.append("grad_norm", 100, np.ones(len(names)), time=time.time() + 3600)
    writer.event("end", step=100, status="finished", reason="")
    writer.close()
    app = GradtuiApp(attach=cured)
    async with app.run_test(size=(120, 36)) as pilot:
        await lab_of(pilot)
        await until(pilot, lambda: "step time: 1.00×" in screen_text(app))


async def test_the_lab_and_the_list_of_runs_say_the_same_of_a_run_whose_events_say_something_else(
    make_run: MakeRun,
) -> None:
    folder = make_run(steps=100)
    writer = RunWriter(folder, {})
    found = Finding("dead-units", "warning", 20, ("dense2",), "Half of the units never fire.")
    writer.event("finding", **found.to_json())
    writer.close()
    app = GradtuiApp(attach=folder)
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: "✖ vanishing" in screen_text(app))
        assert lab.followed is not None
        shown = tuple(finding.code for finding in lab.followed.findings or ())
        assert shown == list_runs()[0].summary.findings == ("vanishing",)


async def test_cured_run_whose_parent_was_deleted_is_shown_alone(make_run: MakeRun) -> None:
    cured = make_run(CURED, steps=100, decades=0.3, parent=Parent("20200101-000000-gone", 0, "relu"))
    app = GradtuiApp(attach=cured)
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: "at the input" in screen_text(app))
        assert lab.comparison.partner is None


async def test_layers_are_compared_by_name(make_run: MakeRun) -> None:
    failing = make_run(steps=60)
    shallow = make_run(
        cure("fewer-layers").apply(resolve("sigmoid-20")),
        steps=60,
        decades=1.0,
        parent=Parent(failing.name, 0, "fewer-layers"),
    )
    _, before = open_run(failing).layers("grad_norm")
    app = GradtuiApp(attach=shallow)
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(
            pilot, lambda: bool(lab.query(ProfileChart)) and lab.query_one(GradientPane)._other is not None
        )
        other = lab.query_one(GradientPane)._other
        names = open_run(shallow).layer_names
        assert len(names) < 21
        expected = [before[-1][open_run(failing).layer_names.index(name)] for name in names]
        np.testing.assert_allclose(other, expected, rtol=1e-5)


async def test_one_key_offers_the_cures_of_the_run_the_advised_first(make_run: MakeRun) -> None:
    app = GradtuiApp(attach=make_run(steps=200))
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: bool(lab.followed and lab.followed.findings))
        await pilot.press("f")
        await until(pilot, lambda: "Train a copy with a cure" in screen_text(app))
        assert "ReLU + He initialisation · advised" in screen_text(app)
        assert "net.0.activation relu" in screen_text(app)


async def test_cured_run_that_cannot_start_shows_the_reason(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gradtui.training.launch.create_run", full)
    app = GradtuiApp(attach=make_run(steps=200))
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: bool(lab.followed and lab.followed.findings))
        await pilot.press("f")
        await pilot.pause(0.3)
        await pilot.press("enter")
        await until(pilot, lambda: any("No space left" in toast.message for toast in app._notifications))


def offer_of(known: Cure, experiment: Experiment) -> CureOffer:
    return CureOffer(known.name, known.set_of(experiment), known.why, known.price, known.key)


def test_treatments_change_something_each_and_the_advised_come_first(make_run: MakeRun) -> None:
    experiment = resolve("sigmoid-20")
    advised = [offer_of(cure(key), experiment) for key in ("batch-norm", "relu", "batch-norm")]
    offers = cure_options(make_run(steps=20), experiment, advised)
    assert [offer.cure.key for offer in offers[:2]] == ["batch-norm", "relu"]
    assert len({offer.key for offer in offers}) == len(offers)
    assert all(offer.experiment != experiment for offer in offers)
    assert all(offer.fork is None for offer in offers), "it never broke"
    assert all(offer.parent.cure == offer.cure.key for offer in offers)


def test_an_advice_that_is_no_single_cure_is_listed_in_its_place(make_run: MakeRun) -> None:
    experiment = resolve("sigmoid-20")
    whole = CureOffer(
        "ReLU at a tenth of the rate", {"net.0.activation": "relu", "optimizer.lr": 1e-4}, "why", "price"
    )
    options = cure_options(make_run(steps=20), experiment, [whole, offer_of(cure("relu"), experiment)])
    assert [option.title for option in options[:2]] == [whole.name, cure("relu").name]
    cured = options[0].experiment
    assert cured.name == "sigmoid-20 with ReLU at a tenth of the rate", (
        "the list of runs tells it from the other"
    )
    assert replace(cured, name=experiment.name) == set_fields(experiment, whole.set)
    assert options[0].parent.cure == "ReLU at a tenth of the rate", (
        "so that the screen can name what was changed"
    )
    assert len({option.key for option in options}) == len(options)


def test_an_advised_cure_is_listed_as_it_was_advised_and_only_once(make_run: MakeRun) -> None:
    experiment = resolve("sigmoid-20")
    slower = CureOffer(
        "smaller learning rate", {"optimizer.lr": 3e-4}, "A step moved weights by 0.3.", "", "smaller-lr"
    )
    (first, *others) = cure_options(make_run(steps=20), experiment, [slower])
    assert (first.cure.why, first.experiment.optimizer.lr) == (slower.why, 3e-4)
    assert "0.0003" in first.line(experiment)
    assert slower.key not in {other.cure.key for other in others}


@pytest.mark.parametrize(("step", "midway"), [(0, []), (5, ["clip the gradient's norm, from step 5 on"])])
def test_a_cure_is_not_listed_twice_from_the_start(
    step: int, midway: list[str], make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment, folder = resolve("explode-relu-gain"), make_run(steps=20)
    monkeypatch.setattr("gradtui.runs.events.rollback_step", lambda events: step)
    monkeypatch.setattr(
        "gradtui.training.forks.fork_of", lambda run: Fork(run, step, run / "checkpoint", experiment)
    )
    options = cure_options(folder, experiment, [offer_of(cure("clip-norm"), experiment)])
    assert [one.title for one in options if " from step " in one.title] == midway
    assert len({one.key for one in options}) == len(options)


async def test_the_list_of_cures_says_what_came_of_trials_and_puts_the_best_first(make_run: MakeRun) -> None:
    experiment, folder = resolve("sigmoid-20"), make_run(steps=20)
    advised = [offer_of(cure(key), experiment) for key in ("relu", "batch-norm", "shortcuts")]
    options = cure_options(folder, experiment, advised)
    trials = [
        CureTrial(advised[1], 40, 2.3, 1.12, -0.3),
        CureTrial(advised[0], 40, 2.3, 2.1, -0.5),
        CureTrial(advised[2], 40, 2.3, 2.2, -7.0),
    ]
    app = GradtuiApp(attach=folder)
    async with app.run_test(size=(120, 36)) as pilot:
        await lab_of(pilot)
        screen = CureListScreen(options, experiment, advised, idle=True, seconds=0)
        app.push_screen(screen)
        await until(pilot, lambda: "ReLU + He" in screen_text(app))
        screen.show_trials(trials)
        await until(pilot, lambda: "tried 40 steps: loss 2.3 → 1.12" in screen_text(app))
        await until(pilot, lambda: "at the start the first layer still has" in screen_text(app))
        assert [choice.title for choice in screen.choices[:3]] == [trial.cure.name for trial in trials]
        # One that the person has moved to stays highlighted.
        await pilot.press("down")
        screen.show_trials([trials[1], trials[0], trials[2]])
        await pilot.pause()
        found = screen.query_one(OptionList)
        assert found.highlighted == 0
        assert "ReLU + He" in str(found.get_option_at_index(0).prompt)


@pytest.mark.long
async def test_advised_cures_are_tried_while_the_list_is_read_and_no_process_is_left(home: Path) -> None:
    experiment = set_fields(resolve("sigmoid-20"), {"run.steps": 60})
    folder = failing_run(experiment)
    advised = [offer_of(cure(key), experiment) for key in ("relu", "batch-norm")]
    app = GradtuiApp(attach=folder)
    async with app.run_test(size=(120, 36)) as pilot:
        await lab_of(pilot)
        options = cure_options(folder, experiment, advised)
        app.push_screen(CureListScreen(options, experiment, advised, idle=True, seconds=60))
        await until(pilot, lambda: "trying 2 cures, 60 s at most" in screen_text(app))
        await until(pilot, lambda: screen_text(app).count("tried 15 steps: loss") == 2, seconds=90)
        app.push_screen(CureListScreen(options, experiment, advised, idle=True, seconds=60))
        await until(pilot, lambda: "trying 2 cures, " in screen_text(app))
        began = time.monotonic()
        await pilot.press("escape")
        await until(pilot, lambda: not any(work.is_running for work in app.workers if work.group == "trials"))
        assert time.monotonic() - began < 15
    assert [path.name for path in folder.parent.iterdir() if path.is_dir()] == [folder.name]


@pytest.mark.long
async def test_a_net_is_measured_before_it_is_trained_and_nothing_is_left(home: Path) -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await pilot.press("i")
        await until(pilot, lambda: "initial gradients, untrained" in screen_text(app), seconds=60)
        await until(pilot, lambda: "─ theory" in screen_text(app))
        measured = lab.followed.folder.parent if lab.followed else None
        assert measured is not None
        assert not list((home / "runs").glob("*"))
        assert lab.check_action("start", ())
        assert not lab.check_action("fork_with_cure", ())
    assert not measured.exists()


@pytest.mark.long
async def test_every_cure_is_tried_by_one_key_and_is_still_there_when_one_returns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failing = failing_run()
    launcher = Launcher(lambda trainer: trainer.train(decades=0.3, learns=True))
    monkeypatch.setattr(cure_study, "__kwdefaults__", {"start": launcher, "only_follow": False})
    app = GradtuiApp(attach=failing)
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: "T try all cures" in screen_text(app))
        await pilot.press("T")
        # Nothing is trained before the person has seen how much it is, and has agreed.
        await until(pilot, lambda: re.search(r"○ \d+ trainings, (about |under )?\d+", screen_text(app)))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is lab)
        await pilot.press("T")
        await until(pilot, lambda: "space starts" in screen_text(app))
        await until(pilot, lambda: "Its gradients appear here." in screen_text(app))
        assert launcher.started == []
        await pilot.press("space")
        await until(pilot, lambda: "fix it" in screen_text(app) and "✓ done" in screen_text(app))
        trials, best = (
            lab.comparison.cures,
            lab.comparison.cures.state.in_order()[1],
        )
        await pilot.press("enter")
        await until(pilot, lambda: lab.comparison.partner is not None and app.screen is lab)
        assert lab.followed.folder == best.folder
        assert lab.comparison.partner.folder == failing
        await pilot.press("T")
        # Of the failing net, not of the cured one that is on the screen; and what was trained is not trained again.
        await until(pilot, lambda: "✓ done" in screen_text(app))
        assert lab.comparison.cures is trials
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is lab)
        # Back to the list of cures, over the failing run, which is being read meanwhile.
        await pilot.press("escape")
        await until(pilot, lambda: "✓ done" in screen_text(app))
        await until(pilot, lambda: lab.followed.folder == failing)


@pytest.mark.parametrize("well", [False, True])
async def test_a_steep_profile_alarms_only_where_something_is_wrong(well: bool) -> None:
    run = failing_run(decades=2.5, learns=well)
    app = GradtuiApp(attach=run)
    async with app.run_test(size=(120, 36)) as pilot:
        await lab_of(pilot)
        await until(pilot, lambda: ("No problems found" if well else "✖ vanishing") in screen_text(app))
        await until(pilot, lambda: "weaker at the input" in screen_text(app))
        assert ("✖" in screen_text(app)) is not well


async def test_the_step_that_broke_a_run_is_named_with_its_examples(make_run: MakeRun) -> None:
    run = make_run(steps=40, nan_from=31)
    fields = {"reason": "nonfinite", "measure": "loss", "usual": 2.0, "loss": math.nan, "before": 18.5}
    with (run / "events.jsonl").open("a") as file:
        event = {"event": "broke", "time": 0, "step": 31, **fields, "layer": "dense5", "part": "output"}
        file.write(
            json.dumps({**event, "batch": [7, 3], "grad_norm": math.nan}).replace("NaN", '"nan"') + "\n"
        )
    app = GradtuiApp(attach=run)
    async with app.run_test(size=(200, 50)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: bool(lab.query_one(FindingsPane).breaks))
        await pilot.press("4", "end")
        await until(pilot, lambda: "NaN at step 31" in screen_text(app))
        await until(pilot, lambda: "examples 7, 3 of the training set" in screen_text(app))
