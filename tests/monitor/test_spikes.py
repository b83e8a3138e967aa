"""Test that single steps that stand out are named with their factor, layers and examples, as information."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import gradtui
from gradtui.diagnosis.monitor import RunDiagnosis, diagnose_run


def trained(
    odd: tuple[int, ...], *, clip: float, logs_first: bool = True, ids: Any = torch.tensor
) -> RunDiagnosis:
    """Train a regression in which the labels of some steps are in a wrong unit."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    probe = gradtui.watch(model, optimizer, budget=None)
    weights = torch.randn(8, 1)
    for step in range(1, 201):
        x = torch.randn(32, 8)
        y = x @ weights * (1000 if step in odd else 1)
        optimizer.zero_grad()
        (model(x) - y).square().mean().backward()
        if clip:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        batch = ids([1000 * step + number for number in range(32)])
        if logs_first:
            probe.log(batch=batch)
            optimizer.step()
        else:
            optimizer.step()
            probe.log(batch=batch)
    probe.close()
    assert probe.run is not None
    return diagnose_run(gradtui.open_run(probe.run))


@pytest.mark.parametrize(("logs_first", "ids"), [(True, torch.tensor), (False, list), (True, np.array)])
def test_the_steps_their_layers_and_their_examples_are_named(home: Path, logs_first: bool, ids: Any) -> None:
    told = trained((70, 150), clip=1.0, logs_first=logs_first, ids=ids)
    assert told.findings == ()
    (found,) = told.information
    assert (found.code, found.severity, found.step, found.layers) == ("spikes", "info", 70, ("0", "2"))
    for step in (70, 150):
        assert f"step {step} (" in found.evidence
        assert f"examples {1000 * step}, {1000 * step + 1}" in found.evidence
    assert found.evidence.endswith("clipping shortened them.")
    assert sorted(told.evidence.batches) == [69, 70, 71, 149, 150, 151]
    assert len(told.evidence.batches[70]) == 32


def test_without_clipping_nothing_caught_them(home: Path) -> None:
    (found,) = trained((120,), clip=0.0).information
    assert found.evidence.endswith("it was not clipped.")


def test_a_training_without_odd_batches_or_with_nothing_but_odd_ones_has_no_spikes(home: Path) -> None:
    assert trained((), clip=1.0).information == ()
    assert trained(tuple(range(50, 200, 10)), clip=1.0).information == ()
