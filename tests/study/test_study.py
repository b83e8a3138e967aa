"""Test a study with fake trainers that only write folders."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from gradtui.diagnosis.monitor import RunMonitor, diagnose_run
from gradtui.runs.control import ControlReader
from gradtui.runs.folder import runs_root
from gradtui.runs.library import list_runs
from gradtui.runs.reader import open_run
from gradtui.runs.shallower_run import SHALLOWER_FILE, write_shallower_run
from gradtui.study.engines.local import LocalEngine
from gradtui.study.spec import StudySpec, loads
from gradtui.study.study import open_study
from gradtui.study.study_folder import OWNER_FILE, StudyIndex, folder_of, list_studies, studies_root
from tests.support.studies import (
    DEPTHS,
    TWO_SEEDS,
    Launcher,
    Trainer,
    degrades,
    engine,
    relu_fixes,
    settled,
    study,
    write_run,
)


def learns(trainer: Trainer) -> None:
    trainer.train(decades=0.3, learns=True)


# -- side by side


def test_jobs_limit_the_runs_at_once_and_seeds_change_last() -> None:
    launcher = Launcher()
    running = study(TWO_SEEDS, launcher)
    state = settled(running)
    assert [trainer.experiment.seed for trainer in launcher.started] == [0, 0]
    assert [row.state for row in state.rows] == ["starting", "starting", "waiting", "waiting"]
    assert (state.status, state.total, state.ended) == ("running", 4, 0)
    relu_fixes(launcher.started[1])
    state = settled(running)
    assert len(launcher.running) == 2
    assert [row.state for row in state.rows] == ["starting", "finished", "starting", "waiting"]
    assert state.share == pytest.approx(0.25)


def test_each_member_is_an_ordinary_run_in_the_folder_of_runs() -> None:
    launcher = Launcher(relu_fixes)
    state = settled(study(TWO_SEEDS, launcher))
    assert state.status == "finished"
    for row in state.rows:
        assert row.folder is not None
        assert row.folder.parent == runs_root()
        assert row.folder.name.partition("-two-seeds")[1]
    assert set(StudyIndex(state.folder).read().values()) == {row.folder for row in state.rows}


def test_failed_run_has_its_reason_in_its_row_and_the_others_continue() -> None:
    def train(trainer: Trainer) -> None:
        if trainer.experiment.seed == 1 and trainer.experiment.net[0].activation == "relu":
            trainer.train(steps=5, end="failed", reason="out of memory: say")
        else:
            relu_fixes(trainer)

    state = settled(study(TWO_SEEDS, Launcher(train)))
    assert state.status == "failed"
    assert [row.state for row in state.rows] == ["finished", "finished", "finished", "failed"]
    assert state.rows[3].reason == "out of memory: say"
    assert [one.seeds for one in state.ranked] == [1]


def test_unwritable_folder_is_a_problem_in_one_line() -> None:
    studies_root().parent.mkdir(parents=True)
    studies_root().write_text("in the way")
    state = study(TWO_SEEDS, Launcher()).poll()
    assert state.done
    assert "studies" in state.problem


# -- what they add up to


def test_changes_are_ranked_by_means_over_their_seeds() -> None:
    state = settled(study(TWO_SEEDS, Launcher(relu_fixes)))
    (one,) = state.ranked
    assert one.change == "ReLU + He initialisation"
    assert one.seeds == 2
    assert one.verdict.fixed
    assert one.verdict.before.accuracy == pytest.approx(0.1)
    assert one.verdict.after.accuracy == pytest.approx(0.95)
    (chart,) = state.charts
    assert [bar.name for bar in chart.bars] == ["no cure", "ReLU + He initialisation"]
    assert [bar.note for bar in chart.bars] == ["vanishing", ""]


def test_degradation_is_found_across_depths_with_evidence_against_overfitting() -> None:
    state = settled(study(DEPTHS, Launcher(degrades)))
    assert [row.codes for row in state.rows] == [(), (), ("degradation",)]
    (finding,) = state.findings
    assert finding.runs == (state.rows[2].key,)
    assert (
        "The training accuracy falls from 95.0% to 30.0% as 2 weight layers become 20, with one seed"
        in finding.evidence
    )
    assert "not overfitting" in finding.evidence
    assert "test: 90.0% to 25.0%" in finding.evidence
    size = re.search(r"differ by a factor of at most ([\d.]*\d)", finding.evidence)
    assert size is not None
    assert 1 < float(size[1]) < 10**0.9, "as the gradients were written: not even a decade"
    train, test = state.charts
    assert train.lines[0].x.tolist() == [2, 10, 20]
    assert train.lines[0].mean.tolist() == pytest.approx([0.95, 0.93, 0.3])
    assert test.lines[0].mean.tolist() == pytest.approx([0.9, 0.88, 0.25])


def test_a_degraded_run_of_a_study_is_one_everywhere_until_the_shallower_run_is_gone() -> None:
    state = settled(study(DEPTHS, Launcher(degrades)))
    shallow, deep = (row.folder for row in state.rows[::2])
    assert shallow is not None
    assert deep is not None

    def codes() -> list[str]:
        monitor = RunMonitor(deep)
        monitor.poll()
        monitor.diagnose()
        found = [finding.code for finding in monitor.findings or ()]
        assert found == [finding.code for finding in diagnose_run(open_run(deep)).findings]
        return found

    assert codes() == ["degradation"]
    (listed,) = (info for info in list_runs() if info.run == deep)
    assert listed.summary.findings == ("degradation",)
    (deep / SHALLOWER_FILE).write_text(json.dumps({"run": f"../{shallow.parent.name}/{shallow.name}"}))
    assert codes() == [], "a path leads out of the folder of runs"
    assert write_shallower_run(deep, shallow)
    assert codes() == ["degradation"]
    shutil.rmtree(shallow)
    assert codes() == []


def test_deep_net_with_a_vanishing_gradient_is_not_degraded() -> None:
    def vanishes(trainer: Trainer) -> None:
        deep = trainer.experiment.net[0].repeat == 20
        trainer.train(decades=9.0 if deep else 0.3, learns=not deep, accuracy=0.1 if deep else 0.95)

    state = settled(study(DEPTHS, Launcher(vanishes)))
    assert state.rows[2].codes == ("vanishing",)
    assert state.findings == ()


# -- taking up


def test_ended_runs_are_not_trained_again_but_added_members_are() -> None:
    first = settled(study(TWO_SEEDS, Launcher(relu_fixes)))
    launcher = Launcher(relu_fixes)
    state = settled(study(TWO_SEEDS.replace("[0, 1]", "[0, 1, 2]"), launcher))
    assert state.folder == first.folder
    assert [trainer.experiment.seed for trainer in launcher.started] == [2, 2]
    assert [row.existed_before for row in state.rows] == [True] * 4 + [False] * 2
    assert [row.folder for row in state.rows[:4]] == [row.folder for row in first.rows]


def test_stopped_run_is_resumed_in_its_own_folder() -> None:
    first = Launcher(lambda trainer: trainer.train(steps=20, end="stopped"))
    before = settled(study(TWO_SEEDS, first))
    assert before.status == "stopped"
    second = Launcher(relu_fixes)
    state = settled(study(TWO_SEEDS, second))
    assert state.status == "finished"
    assert [trainer.folder for trainer in second.started] == [trainer.folder for trainer in first.started]


def test_deleted_run_is_trained_again() -> None:
    first = settled(study(TWO_SEEDS, Launcher(relu_fixes)))
    assert first.rows[1].folder is not None
    shutil.rmtree(first.rows[1].folder)
    launcher = Launcher(relu_fixes)
    assert settled(study(TWO_SEEDS, launcher)).status == "finished"
    assert len(launcher.started) == 1


def test_live_run_is_followed() -> None:
    first = Launcher()
    left = study(TWO_SEEDS, first)
    settled(left)
    for trainer in first.started:
        write_run(trainer.folder, trainer.experiment, steps=30, end=None)
    left.close()
    second = Launcher(relu_fixes)
    again = study(TWO_SEEDS, second)
    state = settled(again)
    assert [row.state for row in state.rows] == ["running", "running", "waiting", "waiting"]
    assert second.started == [], "both places are taken by those that run"
    assert state.rows[0].step == 30
    assert state.rows[0].existed_before


def test_fresh_study_has_its_own_folder_and_the_newest_is_continued() -> None:
    first = settled(study(TWO_SEEDS, Launcher(relu_fixes)))
    launcher = Launcher(relu_fixes)
    second = settled(study(TWO_SEEDS, launcher, fresh=True))
    assert len(launcher.started) == 4
    assert second.folder != first.folder
    assert folder_of("two seeds", studies_root()) == second.folder
    assert {info.folder for info in list_studies()} == {first.folder, second.folder}
    assert [info.runs for info in list_studies()] == [4, 4]


def test_study_owned_by_another_process_is_followed_then_taken_over() -> None:
    launcher = Launcher(relu_fixes)
    looking = study(TWO_SEEDS, launcher)
    looking.folder.mkdir(parents=True)
    keeper = looking.folder / OWNER_FILE
    write_keeper(keeper, pid=1)
    state = settled(looking)
    assert launcher.started == []
    assert state.other_owner.startswith("process 1 on ")
    write_keeper(keeper, pid=2**22 + 1)
    state = settled(looking)
    assert (state.status, state.other_owner) == ("finished", "")
    assert len(launcher.started) == 4


def write_keeper(path: Path, pid: int) -> None:
    import msgspec

    from gradtui.runs.process import start_ticks
    from gradtui.study.study_folder import StudyOwner

    ours = StudyOwner.this_process()
    path.write_bytes(
        msgspec.json.encode(msgspec.structs.replace(ours, pid=pid, pid_started=start_ticks(pid)))
    )


# -- ending


def test_stop_ends_the_running_and_starts_no_more() -> None:
    launcher = Launcher()
    running = study(TWO_SEEDS, launcher)
    settled(running)
    running.stop()
    for trainer in launcher.started:
        assert [command.name for command in ControlReader(trainer.folder).poll()] == ["stop"]
        trainer.train(steps=20, end="stopped")
    state = settled(running)
    assert state.status == "stopped"
    assert len(launcher.started) == 2
    assert {row.state for row in state.rows} == {"stopped"}
    assert state.ranked == ()


def test_engine_that_cannot_be_made_is_a_problem_in_one_line() -> None:
    def missing(jobs: int | None, threads: int) -> LocalEngine:
        raise ImportError("pip install 'gradtui[elsewhere]'")

    state = open_study(loads(TWO_SEEDS), engine=missing).poll()
    assert (state.status, state.problem) == ("failed", "pip install 'gradtui[elsewhere]'")


def test_invalid_study_is_a_problem_in_one_line() -> None:
    spec: StudySpec = loads("grid = { net.0.width = [-1] }")
    state = open_study(spec, engine=engine(Launcher())).poll()
    assert state.done
    assert "net.0.width: -1 is not allowed" in state.problem
