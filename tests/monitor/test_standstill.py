"""Test that weights that do not move are found without a loss too, with a coarse number as the first cause."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

import gradtui
from gradtui.diagnosis.findings import Finding
from gradtui.diagnosis.monitor import diagnose_run

X = torch.randn(256, 8, generator=torch.Generator().manual_seed(1))
Y = (X[:, 0] > 0).long()


def found_in(kind: Any, rate: float, *, logs: bool, dtype: torch.dtype = torch.float32) -> list[Finding]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2)).to(dtype)
    optimizer = kind(model.parameters(), rate)
    probe = gradtui.watch(model, optimizer, budget=None)
    for _ in range(120):
        optimizer.zero_grad()
        pick = torch.randint(0, len(X), (32,))
        loss = functional.cross_entropy(model(X[pick].to(dtype)).float(), Y[pick])
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if logs:
            probe.log(loss=loss)
    probe.close()
    assert probe.run is not None
    return list(diagnose_run(gradtui.open_run(probe.run)).findings)


@pytest.mark.parametrize("logs", [True, False])
@pytest.mark.parametrize(
    ("kind", "rate"), [(torch.optim.SGD, 1e-7), (torch.optim.Adam, 1e-9), (torch.optim.SGD, 0.0)]
)
def test_a_rate_next_to_nothing_is_found(home: Path, kind: Any, rate: float, logs: bool) -> None:
    assert [one.code for one in found_in(kind, rate, logs=logs)] == ["not-learning"]


@pytest.mark.parametrize("logs", [True, False])
@pytest.mark.parametrize(("kind", "rate"), [(torch.optim.SGD, 0.1), (torch.optim.Adam, 3e-3)])
def test_a_rate_that_moves_the_weights_is_not(home: Path, kind: Any, rate: float, logs: bool) -> None:
    assert found_in(kind, rate, logs=logs) == []


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_bfloat16_that_rounds_the_update_away_is_named_first(home: Path, kind: Any) -> None:
    (found,) = found_in(kind, 1e-6, logs=True, dtype=torch.bfloat16)
    assert found.code == "not-learning"
    assert found.evidence.startswith("The updates are too small for bfloat16")
    assert found.cures[0].name == "keep the weights in float32"
    (other,) = found_in(kind, 1e-9, logs=True)
    assert "bfloat16" not in other.evidence


def test_bfloat16_that_learns_is_left_in_peace(home: Path) -> None:
    assert found_in(torch.optim.SGD, 0.3, logs=True, dtype=torch.bfloat16) == []


@pytest.mark.parametrize(
    ("depth", "scale", "dtype", "layers"),
    [
        (8, 1.0, torch.float16, ("0", "2")),
        (3, 1e-9, torch.float16, ("0", "2", "4")),
        (8, 1.0, torch.bfloat16, ()),
    ],
    ids=["first layers", "all layers", "bfloat16"],
)
def test_gradients_that_autocast_loses_are_an_underflow(
    tmp_path: Path, depth: int, scale: float, dtype: torch.dtype, layers: tuple[str, ...]
) -> None:
    torch.manual_seed(0)
    hidden = [part for _ in range(depth) for part in (nn.Linear(32, 32), nn.Sigmoid())]
    model = nn.Sequential(*hidden, nn.Linear(32, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = torch.randn(64, 32), torch.randint(4, (64,))
    with gradtui.watch(model, optimizer, runs=tmp_path, budget=None) as probe:
        for _ in range(120):
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=dtype):
                loss = nn.functional.cross_entropy(model(x), y) * scale
            loss.backward()
            optimizer.step()
        assert probe.run is not None
    findings = diagnose_run(gradtui.open_run(probe.run)).findings
    assert [one.layers[: len(layers)] for one in findings if one.code == "underflow"] == [layers] * bool(
        layers
    )
    assert not [one for one in findings if one.code == "no-gradient"]
