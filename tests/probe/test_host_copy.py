"""Test that numbers arrive in order and unchanged; the copies of CUDA can be tested only on CUDA."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gradtui.probe.host_copy import HostCopyQueue

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.mark.parametrize("device", DEVICES)
def test_copies_arrive_in_order(device: str) -> None:
    transfer: HostCopyQueue[int] = HostCopyQueue(torch.device(device))
    received = []
    for step in range(30):
        values = torch.full((3,), float(step), dtype=torch.float64, device=device)
        transfer.send(step, values, [torch.tensor(1e-30 * step, device=device), 0.5])
        received += transfer.receive()
    received += transfer.receive(wait=True)
    assert [tag for tag, _ in received] == list(range(30))
    for step, (values, numbers) in received:
        np.testing.assert_array_equal(values, [step] * 3)
        assert numbers == pytest.approx([1e-30 * step, 0.5], rel=1e-6)
    assert transfer.receive(wait=True) == []


def test_host_values_arrive_together_after_the_hold() -> None:
    held: HostCopyQueue[int] = HostCopyQueue(torch.device("cpu"), hold=1000.0)
    at_once: HostCopyQueue[int] = HostCopyQueue(torch.device("cpu"), hold=0.0)
    for step in range(20):
        for transfer in (held, at_once):
            transfer.send(step, np.ones(2), [])
    assert held.receive() == []
    assert len(at_once.receive()) == 20
    assert len(held.receive(wait=True)) == 20
