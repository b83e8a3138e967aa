"""Several models and optimizers are named parts of one run, or runs of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

import gradtui
from gradtui.monitor.watch import Probe
from gradtui.runs.library import list_runs
from gradtui.runs.reader import Run
from tests.monitor.conftest import oracle

Opened = Callable[[Probe], Run]


def test_a_row_covers_a_step_of_every_optimizer(home: Path, opened: Opened) -> None:
    torch.manual_seed(0)
    generator, critic = nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    critic_steps = torch.optim.SGD(critic.parameters(), lr=0.01)
    generator_steps = torch.optim.SGD(generator.parameters(), lr=0.02)
    probe = gradtui.watch(
        {"generator": generator, "critic": critic}, [critic_steps, generator_steps], budget=None
    )
    expected = []
    for _ in range(2):
        for turn in range(3):
            critic_steps.zero_grad()
            fake = generator(torch.randn(8, 2)).detach()
            (critic(fake).mean() - critic(torch.randn(8, 2) + 1).mean()).backward()
            of_critic = oracle(list(critic.parameters()))
            critic_steps.step()
            if turn < 2:
                expected.append([np.nan, of_critic])
        generator_steps.zero_grad()
        (-critic(generator(torch.randn(8, 2))).mean()).backward()
        expected.append([oracle(list(generator.parameters())), of_critic])
        generator_steps.step()
    run = opened(probe)
    # Three steps of the critic to one of the generator: three rounds, the last of them of both.
    assert run.layer_names == ["generator", "critic.0", "critic.2"]
    norms = run.layers("grad_norm")[1]
    found = np.array([norms[:, 0], np.hypot(norms[:, 1], norms[:, 2])]).T
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    for part, column in (("generator", 0), ("critic", 1)):
        np.testing.assert_allclose(
            run.scalars(f"{part}.grad_norm")[1], np.array(expected)[:, column], rtol=1e-5
        )
    np.testing.assert_allclose(run.scalars("critic.lr")[1], 0.01, rtol=1e-6)
    lr = run.scalars("generator.lr")[1]
    np.testing.assert_allclose(lr[[2, 5]], 0.02, rtol=1e-6)
    assert np.isnan(lr[[0, 1, 3, 4]]).all()


def test_two_calls_of_watch_make_two_runs(home: Path) -> None:
    torch.manual_seed(0)
    pairs = []
    for number in range(2):
        model = nn.Linear(3, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        pairs.append((model, optimizer, gradtui.watch(model, optimizer, name="twin", budget=None)))
        for _ in range(number + 2):
            model(torch.ones(1, 3)).sum().backward()
            optimizer.step()
    for _, _, probe in pairs:
        probe.close()
    runs = {probe.run: steps for (_, _, probe), steps in zip(pairs, (2, 3), strict=True)}
    assert {info.run: info.steps for info in list_runs(home)} == runs


def test_two_optimizers_of_one_model_are_numbered(home: Path, opened: Opened) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(10, 4), nn.Flatten(), nn.Linear(8, 2))
    first = torch.optim.SGD(model[0].parameters(), lr=0.1)
    second = torch.optim.Adam(model[2].parameters(), lr=0.01)
    probe = gradtui.watch(model, [first, second], budget=None)
    expected = []
    for _ in range(3):
        model.zero_grad()
        model(torch.tensor([[1, 2], [3, 4]])).square().sum().backward()
        expected.append([oracle(list(model[0].parameters())), oracle(list(model[2].parameters()))])
        first.step()
        second.step()
    run = opened(probe)
    np.testing.assert_allclose(run.layers("grad_norm")[1], expected, rtol=1e-5)
    np.testing.assert_allclose(run.scalars("grad_norm")[1], np.linalg.norm(expected, axis=1), rtol=1e-5)
