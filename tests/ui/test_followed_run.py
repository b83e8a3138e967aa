"""Test a followed run without a screen."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from gradtui import metrics
from gradtui.diagnosis.findings import CODES, Finding
from gradtui.report.divergences import RecordedDivergence
from gradtui.runs.follower import Follower
from gradtui.runs.reader import open_run
from gradtui.ui.followed_run import FollowedRun
from gradtui.ui.run_stats import RunStat, first_visible_step, run_stats
from tests.ui.conftest import MakeRun


@pytest.mark.parametrize("paints", [True, False])
def test_the_thread_that_follows_a_run_stops_when_it_is_closed(
    paints: bool, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stops between two readings, or while it waits to be painted: an app that is left is gone at once."""
    monkeypatch.setattr("gradtui.ui.followed_run.READ_SECONDS_ENDED", 3600.0)
    seen = threading.Semaphore(0)

    class Screen:
        def post_message(self, message: Any) -> None:
            if paints:
                message.followed.painted.set()
            seen.release()

    followed = FollowedRun(cast(Any, Screen()), make_run(steps=3))
    follower = threading.Thread(
        target=followed.follow, args=(SimpleNamespace(is_cancelled=False),), daemon=True
    )
    follower.start()
    assert seen.acquire(timeout=60)
    if paints:
        assert seen.acquire(timeout=60)
    followed.close()
    follower.join(60)
    assert not follower.is_alive()


def test_a_figure_is_marked_as_bad_only_where_its_finding_was_found(make_run: MakeRun) -> None:
    """A red figure beside "no problems found" would contradict it."""
    snapshot = Follower(open_run(make_run(steps=3))).poll()
    assert snapshot is not None
    dead = {"dead_fraction": np.array([0.1, 0.97])}
    for codes in ((), ("vanishing",), ("vanishing", "dead-units")):
        bad = [stat for stat in run_stats(snapshot, dead, ("a", "b"), codes) if stat.bad]
        expected = [RunStat("dead", "97% in b", True)] if "dead-units" in codes else []
        assert bad == expected
    # Neither a fraction nor a signed value that is written as 0 has a layer that is worst.
    small = {"dead_fraction": np.array([0.001, 0.002]), "activation_mean": np.array([0.001, -0.004])}
    figures = {stat.label: stat.figure for stat in run_stats(snapshot, small, ("a", "b"))}
    assert (figures["dead"], figures["mean"]) == ("0%", "0")


def test_the_finding_that_marks_a_figure_is_one_that_rules_find() -> None:
    for metric in metrics.with_figure():
        assert metric.figure is not None
        assert metric.figure.finding in ("", *CODES)


def test_the_first_bad_step_is_one_at_which_the_charts_show_it(make_run: MakeRun) -> None:
    """The outputs' gradient may explode at a step at which that of the weights is still even."""
    even, steep = open_run(make_run(steps=60, decades=0.0)), open_run(make_run(steps=60, decades=3.0))
    exploding, other = Finding.of("exploding", 1, (), ""), Finding.of("nonfinite", 9, (), "")
    jumps = [RecordedDivergence(2, "jump", "", ""), RecordedDivergence(4, "NaN", "", "")]
    assert first_visible_step(even, [exploding, other], jumps) == 2
    assert first_visible_step(even, [exploding, other], []) == 1
    assert first_visible_step(steep, [exploding, other], jumps) == 1
    assert first_visible_step(even, [Finding.of("vanishing", 1, (), "")], jumps) == 1
    assert first_visible_step(even, [], jumps) is None
