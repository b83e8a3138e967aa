"""Test that all parts judge a run alike: each preset is trained, and replayed for every part that judges."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace as replace_fields

from gradtui import metrics
from gradtui.cli import main
from gradtui.diagnosis import diagnose
from gradtui.diagnosis.monitor import RunMonitor, diagnose_run
from gradtui.experiment import resolve
from gradtui.experiment.presets import names
from gradtui.experiment.presets.curriculum import place_of
from gradtui.report.run_json import run_object
from gradtui.runs.library import list_runs
from gradtui.runs.reader import open_run
from gradtui.training.launch import create_run
from gradtui.ui.followed_run import FollowedRun
from gradtui.ui.screens.lab.findings_pane import findings_text
from gradtui.ui.screens.lab.headline import headline_of
from gradtui.ui.shown_diagnosis import ShownDiagnosis
from gradtui.ui.widgets.status_bar import progress_of
from tests.support.replay import Replay
from tests.ui.conftest import MakeRun

LIGHT, HEAVY = 0.002, 0.4
"""The seconds that a diagnosis takes on an idle machine and on a loaded one."""


class Clock:
    """A Clock is the time of the run monitor: a diagnosis takes as long as the test wants."""

    def __init__(self, cost: float) -> None:
        self.now, self._cost = 0.0, cost

    def monotonic(self) -> float:
        """Return the time; each look at the clock costs half a diagnosis, which looks twice."""
        self.now += self._cost / 2
        return self.now


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Return a function that trains a preset once."""
    root = tmp_path_factory.mktemp("recorded")
    known: dict[str, Path] = {}

    def train(name: str) -> Path:
        if name not in known:
            # Each preset is alone in its folder, since a deep run is compared with shallower ones beside it.
            known[name] = folder = create_run(resolve(name), root / name)
            command = [sys.executable, "-m", "gradtui.training", str(folder)]
            subprocess.run(command, check=True, capture_output=True)
        return known[name]

    return train


def frames(last: int) -> list[int]:
    """Return the steps at which a frame is painted: every one of the first, then about sixty."""
    stride = max(1, last // 60)
    return [*range(1, min(6, last)), *range(6, last, stride), last]


def kind(text: str) -> str:
    """Return what a text says by its mark: a problem, that it is checking, or neither."""
    return {"✖": "problem", "▲": "problem", "◌": "checking"}.get(text[:1], "")


def check_frame(run: FollowedRun, painted: ShownDiagnosis) -> None:
    """Assert that headline, findings pane and status of one frame say the same."""
    assert run.data is not None
    assert run.snapshot is not None
    assert run.experiment is not None
    metric = metrics.get(run.data.request.metric)
    headline = headline_of(metric.headline(run.data.names, run.data.values.tolist()), painted, run.data.step)
    pane = findings_text(painted, run.data.step).plain
    status = progress_of(run, run.experiment).judgement
    assert status is not None
    where = f"step {run.data.step}: {headline.plain!r} / {pane!r} / {status}"
    state = painted.judgement.state
    assert kind(headline.plain) == ("" if state == "clean" else state), where
    assert kind(pane) == ("" if state == "clean" else state), where
    assert ("No problems found" in pane) == (state == "clean"), where
    assert status == painted.judgement, where
    red = any("error" in str(span.style) for span in headline.spans)
    assert red == (state == "problem" and painted.judgement.critical), where
    if painted.judgement.codes:
        mark = painted.judgement.mark[0]
        assert headline.plain.startswith(f"{mark} {painted.judgement.codes[0]} "), where
        if painted.judgement.codes[0] == "exploding" and "weaker" in headline.plain:
            assert " · now " in headline.plain or " · in this chart " in headline.plain, where
        assert f"{mark} {painted.judgement.codes[0]}  since" in pane, where
    bad = {stat.label for stat in run.stats if stat.bad}
    assert not bad or state == "problem", f"{where} / {bad}"
    if state == "clean":
        loss, norm = (run.snapshot.curves[name].mean for name in ("loss", "grad_norm"))
        assert math.isfinite(loss[-1]), where
        assert norm[-1] <= 1e6 * norm[0], where


def check_others(run: FollowedRun, monitor: RunMonitor, judged: bool) -> None:
    """Assert that the list of runs and `gradtui diagnose` do not contradict the lab."""
    [listed] = list_runs(run.folder.parent)
    lab, list_ = run.diagnosis.newest_judgement, listed.summary.judgement
    where = f"step {monitor.run.steps}: lab {lab}, list {list_}"
    assert set(list_.codes) <= set(lab.codes), where
    assert list_.state != "clean" or lab.state == "clean", where
    if judged and lab.state == "clean":
        assert run_object(monitor.run, diagnose_run(monitor.run).findings)["findings"] == [], where


def play(recorded: Path, root: Path, clock: Clock) -> tuple[FollowedRun, RunMonitor]:
    """Play a run and check each frame; return how it ended."""
    replay = Replay(recorded, root / "played")
    run = FollowedRun(cast(Any, None), replay.folder)
    monitor = RunMonitor(replay.folder)
    clean_at: list[int] = []
    for step in frames(replay.last):
        replay.play(step)
        before = monitor.evidence

        def paint(waits: bool) -> None:
            check_frame(run, run.diagnosis)

        clock.now += 0.1
        run.read_new(monitor, paint)
        judged = monitor.evidence is not before
        if judged and monitor.evidence is not None and not monitor.pending and not diagnose(monitor.evidence):
            # A finding that was shown stays for a few clean checks, which count.
            clean_at.append(step)
        elif judged:
            clean_at.clear()
        if run.diagnosis.newest_judgement.state == "clean" and run.live:
            assert len(clean_at) >= 2, f"clean at step {step} after checks at {clean_at}"
            # What a rule waits for is not an all-clear, as where a recurrent net may still learn.
            assert monitor.evidence is not None
            ended = diagnose(replace(monitor.evidence, finished=True))
            assert not [found.code for found in ended if found.severity == "critical"], (
                f"clean at step {step}"
            )
        check_others(run, monitor, judged)
    replay.close()
    return run, monitor


@pytest.mark.parametrize(
    ("steps", "objection", "sentence"),
    [
        (10, "", "◌ Too few steps to judge."),
        (200, "", "✓ No problems found."),
        (200, "the loss is NaN", "▲ No rule found a problem, but the loss is NaN."),
    ],
)
def test_reports_say_of_a_run_without_findings_what_the_list_of_runs_says(
    steps: int,
    objection: str,
    sentence: str,
    make_run: MakeRun,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for module in ("monitor", "judged"):
        monkeypatch.setattr(f"gradtui.diagnosis.{module}.objection_of", lambda run: objection)
    experiment = resolve("relu-20")
    run = replace_fields(experiment.run, steps=steps)
    folder = make_run(replace_fields(experiment, run=run), decades=0.2, steps=steps)
    assert main(["diagnose", str(folder)]) == 0
    assert sentence in capsys.readouterr().out
    assert main(["report", str(folder), str(tmp_path / "page.md")]) == 0
    assert sentence in (tmp_path / "page.md").read_text()
    [listed] = list_runs(folder.parent)
    assert listed.summary.judgement.without_finding == sentence


@pytest.mark.long
@pytest.mark.parametrize("cost", [LIGHT, HEAVY], ids=["light", "heavy"])
@pytest.mark.parametrize("name", names())
def test_every_part_says_the_same_of_a_preset_in_every_frame(
    name: str, cost: float, recorded: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(cost)
    monkeypatch.setattr("gradtui.diagnosis.monitor.time", clock)
    run, monitor = play(recorded(name), tmp_path, clock)
    assert not run.live
    found = [
        finding["code"] for finding in run_object(monitor.run, diagnose_run(monitor.run).findings)["findings"]
    ]
    [listed] = list_runs(run.folder.parent)
    lab = run.diagnosis.newest_judgement
    place = place_of(name)
    assert place is not None
    assert sorted(found) == sorted(place[1].shows), "as the list of presets says"
    assert sorted(found) == sorted(lab.codes) == sorted(listed.summary.findings)
    assert listed.summary.judgement == lab
    assert [finding.code for finding in diagnose_run(open_run(recorded(name))).findings] == found
