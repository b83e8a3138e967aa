"""Test that a trainer does not import torch's compiler, and that the compiler is still there for what needs it."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys
import torch
from gradtui.training.without_compiler import postpone_compiler

postpone_compiler()
net = torch.nn.Linear(3, 3)
for kind in (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop):
    optimizer = kind(net.parameters(), lr=0.1)
    before = net.weight.detach().clone()
    net(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    assert not torch.equal(net.weight, before)
optimizer.load_state_dict(optimizer.state_dict())
assert "torch._dynamo.eval_frame" not in sys.modules, "an optimizer imported the compiler"
doubled = torch.compile(lambda x: 2 * x, backend="eager", fullgraph=True)
assert torch.equal(doubled(torch.ones(2)), torch.full((2,), 2.0))
import torch._dynamo.config
assert "torch._dynamo.eval_frame" in sys.modules
assert torch._dynamo is sys.modules["torch._dynamo"] and torch._dynamo.__file__
"""


@pytest.mark.long
def test_optimizers_step_without_the_compiler_and_it_is_imported_when_asked_for() -> None:
    result = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
