"""Test the message on a run that recorded too little to be judged."""

from __future__ import annotations

import json
import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import gradtui
from gradtui.cli import main
from gradtui.diagnosis.evidence import Evidence, Series
from gradtui.diagnosis.judged import judged_of
from gradtui.diagnosis.rules import diagnose, remarks
from gradtui.diagnosis.rules.case import Case

FEW = (0, 1, 2, 3, 4, 5, 9)


def script(steps: int, losses: int, level: float = 2.0, *, finished: bool = True) -> Evidence:
    """Evidence of a script with even gradients that logs its loss now and then, each time the same."""
    rows = np.arange(1, steps + 1)
    at = np.linspace(1, steps, losses).astype(int) if losses else np.zeros(0, int)
    even = np.full((steps, 3), 0.1)
    return Evidence(
        layers=("0", "2", "4"),
        kinds=("linear", "linear", "linear"),
        parameters=(100, 100, 100),
        paths=((0, 1, 2),),
        loss=Series.of(at, np.full(len(at), level)),
        grad_norm=Series.of(rows, even),
        total_norm=Series.of(rows, np.full(steps, 0.2)),
        update_ratio=Series.of(rows, even / 100),
        finished=finished,
    )


CASES = list(product((1, 2, 3, 19, 60, 99, 100, 600), (2.0, 0.0, -1.0, math.nan, math.inf), (True, False)))


@pytest.mark.parametrize("losses", FEW)
def test_few_losses_are_never_judged_and_never_a_crash(losses: int) -> None:
    for steps, level, finished in CASES:
        check_few_losses(steps, min(losses, steps), level, finished=finished)


def check_few_losses(steps: int, losses: int, level: float, *, finished: bool) -> None:
    evidence = script(steps, losses, level, finished=finished)
    codes = [finding.code for finding in diagnose(evidence)] + [finding.code for finding in remarks(evidence)]
    assert "not-learning" not in codes
    if math.isfinite(level):
        assert codes == []
    judged = judged_of(evidence)
    assert not judged.learning
    assert judged.enough_steps == (steps >= 100)
    if losses == 0:
        assert judged.why.endswith("No loss was seen, so learning was not judged.")
    if steps < 100:
        assert f"{steps} step" in judged.why


def test_what_was_found_explains_why_there_are_few_losses() -> None:
    evidence = script(100, 3)
    assert judged_of(evidence).why.startswith("Only 3 usable losses")
    assert judged_of(evidence, found=True).why == ""
    assert "No loss was seen" in judged_of(script(100, 0), found=True).why


@pytest.mark.parametrize("losses", [2, 3, 4, 5, 6, 9])
def test_the_first_and_the_last_losses_are_not_the_same_ones(losses: int) -> None:
    evidence = script(100, losses)
    falling = Series.of(evidence.loss.steps, np.arange(losses, 0, -1.0))
    loss = Case(Evidence(**{**vars(evidence), "loss": falling})).loss
    assert loss.first > max(falling.values[len(falling) // 2 + losses % 2 :])
    assert loss.now < loss.first


def test_a_loss_that_came_down_by_decades_without_a_floor_has_run_away() -> None:
    """A wrong sign: the loss falls by ten decades in the first third, and then scatters there as nothing else moves."""
    evidence, steps = script(240, 240), np.arange(240)
    scatter = 10 ** np.random.default_rng(0).normal(0, 0.5, 240)
    losses = -60.0 * 10 ** (10 * np.minimum(steps / 80, 1.0)) * scatter
    ran = Evidence(**{**vars(evidence), "loss": Series.of(steps + 1, losses)})
    assert "exploding" in [finding.code for finding in diagnose(ran)]
    # A log-likelihood summed over a thousand pixels comes down far, too, and to a floor.
    likelihood = 1200.0 - 5200.0 * (1 - np.exp(-steps / 30)) + scatter
    learned = Evidence(**{**vars(evidence), "loss": Series.of(steps + 1, likelihood)})
    assert diagnose(learned) == []


def test_one_loss_is_not_compared_with_itself() -> None:
    assert math.isnan(Case(script(100, 1)).relative_loss)


def watched(runs: Path, steps: int, *, log: bool, lr: float = 0.0) -> Path:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    x, y = torch.randn(64, 8), torch.randint(4, (64,))
    with gradtui.watch(model, optimizer, runs=runs, budget=None) as probe:
        for _ in range(steps):
            optimizer.zero_grad()
            # The root of the backward pass is not a scalar, so that no loss is seen unless it is logged.
            losses = nn.functional.cross_entropy(model(x), y, reduction="none")
            losses.backward(torch.ones(64) / 64)
            optimizer.step()
            if log:
                probe.log(loss=losses.mean())
        assert probe.run is not None
        return probe.run


@pytest.mark.parametrize(
    ("steps", "log", "lr", "says", "judged"),
    [
        (30, True, 1e-3, "Too few steps to judge.", (False, False)),
        (30, True, 0.05, "No problems found.", (True, True)),
        (30, False, 1e-3, "Too few steps to judge.", (False, False)),
        (120, False, 1e-3, "No problems found.", (True, False)),
    ],
    ids=["short", "short, and it learned", "short, without a loss", "without a loss"],
)
def test_diagnose_says_what_was_not_judged(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    steps: int,
    log: bool,
    lr: float,
    says: str,
    judged: tuple[bool, bool],
) -> None:
    run = watched(tmp_path, steps, log=log, lr=lr)
    assert main(["diagnose", str(run)]) == 0
    page = capsys.readouterr().out
    assert main(["diagnose", str(run), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert says in page
    assert told["findings"] == []
    said = told.get("judged", {"enough_steps": True, "learning": True})
    assert (said["enough_steps"], said["learning"]) == judged
    assert ("No loss was seen, so learning was not judged." in " ".join(page.split())) == (not log)
