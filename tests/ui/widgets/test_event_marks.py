"""Test the marks that the events of a run put on its curves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradtui.charts.marks import MARK_KINDS, CurveMark
from gradtui.experiment import Optimizer
from gradtui.runs.follower import Follower, Snapshot
from gradtui.runs.meta import RunMeta, TableMeta, write_meta
from gradtui.runs.reader import open_run
from gradtui.runs.writer import RunWriter
from gradtui.training.optimizers import rate_factor
from gradtui.ui.widgets.event_marks import EventMarks, jumps_of

SCALARS = ("loss", "lr", "clipped")


class Story:
    """A run whose events are given one by one."""

    def __init__(self, folder: Path, steps: int = 100) -> None:
        meta = RunMeta.of_this_process(
            id="story",
            name="story",
            experiment=None,
            layers=(),
            tables={"scalars": TableMeta(SCALARS, "scalars")},
            steps=steps,
        )
        write_meta(folder, meta)
        self.folder = folder
        self.writer = RunWriter(folder, {"scalars": SCALARS})

    def rows(self, lr: list[float], clipped: list[float] | None = None, first: int = 1) -> Story:
        for step, rate in enumerate(lr, first):
            cut = clipped[step - first] if clipped is not None else 0.0
            self.writer.append("scalars", step, np.array([1.0, rate, cut]), time=1e9 + step)
        return self

    def event(self, event: str, step: int, **fields: Any) -> Story:
        self.writer.event(event, step, **fields)
        return self

    def snapshot(self) -> Snapshot:
        self.writer.flush()
        snapshot = Follower(open_run(self.folder)).poll()
        assert snapshot is not None
        return snapshot


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path)


def told(story: Story, *findings: tuple[str, int]) -> dict[float, str]:
    """Kind and text of each mark by its step."""
    marks = EventMarks().marks(story.snapshot(), findings)
    return {mark.step: f"{mark.kind}: {mark.text}" for mark in marks.signs}


def test_changes_by_a_viewer_are_marked(story: Story) -> None:
    story.rows([0.1] * 20 + [0.02] * 30)
    story.event("control", 20, wish="set", set={"optimizer.lr": 0.02})
    story.event("control", 30, wish="set", set={"cures.clip_norm": 0.5, "optimizer.momentum": 0.9})
    story.event("control", 40, wish="set", set={"cures.clip_norm": 0.0})
    story.event("control", 41, wish="checkpoint")
    assert told(story) == {
        20: "lr: lr 0.02",
        30: "set: clip_norm 0.5, momentum 0.9",
        40: "set: clip_norm off",
    }


def test_pauses_checkpoints_and_a_stay_at_one_step(story: Story) -> None:
    story.rows([0.1] * 50).event("checkpoint", 10, path="checkpoints/10")
    story.event("paused", 20).event("resumed", 20)
    story.event("paused", 30).event("resumed", 33)
    assert told(story) == {
        10: "checkpoint: checkpoint",
        20: "paused: paused",
        30: "paused: paused",
        33: "resumed: resumed",
    }


def test_events_after_the_step_of_a_rollback_are_not_marked(story: Story) -> None:
    story.rows([0.1] * 20).event("checkpoint", 10, path="x").event("paused", 15).event("rewound", 10)
    story.event("checkpoint", 18, path="y")
    snapshot = story.snapshot()
    marks = EventMarks().marks(snapshot, ())
    assert [(mark.step, mark.kind) for mark in marks.signs] == [
        (10, "checkpoint"),
        (10, "rewound"),
        (18, "checkpoint"),
    ]


def test_recorded_and_new_findings_are_marked_once_each(story: Story) -> None:
    story.rows([0.1] * 20).event("finding", 12, code="vanishing")
    assert told(story, ("vanishing", 11), ("not-learning", 15)) == {
        11: "finding: vanishing",
        15: "finding: not-learning",
    }


def test_events_are_read_once_and_anew_when_another_run_comes(story: Story) -> None:
    story.rows([0.1] * 20).event("paused", 5)
    happenings = EventMarks()
    first = happenings.marks(story.snapshot(), ())
    assert happenings.marks(story.snapshot(), ()).same_as(first)
    story.event("resumed", 7)
    assert len(happenings.marks(story.snapshot(), ()).signs) == 2
    happenings.clear()
    assert len(happenings.marks(story.snapshot(), ()).signs) == 2


def test_clipped_steps_are_no_signs(story: Story) -> None:
    snapshot = story.rows([0.1] * 20, [float(step % 2) for step in range(20)]).snapshot()
    marks = EventMarks().marks(snapshot, ())
    assert marks.signs == ()
    assert marks.clipped is not None
    assert np.asarray(marks.clipped.share).sum() == 10
    story.rows([0.1] * 20, first=21)


def test_never_clipped_is_no_band(story: Story) -> None:
    assert EventMarks().marks(story.rows([0.1] * 20).snapshot(), ()).clipped is None


@pytest.mark.parametrize("steps", [100, 500, 3000, 20_000])
def test_a_step_schedule_is_marked_where_it_steps(tmp_path: Path, steps: int) -> None:
    optimizer = Optimizer(lr=0.1, schedule="step")
    story = Story(tmp_path, steps).rows([0.1 * rate_factor(optimizer, s, steps) for s in range(1, steps + 1)])
    signs = EventMarks().marks(story.snapshot(), ()).signs
    assert [mark.text for mark in signs] == ["lr 0.1 → 0.01", "lr 0.01 → 0.001"]
    stride = max(1, steps // 200)
    assert signs[0].step == pytest.approx(steps // 2 + 1, abs=stride)
    assert signs[1].step == pytest.approx(3 * steps // 4 + 1, abs=stride)


@pytest.mark.parametrize("steps", [20, 500, 20_000])
@pytest.mark.parametrize(
    "optimizer", [Optimizer(schedule="cosine"), Optimizer(schedule="cosine", warmup_steps=10)]
)
def test_gradual_rate_change_is_not_marked(tmp_path: Path, steps: int, optimizer: Optimizer) -> None:
    story = Story(tmp_path, steps).rows([0.1 * rate_factor(optimizer, s, steps) for s in range(1, steps + 1)])
    assert EventMarks().marks(story.snapshot(), ()).signs == ()


@pytest.mark.parametrize("steps", [500, 5000])
def test_commanded_rate_change_is_marked_only_once(tmp_path: Path, steps: int) -> None:
    half = steps // 2 + 3
    story = Story(tmp_path, steps).rows([0.1] * half + [0.01] * (steps - half))
    story.event("control", half, wish="set", set={"optimizer.lr": 0.01})
    assert EventMarks().marks(story.snapshot(), ()).signs == (CurveMark(half, "lr", "lr 0.01"),)


def test_jumps_of_the_rate_are_marked() -> None:
    assert jumps_of([1, 2, 3, 4], [0.1, 0.1, 0.2, 0.2]) == [(2, 3, 3, 0.1, 0.2)]
    assert jumps_of([1, 2, 3, 4], [0.1, 0.15, 0.2, 0.2]) == [(1, 2, 3, 0.1, 0.2)]
    assert jumps_of([1, 2, 3, 4], [0.1, 0.1000001, 0.1, 0.1]) == []
    assert jumps_of([1, 2], [float("nan"), 0.1]) == []
    assert jumps_of([], []) == []


def test_every_kind_that_is_reported_has_a_sign(story: Story) -> None:
    story.rows([0.1] * 60).event("control", 1, set={"optimizer.lr": 1.0}).event(
        "control", 2, set={"cures.l2": 1.0}
    )
    story.event("paused", 3).event("resumed", 4).event("checkpoint", 5).event("rewound", 50).event(
        "finding", 6, code="x"
    )
    broke = {
        "reason": "nonfinite",
        "measure": "loss",
        "loss": float("nan"),
        "part": "",
        "before": 2.0,
        "layer": "",
        "batch": [],
    }
    story.event("broke", 55, **broke).event("recovered", 58)
    assert {mark.kind for mark in EventMarks().marks(story.snapshot(), ()).signs} == set(MARK_KINDS)
