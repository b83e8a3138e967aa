"""Test how weights that were trained before are distinguished from fresh ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from gradtui.monitor.freshness import weights_of

BUILDERS: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 3)),
    "conv": lambda: nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8 * 4, 3)),
    "transposed": lambda: nn.ConvTranspose2d(8, 4, 3),
    "transformer": lambda: nn.TransformerEncoderLayer(16, 2, 32),
    "recurrent": lambda: nn.LSTM(4, 8),
    "bilinear": lambda: nn.Bilinear(3, 4, 5),
    "embedding": lambda: nn.Embedding(10, 4),
}


@pytest.fixture(params=BUILDERS)
def model(request: pytest.FixtureRequest) -> nn.Module:
    return BUILDERS[request.param]()


def test_what_torch_has_just_made_is_fresh(model: nn.Module) -> None:
    assert weights_of([model], [torch.optim.Adam(model.parameters())]) == "fresh"
    for made in (torch.optim.Adagrad, torch.optim.SGD, torch.optim.RMSprop):
        assert weights_of([model], [made(model.parameters(), lr=0.1)]) == "fresh"


@pytest.mark.parametrize(
    "init",
    [nn.init.zeros_, nn.init.kaiming_normal_, nn.init.orthogonal_, lambda w: nn.init.normal_(w, std=3)],
)
def test_so_is_what_a_script_has_initialised(init: Callable[[torch.Tensor], object]) -> None:
    model = BUILDERS["conv"]()
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            init(module.weight)
            nn.init.constant_(module.bias, 0.5)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)  # as DCGAN does
    assert weights_of([model], []) == "fresh"


def train(model: nn.Module, steps: int, lr: float = 0.02) -> torch.optim.Optimizer:
    optimizer = torch.optim.SGD(model.parameters(), lr, momentum=0.9)
    for _ in range(steps):
        out = model(torch.randn(16, 1, 4, 4))
        nn.functional.cross_entropy(out, torch.randint(0, 3, (16,))).backward()
        optimizer.step()
        optimizer.zero_grad()
    return optimizer


def test_an_optimizer_that_has_taken_a_step() -> None:
    model = BUILDERS["conv"]()
    assert weights_of([model], [train(model, 1)]) == "trained"


def test_an_optimizer_that_was_loaded() -> None:
    model, other = BUILDERS["conv"](), BUILDERS["conv"]()
    fresh = torch.optim.SGD(other.parameters(), 0.1, momentum=0.9)
    fresh.load_state_dict(train(model, 3).state_dict())
    assert weights_of([other], [fresh]) == "trained"


def test_weights_that_were_trained_in_this_process() -> None:
    model = BUILDERS["linear"]()
    for _ in range(30):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(1e-9)
    assert weights_of([model], [torch.optim.Adam(model.parameters())]) == "trained"


def test_loaded_weights_count_as_trained() -> None:
    model, other = BUILDERS["conv"](), BUILDERS["conv"]()
    train(model, 150, lr=0.2)
    other.load_state_dict(model.state_dict())
    assert weights_of([other], []) == "trained"


def test_a_frozen_body_of_unknown_weights_counts_as_trained() -> None:
    body, head = nn.Linear(64, 64, bias=False), nn.Linear(64, 2)
    assert weights_of([nn.Sequential(body.requires_grad_(False), head)], []) == "trained"


def test_a_frozen_body_that_looks_fresh_does_not() -> None:
    body, head = nn.Linear(64, 64), nn.Linear(64, 2)
    assert weights_of([nn.Sequential(body.requires_grad_(False), head)], []) == "fresh"


def test_parametrised_weights_are_not_computed() -> None:
    """A spectral norm takes a step of its power iteration at each access to its weight."""
    torch.manual_seed(0)
    model = nn.Sequential(parametrizations.spectral_norm(nn.Linear(8, 8)), nn.ReLU(), nn.Linear(8, 1))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert weights_of([model], [torch.optim.SGD(model.parameters(), 0.1)]) == "fresh"
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
