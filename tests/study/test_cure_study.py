"""Test the study of all cures of a run: which cures are tried, when they start, and how they are ranked."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gradtui.diagnosis import diagnose, evidence_of
from gradtui.diagnosis.cures import for_saturated
from gradtui.diagnosis.findings import Finding
from gradtui.diagnosis.monitor import step_seconds
from gradtui.experiment import Experiment, set_fields, to_dict
from gradtui.experiment.overrides import diff
from gradtui.runs.control import ControlReader
from gradtui.runs.folder import runs_root
from gradtui.runs.meta import Parent, read_meta, write_meta
from gradtui.runs.reader import open_run
from gradtui.runs.writer import RunWriter
from gradtui.study.cure_study import LEAST_CURES, SHRINKING_CURES, cure_study, members_of, same_training
from gradtui.study.state import StudyState
from gradtui.study.study import Study
from gradtui.training.launch import create_run, start_trainer
from tests.support.studies import Launcher, Trainer, failing_run, fixes, sigmoids, write_run

CURES = ["relu", "elu", "tanh-xavier"]


def settled(study: Study, polls: int = 60) -> StudyState:
    """Poll `polls` times and return the state."""
    for _ in range(polls):
        study.poll()
    return study.state


def states(state: StudyState) -> dict[str, str]:
    return {row.key: row.state for row in state.rows}


def ranked(state: StudyState) -> tuple[str, ...]:
    """Return the keys of the ranked cures, the best first."""
    keys = {row.member.change: row.key for row in state.rows}
    return tuple(keys[one.change] for one in state.ranked)


# -- which cures


def found_in(experiment: Experiment) -> list[Finding]:
    return diagnose(evidence_of(open_run(failing_run(experiment))))


def test_baseline_comes_first_then_the_advised_cures_in_their_order() -> None:
    exp = sigmoids()
    findings = found_in(exp)
    found = members_of(exp, findings)
    assert (found[0].key, found[0].name) == ("", "no cure")
    assert same_training(found[0].experiment, exp)
    advised = [offer.key or offer.name for offer in findings[0].cures]
    assert [one.key for one in found[1 : 1 + len(advised)]] == advised
    assert len(found) > LEAST_CURES


def test_each_member_differs_only_by_its_cure_and_its_name() -> None:
    exp = sigmoids()
    for one in members_of(exp, found_in(exp))[1:]:
        changes = diff(exp, one.experiment)
        assert changes.pop("name") == f"sigmoids-{one.key.replace(' ', '-').lower()}"
        assert changes
        assert one.why
        assert all(path.startswith(("net", "cures.", "data.scaling", "optimizer.")) for path in changes)


def test_shrinking_cures_are_not_tried_unasked_where_the_gradient_vanishes() -> None:
    exp = sigmoids()
    assert not {one.key for one in members_of(exp, found_in(exp))} & SHRINKING_CURES
    assert [one.key for one in members_of(exp, [], ["l2", "relu"])] == ["", "l2", "relu"]


def test_cures_that_change_nothing_or_repeat_another_are_left_out() -> None:
    relu = sigmoids(net__0__activation="relu", net__0__init="he")
    assert [one.key for one in members_of(relu, [], ["relu", "elu", "elu"])] == ["", "elu"]


def test_unknown_cure_raises_key_error() -> None:
    with pytest.raises(KeyError):
        members_of(sigmoids(), [], ["prayer"])


def test_each_member_has_one_thread_where_torch_would_take_every_core() -> None:
    for one in members_of(sigmoids(run__threads=0), [], ["relu"]):
        assert one.experiment.run.threads == 1
    assert members_of(sigmoids(run__threads=3), [], ["relu"])[0].experiment.run.threads == 3


def test_advised_remedies_that_are_no_cure_of_the_net_are_tried_too() -> None:
    exp = sigmoids(net__0__bias_mean=-8.0)
    finding = found_in(sigmoids())[0]
    offers = for_saturated(exp)
    assert offers[0].key == ""
    members = members_of(exp, [Finding("saturated", "critical", 1, (), finding.evidence, offers)])
    whole, one = members[1:3]
    assert (whole.key, whole.cure, whole.name) == (offers[0].name, "", offers[0].name)
    assert same_training(whole.experiment, set_fields(exp, offers[0].set))
    assert (one.key, one.cure, one.name) == ("biases at 0", "", "biases at 0")
    assert one.experiment.name == "sigmoids-biases-at-0"
    assert same_training(one.experiment, set_fields(exp, offers[1].set))


# -- beginning


def test_jobs_limit_the_runs_at_once_and_the_next_starts_when_one_has_ended() -> None:
    launcher = Launcher()
    study = cure_study(failing_run(), CURES, jobs=2, start=launcher)
    state = settled(study)
    assert [trainer.cure for trainer in launcher.started] == ["", "relu"]
    assert states(state) == {"": "starting", "relu": "starting", "elu": "waiting", "tanh-xavier": "waiting"}
    launcher.started[1].train(decades=0.3, learns=True)
    settled(study)
    assert [trainer.cure for trainer in launcher.running] == ["", "elu"]
    assert study.state.row("relu").state == "finished"
    assert not study.state.done


def test_each_cure_is_an_ordinary_run_whose_parent_is_the_cured_run() -> None:
    launcher = Launcher()
    failing = failing_run()
    settled(cure_study(failing, ["relu"], jobs=2, start=launcher))
    for trainer, cure in zip(launcher.started, ("", "relu"), strict=True):
        assert trainer.parent == Parent(failing.name, 0, cure)
        assert trainer.folder.parent == failing.parent
    assert launcher.started[1].experiment.net[0].activation == "relu"
    assert launcher.started[1].experiment.seed == sigmoids().seed


def test_runs_at_once_default_to_cores_divided_by_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradtui.study.engines.local.cores", lambda: 4)
    for threads, jobs in ((0, 4), (1, 4), (2, 2), (8, 1)):
        launcher = Launcher()
        settled(cure_study(failing_run(sigmoids(run__threads=threads)), [*CURES, "prelu"], start=launcher))
        assert len(launcher.running) == jobs, threads


def test_memory_limits_the_runs_at_once_but_one_always_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradtui.study.engines.local.free_bytes", lambda: 700_000_000)
    launcher = Launcher()
    study = cure_study(failing_run(), CURES, jobs=4, start=launcher)
    settled(study)
    assert len(launcher.running) == 2, "a third would need what the first two have not yet taken"
    monkeypatch.setattr("gradtui.study.engines.local.free_bytes", lambda: 1)
    launcher.started[0].train()
    launcher.started[1].train()
    settled(study)
    assert len(launcher.running) == 1


# -- what comes of it


def test_cures_are_ranked_against_the_baseline_trained_beside_them() -> None:
    def train(trainer: Trainer) -> None:
        match trainer.cure:
            case "":
                trainer.train(seconds=0.02)
            case "relu":
                trainer.train(decades=0.3, learns=True, seconds=0.03)
            case "elu":
                trainer.train(decades=0.3, learns=True, seconds=0.02)
            case _:
                trainer.train()

    study = cure_study(failing_run(seconds=5.0), CURES, jobs=2, start=Launcher(train))
    state = settled(study)
    assert state.done
    assert state.share == 1.0
    assert ranked(state) == ("elu", "relu", "tanh-xavier")
    assert [row.key for row in state.in_order()] == ["", "elu", "relu", "tanh-xavier"]
    elu, relu, tanh = (state.row(key) for key in ranked(state))
    assert elu.verdict is not None
    assert elu.verdict.fixed
    assert relu.price == pytest.approx(1.5)
    assert elu.price == pytest.approx(1.0)
    assert tanh.verdict is not None
    assert tanh.verdict.left == ("vanishing",)
    assert elu.outcome is not None
    assert elu.outcome.accuracy == 0.95
    assert elu.gradients is not None
    assert len(elu.gradients) == 13
    assert elu.healthy is not None
    assert state.cured is not None
    assert state.cured.outcome is not None
    assert state.cured.outcome.codes == ("vanishing",)
    assert state.row("").verdict is None


def test_price_is_unknown_before_the_baseline_has_trained() -> None:
    launcher = Launcher()
    study = cure_study(failing_run(), CURES, jobs=2, start=launcher)
    settled(study)
    launcher.started[1].train(decades=0.3, learns=True)
    row = settled(study).row("relu")
    assert row.verdict is not None
    assert row.verdict.fixed, "compared with the failing run for now"
    assert math.isnan(row.price)


def test_pretraining_is_part_of_the_step_time() -> None:
    folder = failing_run()
    assert step_seconds(open_run(folder)) == pytest.approx(0.01)
    writer = RunWriter(folder, {})
    writer.event("phase", 0, phase="pretraining")
    time.sleep(0.12)
    writer.event("pretrain", 0, layer=1)
    writer.close()
    assert step_seconds(open_run(folder)) == pytest.approx(0.01 + 0.12 / 60, rel=0.3)


def test_failed_run_has_its_reason_in_its_row_and_the_others_continue() -> None:
    def train(trainer: Trainer) -> None:
        if trainer.cure == "relu":
            (trainer.folder / "trainer.log").write_text("Killed by a meteorite\n")
            trainer.code = 1
        elif trainer.cure == "elu":
            trainer.train(steps=5, end="failed", reason="out of memory: say")
        else:
            fixes(trainer)

    state = settled(cure_study(failing_run(), CURES, jobs=1, start=Launcher(train)))
    assert state.done
    assert states(state) == {"": "finished", "relu": "failed", "elu": "failed", "tanh-xavier": "finished"}
    assert state.row("relu").reason == "the trainer could not start: Killed by a meteorite"
    assert state.row("elu").reason == "out of memory: say"
    assert ranked(state) == ("tanh-xavier",)
    assert [row.key for row in state.in_order()] == ["", "tanh-xavier", "relu", "elu"]


def test_killed_trainer_leaves_a_run_that_died() -> None:
    launcher = Launcher()
    study = cure_study(failing_run(), ["relu"], jobs=2, start=launcher)
    settled(study)
    trainer = launcher.started[1]
    write_run(trainer.folder, trainer.experiment, parent=trainer.parent, steps=5, end=None)
    write_meta(trainer.folder, msgspec.structs.replace(read_meta(trainer.folder), pid=2**22 + 1))
    trainer.code = -9
    row = settled(study).row("relu")
    assert (row.state, row.reason) == ("died", "died at step 5")


def test_folder_that_cannot_be_created_is_the_reason_in_the_row() -> None:
    def full(folder: Path) -> Trainer:
        raise OSError(28, "No space left on device")

    state = settled(cure_study(failing_run(), ["relu"], jobs=2, start=full))
    assert state.done
    assert all("No space left" in row.reason for row in state.rows)


def test_diverged_cure_is_ranked_last() -> None:
    def train(trainer: Trainer) -> None:
        if trainer.cure == "relu":
            trainer.train(steps=30, end="diverged")
        else:
            fixes(trainer)

    state = settled(cure_study(failing_run(), CURES, jobs=3, start=Launcher(train)))
    assert ranked(state)[-1] == "relu"


@pytest.mark.parametrize(
    ("about", "problem"),
    [({"decades": 0.3, "learns": True}, "no problem was found"), ({}, "no cure is called 'prayer'")],
)
def test_nothing_to_compare_is_a_problem_in_the_state_not_an_exception(
    about: dict[str, Any], problem: str
) -> None:
    study = cure_study(failing_run(**about), ["prayer"] if not about else None, start=Launcher())
    assert problem in study.poll().problem
    assert study.poll().done


def test_folder_without_a_run_is_a_problem_in_the_state(tmp_path: Path) -> None:
    assert "not a run" in cure_study(tmp_path, start=Launcher()).poll().problem


# -- ending


def test_stop_ends_the_running_and_starts_no_more() -> None:
    launcher = Launcher()
    study = cure_study(failing_run(), CURES, jobs=2, start=launcher)
    settled(study)
    study.stop()
    for trainer in launcher.started:
        assert [command.name for command in ControlReader(trainer.folder).poll()] == ["stop"]
        trainer.train(steps=20, end="stopped")
    state = settled(study)
    assert len(launcher.started) == 2
    assert set(states(state).values()) == {"stopped"}
    assert state.row("elu").reason == "not started"
    assert state.done
    assert ranked(state) == (), "who has learned for a shorter time is not compared"


def test_close_leaves_the_running_and_starts_no_more() -> None:
    launcher = Launcher()
    study = cure_study(failing_run(), CURES, jobs=2, start=launcher)
    settled(study)
    study.close()
    launcher.started[0].train()
    settled(study)
    assert len(launcher.started) == 2
    assert ControlReader(launcher.started[1].folder).poll() == []


# -- taking up


def test_earlier_runs_are_taken_up_and_live_ones_followed() -> None:
    failing = failing_run()
    first = Launcher()
    study = cure_study(failing, CURES, jobs=2, start=first)
    settled(study)
    fixes(first.started[0])
    settled(study)
    relu = first.started[1]
    write_run(relu.folder, relu.experiment, parent=relu.parent, steps=30, decades=0.3, learns=True, end=None)
    study.close()
    second = Launcher()
    again = cure_study(failing, CURES, jobs=3, start=second)
    state = settled(again)
    assert state.row("").state == "finished"
    assert state.row("").existed_before
    assert (state.row("relu").state, state.row("relu").step) == ("running", 30)
    assert state.row("elu").existed_before, (
        "its folder was made, and its trainer is a fake that no study knows"
    )
    assert [trainer.cure for trainer in second.started] == ["tanh-xavier"]


def test_stopped_run_is_resumed_in_its_own_folder() -> None:
    failing = failing_run()
    first = Launcher(lambda trainer: trainer.train(steps=20, end="stopped"))
    settled(cure_study(failing, ["relu"], jobs=2, start=first))
    second = Launcher()
    again = cure_study(failing, ["relu"], jobs=2, start=second)
    state = settled(again)
    assert [trainer.folder for trainer in second.started] == [trainer.folder for trainer in first.started]
    assert set(states(state).values()) == {"starting"}, "what its folder says is of before"
    for trainer in second.started:
        fixes(trainer)
    assert ranked(settled(again)) == ("relu",)


def test_run_of_another_experiment_is_not_taken_up() -> None:
    failing = failing_run()
    other = failing_run(sigmoids(net__0__activation="relu", net__0__init="he", seed=7))
    meta = read_meta(other)
    write_meta(other, msgspec.structs.replace(meta, parent=Parent(failing.name, 0, "relu")))
    launcher = Launcher()
    state = settled(cure_study(failing, ["relu"], jobs=2, start=launcher))
    assert len(launcher.started) == 2
    assert not state.row("relu").existed_before


# -- real trainers


@pytest.fixture
def tiny() -> Path:
    """Return the trained run of a small net whose gradient vanishes."""
    folder = create_run(sigmoids(run__steps=80), runs_root())
    assert start_trainer(folder).wait(60) == 0
    return folder


@pytest.mark.long
def test_real_trainers_fix_a_real_net(tiny: Path) -> None:
    study = cure_study(tiny, ["relu", "batch-norm"], jobs=2)
    deadline = time.monotonic() + 120
    while not study.poll().done:
        assert time.monotonic() < deadline, states(study.state)
        time.sleep(0.1)
    state = study.state
    assert set(states(state).values()) == {"finished"}
    assert state.cured is not None
    assert {finding.code for finding in state.cured.findings} == {"vanishing"}
    assert len(ranked(state)) == 2
    for key in ranked(state):
        row = state.row(key)
        assert row.verdict is not None
        assert row.verdict.gone == ("vanishing",)
        assert row.price > 0
    baseline, failing = state.row(""), open_run(tiny)
    assert baseline.folder is not None
    mine, theirs = (run.scalars("loss")[1] for run in (open_run(baseline.folder), failing))
    assert mine.tolist() == theirs.tolist(), "the same seed: the failing net once more, to the bit"


@pytest.mark.long
def test_real_trainers_are_stopped_and_resumed_later(tiny: Path) -> None:
    exp = open_run(tiny).experiment
    assert exp is not None
    endless = to_dict(set_fields(exp, {"run.steps": 10_000_000}))
    write_meta(tiny, msgspec.structs.replace(read_meta(tiny), experiment=endless))
    study = cure_study(tiny, ["relu"], jobs=2)
    deadline = time.monotonic() + 60
    while not all(row.step > 20 for row in study.poll().rows):
        assert time.monotonic() < deadline, states(study.state)
        time.sleep(0.1)
    study.stop()
    while not study.poll().done:
        assert time.monotonic() < deadline, states(study.state)
        time.sleep(0.1)
    assert set(states(study.state).values()) == {"stopped"}
    steps = {row.key: row.step for row in study.state.rows}
    again = cure_study(tiny, ["relu"], jobs=2)
    while not all(row.step > steps[row.key] + 20 for row in again.poll().rows):
        assert time.monotonic() < deadline, states(again.state)
        time.sleep(0.1)
    assert [row.folder for row in again.state.rows] == [row.folder for row in study.state.rows]
    again.stop()
    while not again.poll().done:
        assert time.monotonic() < deadline, states(again.state)
        time.sleep(0.1)
