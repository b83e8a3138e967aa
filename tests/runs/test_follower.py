"""Test the follower of a growing run."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gradtui.runs import status
from gradtui.runs import table as reading
from gradtui.runs.events import EventLog
from gradtui.runs.follower import CURVE_BUCKETS, TIMELINE_ROWS, Follower, Snapshot, TableFollower
from gradtui.runs.meta import RunMeta, TableMeta, write_meta
from gradtui.runs.reader import open_run
from gradtui.runs.writer import RunWriter
from tests.support.run_folders import assert_summarises, columns_of, describe


class Training:
    """A trainer of our own, step by step."""

    def __init__(self, folder: Path, **meta: object) -> None:
        self.meta = describe(folder, **meta)  # type: ignore[arg-type]
        self.folder = folder
        self.writer = RunWriter(folder, columns_of(self.meta), flush_every=60)
        self.step = 0

    def train(self, steps: int, *, seconds: float = 0.01) -> None:
        for _ in range(steps):
            self.step += 1
            moment = 1e9 + self.step * seconds
            self.writer.append("scalars", self.step, [1 / self.step, 0.5, 0.1], moment)
            self.writer.append("grad_norm", self.step, [self.step, 1e-30, np.nan], moment)
        self.writer.flush()

    def says(self, event: str, **fields: object) -> None:
        self.writer.event(event, self.step, **fields)
        self.writer.flush()


def polled(follower: Follower) -> Snapshot:
    snapshot = follower.poll()
    assert snapshot is not None
    return snapshot


def test_a_snapshot_is_the_whole_state(tmp_path: Path) -> None:
    training = Training(tmp_path)
    training.says("phase", phase="training", text="training")
    training.train(100)
    training.says("evaluation", train_loss=0.5, train_accuracy=0.9, test_loss=0.6, test_accuracy=0.8)
    training.says("finding", code="vanishing", severity="critical")
    training.says("comet")
    snapshot = polled(Follower(open_run(tmp_path)))
    assert (snapshot.status.state, snapshot.status.phase) == ("running", "training")
    assert (snapshot.step, snapshot.steps, snapshot.metric) == (100, 500, "grad_norm")
    assert snapshot.layer_names == ("dense1", "dense2", "dense3")
    assert snapshot.latest_step == 100
    np.testing.assert_array_equal(snapshot.latest, np.float32([100, 1e-30, np.nan]))
    assert snapshot.timeline.rows.shape == (100, 3)
    assert snapshot.timeline.stride == 1
    assert set(snapshot.curves) == {"loss", "accuracy", "lr"}
    loss = snapshot.curves["loss"]
    np.testing.assert_array_equal(loss.mean, np.float32(1 / np.arange(1, 101)))
    assert loss.step.tolist() == list(range(1, 101))
    assert [event["test_accuracy"] for event in snapshot.evaluations] == [0.8]
    assert [event["code"] for event in snapshot.findings] == ["vanishing"]
    assert [event["event"] for event in snapshot.events] == ["phase", "evaluation", "finding", "comet"]
    assert snapshot.rate == pytest.approx(100, rel=0.01)
    assert snapshot.seconds_left == pytest.approx(4, rel=0.01)
    training.writer.close()


def test_poll_returns_none_and_reads_no_table_without_new_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = Training(tmp_path)
    training.train(10)
    follower = Follower(open_run(tmp_path))
    polled(follower)

    def never(*_: object) -> None:
        raise AssertionError("read though nothing changed")

    with monkeypatch.context() as patch:
        patch.setattr(reading, "read_records", never)
        for _ in range(5):
            assert follower.poll() is None
    training.train(1)
    assert polled(follower).step == 11
    training.says("paused")
    assert polled(follower).status.state == "paused"
    assert follower.poll() is None
    training.writer.close()


def test_a_run_is_followed_from_before_its_trainer_to_its_end(tmp_path: Path) -> None:
    tmp_path.joinpath("experiment.toml").write_text("")
    follower = Follower(open_run(tmp_path))
    snapshot = polled(follower)
    assert (snapshot.status.state, snapshot.step, snapshot.steps, snapshot.meta) == ("starting", 0, 0, None)
    assert snapshot.latest.shape == (0,)
    assert snapshot.timeline.fold(5)[0].shape == (0, 0)
    assert (snapshot.rate, snapshot.seconds_left, dict(snapshot.curves)) == (None, None, {})
    assert follower.poll() is None
    write_meta(tmp_path, RunMeta.of_this_process(id="x", name="x", steps=50))
    assert polled(follower).steps == 50
    training = Training(tmp_path, steps=50)
    snapshot = polled(follower)
    assert snapshot.layer_names == ("dense1", "dense2", "dense3")
    assert snapshot.timeline.rows.shape == (0, 3)
    training.train(50)
    training.says("end", status="finished", reason="")
    snapshot = polled(follower)
    assert (snapshot.status.state, snapshot.step, snapshot.seconds_left) == ("finished", 50, None)
    training.writer.close()


def test_death_of_a_trainer_is_noticed_although_no_file_changes(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    training = Training(tmp_path, pid=child.pid, pid_started=None)
    training.train(7)
    training.writer.close()
    follower = Follower(open_run(tmp_path))
    assert polled(follower).status.state == "running"
    assert follower.poll() is None
    child.kill()
    child.wait()
    told = polled(follower).status
    assert (told.state, told.reason) == ("died", "died at step 7")
    assert follower.poll() is None


def test_a_long_run_stays_bounded_and_whole(tmp_path: Path) -> None:
    training = Training(tmp_path)
    follower = Follower(open_run(tmp_path))
    for _ in range(9):
        training.train(700)
        snapshot = polled(follower)
        fresh = polled(Follower(open_run(tmp_path)))
        np.testing.assert_array_equal(snapshot.timeline.rows, fresh.timeline.rows)
        np.testing.assert_array_equal(snapshot.curves["loss"].mean, fresh.curves["loss"].mean)
    assert len(snapshot.timeline.rows) <= TIMELINE_ROWS < 2 * len(snapshot.timeline.rows)
    assert snapshot.timeline.recorded == 6300
    loss = snapshot.curves["loss"]
    assert len(loss) <= CURVE_BUCKETS < 2 * len(loss)
    values = np.float32(1 / np.arange(1, 6301))[:, None]
    edges = [*(loss.step - 1), 6300]
    for index, (start, stop) in enumerate(itertools.pairwise(edges)):
        got = (loss.min[index : index + 1], loss.mean[index : index + 1], loss.max[index : index + 1])
        assert_summarises(got, values[start:stop])
    training.writer.close()


@pytest.mark.parametrize("more", [0, 30, 500])
def test_rolled_back_run_is_read_again_from_its_beginning(tmp_path: Path, more: int) -> None:
    training = Training(tmp_path)
    training.train(100)
    training.says("evaluation", test_accuracy=0.1)
    follower = Follower(open_run(tmp_path))
    assert polled(follower).step == 100
    training.writer.close()
    again = RunWriter(tmp_path, columns_of(training.meta), resume_at=60)
    for step in range(61, 61 + more):
        again.append("scalars", step, [7, 7, 7], 2e9 + step)
        again.append("grad_norm", step, [7, 7, 7], 2e9 + step)
    again.close()
    snapshot = polled(follower)
    assert snapshot.step == 60 + more
    assert snapshot.evaluations == ()
    fresh = polled(Follower(open_run(tmp_path)))
    np.testing.assert_array_equal(snapshot.timeline.rows, fresh.timeline.rows)
    assert snapshot.timeline.recorded == 60 + more
    np.testing.assert_array_equal(snapshot.curves["loss"].max, fresh.curves["loss"].max)


def test_run_without_files_raises_nothing(tmp_path: Path) -> None:
    training = Training(tmp_path)
    training.train(100)
    training.writer.close()
    follower = Follower(open_run(tmp_path))
    polled(follower)
    for path in tmp_path.iterdir():
        path.unlink()
    os.rmdir(tmp_path)
    snapshot = polled(follower)
    assert len(snapshot.timeline.rows) == 0
    assert follower.poll() is None


@pytest.mark.parametrize(
    ("seconds", "steps", "rate"),
    [(0.01, 1000, 100), (0.5, 20, 2), (60.0, 5, 1 / 60), (0.01, 1, None), (0.0, 5, None)],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_the_rate_is_that_of_the_last_two_seconds(
    tmp_path: Path, seconds: float, steps: int, rate: float | None, at_once: bool
) -> None:
    training = Training(tmp_path, steps=0)
    follower = Follower(open_run(tmp_path))
    for part in [steps] if at_once else [1] * min(steps, 20):
        training.train(part, seconds=seconds)
        snapshot = polled(follower)
    assert snapshot.rate == (None if rate is None else pytest.approx(rate, rel=0.02))
    assert snapshot.seconds_left is None
    training.writer.close()


def test_rate_ignores_steps_older_than_two_seconds(tmp_path: Path) -> None:
    training = Training(tmp_path)
    follower = Follower(open_run(tmp_path))
    for step in range(1, 60):
        # A slow minute, then 10 a second.
        moment = 1e9 + (10.0 * step if step <= 6 else 60.0 + 0.1 * (step - 6))
        training.writer.append("scalars", step, [1, 1, 1], moment)
        training.writer.flush()
        snapshot = polled(follower)
    assert snapshot.rate == pytest.approx(10, rel=0.01)
    training.writer.close()


def test_a_pause_does_not_count_as_the_time_of_a_step(tmp_path: Path) -> None:
    training, now = Training(tmp_path), time.time()
    follower = Follower(open_run(tmp_path))

    def rate_after(step: int, moment: float) -> float | None:
        training.writer.append("scalars", step, [1, 1, 1], moment)
        training.writer.flush()
        return polled(follower).rate

    rates = [rate_after(step, now - 60 + 0.1 * step) for step in range(1, 20)]
    assert rates[-1] == pytest.approx(10, rel=0.01)
    training.says("paused")
    training.says("resumed")
    later = time.time()
    rates = [rate_after(20 + step, later + 0.2 * step) for step in range(1, 4)]
    # The first step after the pause tells no time yet.
    assert rates == pytest.approx([10, 5, 5], rel=0.02)
    training.writer.close()


def test_another_measure_can_be_followed_and_any_looked_up(tmp_path: Path) -> None:
    names = ("dense1", "dense2")
    tables = {
        "scalars": TableMeta(("loss",), "scalars"),
        "grad_norm": TableMeta(names),
        "dead_fraction": TableMeta(names),
    }
    training = Training(tmp_path, tables=tables)
    writer = training.writer
    for step in range(1, 21):
        writer.append("grad_norm", step, [step, step])
        if step % 5 == 0:
            writer.append("dead_fraction", step, [0.5, step])
    writer.close()
    follower = Follower(open_run(tmp_path))
    assert polled(follower).latest_step == 20
    found = follower.latest("dead_fraction")
    assert found is not None
    assert (found[0], found[1].tolist()) == (20, [0.5, 20])
    assert follower.latest("update_ratio") is None
    assert follower.latest("scalars") is None
    follower.follow_metric("dead_fraction")
    snapshot = polled(follower)
    assert (snapshot.metric, snapshot.timeline.steps.tolist()) == ("dead_fraction", [5, 10, 15, 20])
    follower.follow_metric("update_ratio")
    snapshot = polled(follower)
    assert (snapshot.timeline.rows.shape, snapshot.layer_names) == ((0, 0), ())
    assert follower.poll() is None


@pytest.mark.parametrize("moment", ["events", "tables", "process"])
def test_every_row_is_read_before_the_end_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """The trainer writes its last rows and its end, and goes, just after the follower has looked at …"""
    training = Training(tmp_path)
    training.train(5)
    follower = Follower(open_run(tmp_path))
    polled(follower)
    gone = False

    def finish() -> None:
        nonlocal gone
        if not gone:
            gone = True
            training.train(5)
            training.says("end", status="finished")

    def and_then_finish(look: Callable[..., object]) -> Callable[..., object]:
        def looked(*arguments: object) -> object:
            seen = look(*arguments)
            finish()
            return seen

        return looked

    match moment:
        case "events":
            monkeypatch.setattr(EventLog, "poll", and_then_finish(EventLog.poll))
        case "tables":
            monkeypatch.setattr(TableFollower, "poll", and_then_finish(TableFollower.poll))
        case "process":
            # It is found gone, and so the events are read once more.
            monkeypatch.setattr(status, "is_alive", and_then_finish(lambda *_: False))
    states = []
    while not states or states[-1].status.state != "finished":
        states.append(polled(follower))
    assert (states[-1].step, states[-1].timeline.recorded) == (10, 10)
    training.writer.close()


WRITER = """
import sys
import time
from pathlib import Path
import numpy as np
from gradtui.runs.meta import read_meta
from gradtui.runs.writer import RunWriter
folder = Path(sys.argv[1])
writer = RunWriter(folder, {"scalars": ["loss", "accuracy", "lr"], "grad_norm": ["a", "b", "c"]}, 0.005)
for step in range(1, 20_001):
    writer.append("scalars", step, [step, -step, np.nan if step % 100 == 0 else 0.5])
    writer.append("grad_norm", step, [step, step / 2, 1 / step])
    if step % 500 == 0:
        time.sleep(0.01)  # a quick machine would else be done between two looks
writer.event("end", 20_000, status="finished", reason="")
writer.close()
assert writer.error is None
"""


def test_another_process_is_followed_while_it_writes(tmp_path: Path) -> None:
    describe(tmp_path)
    follower = Follower(open_run(tmp_path))
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)])
    seen, snapshot = [], polled(follower)
    while snapshot.status.state != "finished":
        assert child.poll() in (None, 0)
        fresh = follower.poll()
        if fresh is None:
            time.sleep(0.001)
            continue
        snapshot = fresh
        seen.append(snapshot.step)
        table = snapshot.timeline
        # Every state is that of a prefix: what its rows say follows from how many there are.
        if table.recorded:
            np.testing.assert_array_equal(table.steps, np.arange(len(table.rows)) * table.stride + 1)
            counts = np.full(len(table.rows), table.stride)
            counts[-1] = table.last_count
            np.testing.assert_allclose(table.rows[:, 0], table.steps + (counts - 1) / 2, rtol=1e-5)
            assert snapshot.latest_step == table.recorded
    assert child.wait() == 0
    assert seen == sorted(seen)
    assert len(set(seen)) > 3
    # Who is told the end has seen every row.
    assert (snapshot.step, snapshot.timeline.recorded) == (20_000, 20_000)
    assert np.isnan(snapshot.curves["lr"].mean).any()
