"""Test that layers are compared along a path, and that a healthy net has no finding at any step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import gradtui
from gradtui.diagnosis import diagnose
from gradtui.diagnosis.monitor import diagnose_run
from gradtui.runs.reader import Run


class Residual(nn.Module):
    def __init__(self, given: int, out: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(given, out, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(out), nn.BatchNorm2d(out)])
        self.short: nn.Module = (
            nn.Conv2d(given, out, 1, stride) if stride > 1 or given != out else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        inner = self.norms[1](self.second(functional.relu(self.norms[0](self.first(x)))))
        return functional.relu(inner + self.short(x))


class Inverted(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = 4 * width
        self.inner = nn.Sequential(
            nn.Conv2d(width, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU6(),
            nn.Conv2d(hidden, hidden, 3, 1, 1, groups=hidden, bias=False), nn.BatchNorm2d(hidden), nn.ReLU6(),
            nn.Conv2d(hidden, width, 1, bias=False), nn.BatchNorm2d(width),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Any:
        return x + self.inner(x)


class Head(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.out = nn.Linear(width, 4)

    def forward(self, x: Tensor) -> Any:
        return self.out(x.mean((2, 3)))


def resnet() -> nn.Module:
    blocks = [Residual(16, 16, 1), Residual(16, 32, 2), Residual(32, 32, 1), Residual(32, 64, 2)]
    return nn.Sequential(nn.Conv2d(3, 16, 7, 2, 3), nn.BatchNorm2d(16), nn.ReLU(), *blocks, Head(64))


def mobilenet() -> nn.Module:
    down = nn.Conv2d(16, 24, 3, 2, 1)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU6(),
        Inverted(16), Inverted(16), down, Inverted(24), Inverted(24), Head(24),
    )  # fmt: skip


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList([nn.Conv2d(a, b, 3, 1, 1) for a, b in ((3, 8), (8, 16), (16, 32))])
        self.up = nn.ModuleList([nn.Conv2d(a, b, 3, 1, 1) for a, b in ((48, 16), (24, 8))])
        self.last = nn.Conv2d(8, 4, 1)

    def forward(self, x: Tensor) -> Any:
        kept = []
        for conv in self.down:
            x = functional.relu(conv(x))
            kept.append(x)
            x = functional.max_pool2d(x, 2)
        for conv, side in zip(self.up, (kept[1], kept[0]), strict=True):
            scale = side.shape[-1] // (kept[2] if conv is self.up[0] else x).shape[-1]
            x = kept[2] if conv is self.up[0] else x
            x = functional.relu(conv(torch.cat([functional.interpolate(x, scale_factor=scale), side], 1)))
        return self.last(x).mean((2, 3))


class ViT(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 32, 8, 8)
        self.token = nn.Parameter(torch.zeros(1, 1, 32))
        layer = nn.TransformerEncoderLayer(32, 4, 64, 0.0, batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)
        self.head = nn.Linear(32, 4)

    def forward(self, x: Tensor) -> Any:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        return self.head(self.blocks(torch.cat([self.token.expand(len(x), -1, -1), tokens], 1))[:, 0])


def images() -> Iterator[tuple[Tensor, Tensor]]:
    torch.manual_seed(1)
    kinds = functional.interpolate(torch.randn(4, 3, 4, 4), size=(32, 32))
    while True:
        y = torch.randint(0, 4, (8,))
        yield kinds[y] + 0.5 * torch.randn(8, 3, 32, 32), y


def recorded(model: nn.Module, rate: float, steps: int = 45, **options: Any) -> Run:
    """Train with one line, and return the run."""
    optimizer = torch.optim.Adam(model.parameters(), rate)
    probe = gradtui.watch(model, optimizer, budget=None, **options)
    for _, (x, y) in zip(range(steps), images(), strict=False):
        optimizer.zero_grad()
        functional.cross_entropy(model(x), y).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    probe.close()
    assert probe.run is not None
    return gradtui.open_run(probe.run)


def paths_of(run: Run) -> list[list[str]]:
    assert run.meta is not None
    return [[run.meta.layers[number].name for number in path] for path in run.meta.paths]


@pytest.mark.parametrize("make", [resnet, mobilenet, UNet, ViT])
def test_a_healthy_net_of_images_has_no_finding_at_any_step(
    home: Path, make: Callable[[], nn.Module]
) -> None:
    torch.manual_seed(0)
    run = recorded(make(), 2e-3)
    evidence = diagnose_run(run).evidence
    assert evidence.paths
    for step in (1, 3, 10, 20, 30, 45):
        assert diagnose(evidence.upto(step)) == [], step


def test_places_and_forms_are_those_of_the_convolutions(home: Path) -> None:
    torch.manual_seed(0)
    run = recorded(mobilenet(), 1e-3, 3, fold=False)
    assert run.meta is not None
    of = {layer.name: (layer.places, layer.form) for layer in run.meta.layers}
    assert of["0"] == (256, "conv 3x3")
    assert of["3.inner.3"] == (256, "conv 3x3 depthwise")
    assert of["3.inner.6"] == (256, "conv 1x1")
    assert of["5"] == (64, "conv 3x3")
    assert of["8.out"] == (1, "linear")


class Towers(nn.Module):
    """Two towers with a common head; an auxiliary head on the first; a critic beside."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = (nn.ModuleList([nn.Linear(8, 8) for _ in range(4)]) for _ in range(2))
        self.head, self.aux = nn.Linear(16, 2), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        one = other = x
        for layer in self.left:
            one = torch.tanh(layer(one))
        aux = self.aux(one)
        for layer in self.right:
            other = torch.tanh(layer(other))
        return {"out": self.head(torch.cat([one, other], 1)), "aux": aux}


def test_towers_and_heads_are_paths_of_their_own(home: Path) -> None:
    torch.manual_seed(0)
    model = Towers()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    probe = gradtui.watch(model, optimizer, budget=None)
    with torch.no_grad():
        model(torch.randn(4, 8))  # a first evaluation has no graph
    out = model(torch.randn(4, 8))
    (out["out"].square().mean() + out["aux"].square().mean()).backward()
    optimizer.step()
    probe.close()
    assert probe.run is not None
    paths = paths_of(gradtui.open_run(probe.run))
    left, right = ([f"{side}.{number}" for number in range(4)] for side in ("left", "right"))
    assert sorted(path[:4] for path in paths) == [left, right]
    assert {path[-1] for path in paths} <= {"head", "aux"}
    assert [len(path) for path in paths] == [5, 5]
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_a_generator_is_not_compared_with_its_critic(home: Path) -> None:
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    critic = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1))
    optimizers = [torch.optim.Adam(part.parameters(), 1e-3) for part in (generator, critic)]
    probe = gradtui.watch({"G": generator, "D": critic}, optimizers, budget=None)
    for _ in range(30):
        for optimizer, sign in zip(optimizers, (-1, 1), strict=True):
            optimizer.zero_grad()
            # The generator's gradient is next to nothing, as beside a critic that is sure.
            (sign * critic(generator(torch.randn(16, 2))).mean() * (1e-6 if sign < 0 else 1)).backward()
            optimizer.step()
    probe.close()
    assert probe.run is not None
    run = gradtui.open_run(probe.run)
    assert paths_of(run) == [["G.0", "G.2", "G.4"], ["D.0", "D.2", "D.4"]]
    assert [one.code for one in diagnose_run(run).findings] == []


def test_a_gradient_that_dies_over_depth_is_still_found_and_never_critical(home: Path) -> None:
    torch.manual_seed(0)
    widths = [8, *[16, 12] * 6, 2]
    layers: list[nn.Module] = []
    for given, out in pairwise(widths):
        layers += [nn.Linear(given, out), nn.Sigmoid()]
    model = nn.Sequential(*layers[:-1])
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    probe = gradtui.watch(model, optimizer, budget=None)
    for _ in range(120):
        x = torch.randn(32, 8)
        optimizer.zero_grad()
        functional.cross_entropy(model(x), (x[:, 0] > 0).long()).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    probe.close()
    assert probe.run is not None
    found = diagnose_run(gradtui.open_run(probe.run)).findings
    assert [(one.code, one.severity) for one in found] == [("vanishing", "warning")]


def test_a_compiled_sequence_has_a_path_without_any_hook(home: Path) -> None:
    model = torch.compile(nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2)), backend="eager")
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    probe = gradtui.watch(model, optimizer, budget=None)
    model(torch.randn(2, 4)).sum().backward()
    optimizer.step()
    probe.close()
    assert probe.run is not None
    assert paths_of(gradtui.open_run(probe.run)) == [["0", "2"]]


class ActorCritic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU())
        self.policy = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4))
        self.value = nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Any:
        shared = self.body(x)
        return self.policy(shared), self.value(shared)


@pytest.mark.parametrize(
    ("size", "clip", "says"), [(1e4, 0.5, "warning"), (1e4, 0.0, "info"), (1.0, 0.5, "")]
)
def test_the_head_that_the_bodys_gradient_comes_from_is_named_and_not_depth(
    size: float, clip: float, says: str, home: Path
) -> None:
    torch.manual_seed(0)
    model = ActorCritic()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    probe = gradtui.watch(model, optimizer, budget=None)
    for _ in range(60):
        x = torch.randn(32, 8)
        logits, value = model(x)
        loss = functional.cross_entropy(logits, (x[:, 0] > 0).long())
        loss = loss + functional.mse_loss(value, size * x.sum(1, keepdim=True))
        optimizer.zero_grad()
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
    probe.close()
    run = gradtui.open_run(probe.run)
    assert {path[-1] for path in paths_of(run)} == {"policy.2", "value"}
    diagnosis = diagnose_run(run)
    named = [
        one for one in (*diagnosis.findings, *diagnosis.remarks) if "share comes from value" in one.evidence
    ]
    assert [one.severity for one in named] == ([says] if says else [])
    assert "exploding" not in [one.code for one in diagnosis.findings]
    for one in named:
        assert one.layers == ("value", "policy.2")
        assert "not the depth" in one.evidence
        assert ("Clipping leaves" in one.evidence) is (says == "warning")
        assert "loss_of_value" in one.cures[0].code
