"""Define fixtures and the norm oracle that the tests of the script monitor share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import gradtui
from gradtui.monitor.watch import Probe
from gradtui.runs.reader import Run


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of runs that `watch` takes by default."""
    monkeypatch.setenv("GRADTUI_HOME", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["train.py"])
    return tmp_path / "runs"


@pytest.fixture
def opened() -> Callable[[Probe], Run]:
    """The run of a probe, once everything is written."""

    def close_and_open(probe: Probe) -> Run:
        probe.close()
        assert probe.run is not None
        return gradtui.open_run(probe.run)

    return close_and_open


def oracle(parameters: list[nn.Parameter]) -> float:
    """L2 norm of their gradients, the plain way; NaN where none has one."""
    gradients = [p.grad.to_dense().flatten() for p in parameters if p.grad is not None]
    return float(torch.cat([g.to(torch.complex128).abs() for g in gradients]).norm()) if gradients else np.nan
