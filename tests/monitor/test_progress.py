"""Test the number by which a script reports its progress."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import gradtui
from gradtui.diagnosis.monitor import diagnose_run
from gradtui.diagnosis.reading import evidence_of
from gradtui.report.run_json import run_object
from gradtui.runs.reader import Run, open_run

STEPS = 240


def watched(runs: Path, **options: Any) -> Run:
    """Record a net that cannot learn, since its labels are random, and log a number that rises."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    probe = gradtui.watch(model, optimizer, runs=runs, budget=None)
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(torch.randn(64, 8)), torch.randint(4, (64,)))
        loss.backward()
        optimizer.step()
        probe.log(loss=loss)
        if step % 10 == 9:
            probe.log(metric=step / 10 + step % 3, **options)
    probe.close()
    assert probe.run is not None
    return open_run(probe.run)


@pytest.mark.parametrize(
    ("options", "codes"),
    [
        ({}, ["not-learning"]),
        ({"higher_is_better": True}, []),
        ({"higher_is_better": False}, ["not-learning"]),
        ({"higher_is_better": True, "metric_name": "return"}, []),
    ],
    ids=["a mere curve", "higher", "lower", "named"],
)
def test_a_metric_that_is_said_to_be_progress_counts_as_learning(
    tmp_path: Path, options: dict[str, Any], codes: list[str]
) -> None:
    run = watched(tmp_path, **options)
    assert [finding.code for finding in diagnose_run(run).findings] == codes
    name = options.get("metric_name", "metric")
    steps, values = run.scalars(name)
    assert list(steps) == list(range(10, STEPS + 1, 10))
    told = run_object(run, []).get("metric")
    progress = evidence_of(run).progress
    if "higher_is_better" not in options:
        assert told is None
        assert not len(progress)
        return
    higher = options["higher_is_better"]
    best = max(values) if higher else min(values)
    first, last = float(values[0]), float(values[-1])
    assert told == {
        "name": name,
        "higher_is_better": higher,
        "first": pytest.approx(first, rel=1e-6),
        "last": pytest.approx(last, rel=1e-6),
        "best": pytest.approx(best, rel=1e-6),
    }
    assert list(progress.values) == pytest.approx(list(values if higher else -values))


@pytest.mark.parametrize(
    ("name", "codes"),
    [("train_loss", ["not-learning"]), ("Loss/train", ["not-learning"]), ("val_loss", []), ("errD", [])],
)
def test_the_training_loss_is_known_by_other_names(tmp_path: Path, name: str, codes: list[str]) -> None:
    # No backward pass has a root here, so that the logged number is all that is known.
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    probe = gradtui.watch(model, optimizer, runs=tmp_path)
    for _ in range(STEPS):
        loss = nn.functional.cross_entropy(model(torch.randn(64, 8)), torch.randint(4, (64,)))
        for parameter, gradient in zip(
            model.parameters(), torch.autograd.grad(loss, list(model.parameters())), strict=True
        ):
            parameter.grad = gradient
        optimizer.step()
        probe.log({name: loss})
    probe.close()
    assert probe.run is not None
    assert [finding.code for finding in diagnose_run(open_run(probe.run)).findings] == codes
