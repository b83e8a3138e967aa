"""The layers stand in the order of their use, which is read from the graphs of the first backward passes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import gradtui
from gradtui.monitor.watch import Probe


def names(probe: Probe) -> list[str]:
    probe.close()
    assert probe.run is not None
    return gradtui.open_run(probe.run).layer_names


class Checkpointed(nn.Module):
    """A Checkpointed net registers its layers from the last to the first, and computes two of them again."""

    def __init__(self, *, reentrant: bool) -> None:
        super().__init__()
        self.d, self.c, self.b, self.a = (nn.Linear(4, 4) for _ in range(4))
        self.reentrant = reentrant

    def forward(self, x: Tensor) -> Tensor:
        """Call a, b, c and d; b and c in a checkpoint."""
        x = torch.tanh(self.a(x))
        x = checkpoint(lambda x: self.c(torch.tanh(self.b(x))), x, use_reentrant=self.reentrant)  # type: ignore[assignment]
        out: Tensor = self.d(torch.tanh(x))
        return out


@pytest.mark.parametrize("reentrant", [False, True])
def test_layers_within_a_checkpoint_stand_where_it_stands(home: Path, reentrant: bool) -> None:
    model = Checkpointed(reentrant=reentrant)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    probe = gradtui.watch(model, optimizer, budget=None)
    model(torch.ones(2, 4)).sum().backward()
    optimizer.step()
    assert names(probe) == ["a", "b", "c", "d"]


def test_a_scripted_model_that_has_run_before_is_read_in_its_order(home: Path) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.b, self.a = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.b(torch.tanh(self.a(x)))

    model = torch.jit.script(Net())  # type: ignore[no-untyped-call]
    for _ in range(3):
        # From its second run on a whole graph is one node.
        model(torch.ones(2, 4)).sum().backward()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    probe = gradtui.watch(model, optimizer, budget=None)
    model(torch.ones(2, 4)).sum().backward()
    optimizer.step()
    assert names(probe) == ["a", "b"]


def test_the_passes_of_a_whole_round_tell_the_order_of_a_second_model(home: Path) -> None:
    class Generator(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.out, self.first = nn.Linear(8, 2), nn.Linear(2, 8)

        def forward(self, z: Tensor) -> Tensor:
            out: Tensor = self.out(torch.relu(self.first(z)))
            return out

    generator, critic = Generator(), nn.Linear(2, 1)
    optimizers = {
        name: torch.optim.SGD(one.parameters(), 0.1) for name, one in (("D", critic), ("G", generator))
    }
    probe = gradtui.watch({"G": generator, "D": critic}, optimizers, budget=None)
    for _ in range(2):
        for name, optimizer in optimizers.items():
            optimizer.zero_grad()
            made = generator(torch.ones(3, 2))
            critic(made.detach() if name == "D" else made).mean().backward()
            optimizer.step()
    # The critic's step comes first, and its pass does not reach the generator.
    assert names(probe) == ["G.first", "G.out", "D"]
    assert probe.run is not None
    run = gradtui.open_run(probe.run)
    assert len(run.scalars("grad_norm")[1]) == 2
    assert (run.layers("weight_norm")[1][0] > 0).all()


def test_without_a_backward_pass_the_layers_stand_as_they_are_registered(home: Path) -> None:
    model = Checkpointed(reentrant=False)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    probe = gradtui.watch(model, optimizer, budget=None)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    assert names(probe) == ["d", "c", "b", "a"]


def test_a_first_pass_within_the_step_tells_the_order(home: Path) -> None:
    model = Checkpointed(reentrant=False)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    probe = gradtui.watch(model, optimizer, budget=None)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss: Tensor = model(torch.ones(2, 4)).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    for _ in range(2):
        optimizer.step(closure)  # type: ignore[arg-type]
    assert names(probe) == ["a", "b", "c", "d"]


def test_a_model_that_is_watched_after_its_first_pass_shows_all_steps_in_order(home: Path) -> None:
    model = Checkpointed(reentrant=False)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    model(torch.ones(2, 4)).sum().backward()
    probe = gradtui.watch(model, optimizer, budget=None)
    for _ in range(3):
        optimizer.step()
        optimizer.zero_grad()
        model(torch.ones(2, 4)).sum().backward()
    assert names(probe) == ["a", "b", "c", "d"]
    assert probe.run is not None
    assert len(gradtui.open_run(probe.run).scalars("grad_norm")[1]) == 3


def test_the_last_round_of_optimizers_that_take_turns_is_kept(home: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    turns = [torch.optim.SGD(part.parameters(), 0.1) for part in model]
    probe = gradtui.watch(model, turns, budget=None)
    norms = []
    for optimizer in (turns[0], turns[0], turns[1], turns[1], turns[1]):
        model.zero_grad()
        model(torch.ones(2, 4)).square().sum().backward()
        grads = [p.grad for group in optimizer.param_groups for p in group["params"]]
        norms.append(float(torch.cat([grad.flatten() for grad in grads]).norm()))
        optimizer.step()
    probe.close()
    assert probe.run is not None
    _, found = gradtui.open_run(probe.run).layers("grad_norm")
    # The second and third step make one round.
    want = [[norms[0], None], [norms[1], norms[2]], [None, norms[3]], [None, norms[4]]]
    kept = [[None if value != value else value for value in row] for row in found.tolist()]
    assert kept == [[None if v is None else pytest.approx(v, rel=1e-5) for v in row] for row in want]
