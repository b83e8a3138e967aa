"""Test that the set is large and varied, and contains nothing on which the rules were made."""

from __future__ import annotations

from collections import Counter

from msgspec.structs import replace

from gradtui.diagnosis import CODES
from gradtui.experiment import Experiment, resolve
from gradtui.experiment.presets import names
from tests.diagnosis.labelled.cases import HALVES, WELL, cases
from tests.diagnosis.labelled.criterion import CRITERIA
from tests.diagnosis.labelled.recorded import FOLDER

LABELS = (
    {*WELL, *CODES}
    - {"nonfinite", "unstable-loss"}
    - {"not-optimized", "not-cleared", "spikes", "clip-unused"}
)
"""What breaks or swings without a gradient that grows is labelled exploding too. Only scripts are wired wrongly."""


def bare(experiment: Experiment) -> tuple[object, ...]:
    """Return an experiment without its name, its length and where it runs."""
    optimizer = replace(experiment.optimizer, schedule="constant")
    return experiment.data, experiment.net, optimizer, experiment.cures, experiment.run.precision


def test_no_case_is_a_preset_or_in_both_halves() -> None:
    presets = {bare(resolve(name)) for name in names()}
    labelled = [bare(case.experiment) for case in cases()]
    assert not presets & set(labelled)
    assert len(set(labelled)) == len(labelled)


def test_each_half_is_large_and_has_every_label() -> None:
    for half in HALVES:
        part = [case for case in cases() if case.half == half]
        labels = Counter(case.label for case in part)
        assert set(labels) == LABELS
        assert len(part) >= 60
        assert labels["healthy"] + labels["uneven"] >= 20


def test_each_label_has_a_criterion_and_each_unhealthy_net_a_control() -> None:
    assert set(CRITERIA) == LABELS
    for case in cases():
        assert (case.control is None) == case.well, case.name


def test_the_cases_are_of_every_kind() -> None:
    groups = [group for case in cases() if case.well for group in case.experiment.net]
    assert {group.block for group in groups} == {"dense", "conv", "rnn", "lstm", "gru", "attention"}
    assert len({group.activation for group in groups}) == 10
    assert {case.experiment.data.source for case in cases()} == {"digits", "spirals", "adding", "copy"}
    assert {case.experiment.optimizer.kind for case in cases()} == {"sgd", "adam", "adamw", "rmsprop"}
    assert {case.experiment.run.precision for case in cases()} == {"fp32", "bf16", "fp16"}


def test_the_recorded_runs_are_small() -> None:
    files = list(FOLDER.glob("*.npz"))
    wanted = {case.recorded for case in cases() if case.recorded}
    assert {file.stem.removesuffix("-partner") for file in files} == wanted
    assert sum(file.stat().st_size for file in files) < 300_000
