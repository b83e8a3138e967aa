"""Test the diagnosis of the recipes of RECIPES.md, which are trained here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gradtui.diagnosis import Evidence, LiveDiagnosis, diagnose, evidence_of, remarks
from gradtui.experiment import resolve, set_fields
from gradtui.runs.reader import open_run
from gradtui.training.launch import create_run
from tests.support.evidence import live

pytestmark = pytest.mark.long

FAILING = {
    "sigmoid-20": "vanishing",
    "vanish-sigmoid-10": "vanishing",
    "vanish-relu-20": "vanishing",
    "adding-rnn": "vanishing",
    "underflow-fp16": "underflow",
    "explode-relu-gain": "exploding",
    "explode-batch": "exploding",
    "explode-tanh-stuck": "exploding",
    "explode-tanh-swings": "exploding",
    "explode-tanh-slow": "exploding",
    "explode-pixels": "exploding",
    "plain-batchnorm-57": "exploding",
    "dead-bias": "dead-units",
    "dead-adam": "dead-units",
    "dead-one-layer": "dead-units",
}
WELL = [
    "cure-shallow",
    "cure-batchnorm",
    "cure-relu-he",
    "cure-elu",
    "relu-20",
    "cure-explode-lr",
    "cure-explode-clip",
    "cure-dead-elu",
    "cure-pixels-clip",
    "cure-underflow-scale",
    "cure-underflow-bf16",
    "residual-57",
    "residual-batchnorm-57",
    "adding-lstm",
    "adding-gru",
]


def trained(preset: str, root: Path, **changes: object) -> Evidence:
    folder = create_run(set_fields(resolve(preset), changes), root)
    subprocess.run([sys.executable, "-m", "gradtui.training", str(folder)], check=True, capture_output=True)
    return evidence_of(open_run(folder))


@pytest.mark.parametrize(("preset", "code"), FAILING.items())
def test_each_unhealthy_preset_has_the_finding_that_it_shows(preset: str, code: str, tmp_path: Path) -> None:
    evidence = trained(preset, tmp_path)
    findings = diagnose(evidence)
    assert findings[0].code == code
    assert findings[0].cures
    assert findings[0].step <= evidence.step


@pytest.mark.parametrize("preset", WELL)
def test_healthy_presets_have_no_finding_at_the_end_or_on_the_way(preset: str, tmp_path: Path) -> None:
    evidence = trained(preset, tmp_path)
    assert diagnose(evidence) == []
    diagnosis = LiveDiagnosis()
    for step in range(1, evidence.step, 5):
        assert diagnosis.update(live(evidence, step)).findings == [], step


def test_an_explosion_in_a_preset_that_learns_is_a_remark(tmp_path: Path) -> None:
    assert [remark.code for remark in remarks(trained("cure-explode-clip", tmp_path))] == ["exploding"]


def test_a_plain_net_of_57_layers_degrades_beside_one_of_5_and_a_residual_one_does_not(
    tmp_path: Path,
) -> None:
    shallow = trained("plain-5", tmp_path)
    deep = trained("plain-57", tmp_path)
    assert [finding.code for finding in diagnose(deep, shallow)] == ["degradation"]
    # Alone it is only slow: a single spike of its gradient is not an explosion.
    assert diagnose(deep) == []
    assert diagnose(trained("residual-57", tmp_path), shallow) == []
