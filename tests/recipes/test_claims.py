"""Test that every preset, trained over two seeds, shows what RECIPES.md says of it."""

from __future__ import annotations

from dataclasses import fields

import pytest

from gradtui.experiment.presets import names
from tests.recipes.claims import CLAIMS, ELSEWHERE, TOO_DEEP_TO_TRAIN
from tests.recipes.training import Trained, Trainings

QUICK = {
    "cure-batchnorm",
    "explode-relu-gain",
    "cure-explode-clip",
    "dead-bias",
    "plain-5",
}
"""Under a second each: these are held to their claims in every run of the tests, by one seed."""

CASES = [
    pytest.param(preset, seed, marks=() if preset in QUICK and seed == 0 else pytest.mark.long)
    for preset in CLAIMS
    for seed in (0, 1)
]


def measured(trained: Trained, figure: str) -> float:
    """A figure that a claim has a range for."""
    if figure == "error":
        return trained.error / trained.chance
    return float(trained.lags[0]) if figure == "lag" else float(getattr(trained, figure))


@pytest.mark.parametrize(("preset", "seed"), CASES)
def test_a_preset_shows_what_it_claims(trainings: Trainings, preset: str, seed: int) -> None:
    trained, claim = trainings(preset, seed), CLAIMS[preset]
    assert trained.status == ("diverged" if claim.nan_step[1] else "finished"), trained.log[-3:]
    assert not any("Traceback" in line for line in trained.log)
    ranges = {field.name: getattr(claim, field.name) for field in fields(claim)}
    figures = {name: measured(trained, name) for name, limits in ranges.items() if limits is not None}
    off = {name: (value, ranges[name]) for name, value in figures.items() if not _within(value, ranges[name])}
    assert not off


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]


def test_every_preset_has_its_claim() -> None:
    assert set(CLAIMS) | ELSEWHERE | TOO_DEEP_TO_TRAIN == set(names())
