"""Test the registry of finding codes, and findings that are written to events and read again."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from gradtui.diagnosis import CODES, CureOffer, rules
from gradtui.diagnosis.findings import REGISTRY, Finding, codes_with, in_order


def codes_of_rules() -> set[str]:
    """Return the codes that the source of the rules makes findings of."""
    return {
        call.args[0].value
        for path in Path(rules.__file__).parent.glob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "Finding.of"
        if isinstance(call.args[0], ast.Constant)
    }


def test_every_registered_code_has_a_rule_and_every_rule_a_registered_code() -> None:
    assert codes_of_rules() == set(CODES)
    assert len(set(CODES)) == len(REGISTRY)


def test_causes_come_before_symptoms() -> None:
    found = [Finding.of(code, 1, (), "") for code in ("not-learning", "vanishing", "exploding")]
    assert [finding.code for finding in in_order(found)] == ["exploding", "vanishing", "not-learning"]


def test_a_code_of_another_version_comes_last() -> None:
    found = [Finding("of-tomorrow", "warning", 1, (), ""), Finding.of("degradation", 1, (), "")]
    assert [finding.code for finding in in_order(found)] == ["degradation", "of-tomorrow"]


@pytest.mark.parametrize(
    ("effect", "codes"),
    [
        ("vanishes", {"vanishing", "no-gradient", "underflow", "overclipped"}),
        ("explodes", {"not-cleared", "clip-unused", "exploding", "nonfinite", "unstable-loss", "spikes"}),
        ("dead", {"dead-units", "saturated"}),
    ],
)
def test_codes_are_grouped_by_their_effect(effect: str, codes: set[str]) -> None:
    assert codes_with(effect) == codes  # type: ignore[arg-type]


def test_a_finding_is_as_severe_as_the_registry_says_unless_the_case_is_mild() -> None:
    assert Finding.of("vanishing", 1, (), "").severity == "critical"
    assert Finding.of("vanishing", 1, (), "", mild=True).severity == "warning"
    assert Finding.of("overclipped", 1, (), "").severity == "warning"


def test_a_finding_survives_being_recorded() -> None:
    offer = CureOffer("ReLU + He initialisation", {"net.0.activation": "relu"}, "why", "price", "relu")
    made = Finding("vanishing", "critical", 12, ("dense1", "dense2"), "It dies.", (offer,))
    read = Finding.from_json({"event": "finding", "time": 1.0, **made.to_json()})
    assert read is not None
    assert read.to_json() == made.to_json()
    assert read.cures[0].key == "relu"
    assert read.cures[0].price


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"event": "finding", "step": 3}, None),
        ({"code": ""}, None),
        ({"code": "vanishing"}, Finding("vanishing", "warning", 0, (), "")),
        (
            {"code": "x", "severity": 3, "step": "one", "layers": "dense1", "cures": ["relu"]},
            Finding("x", "warning", 0, (), ""),
        ),
    ],
)
def test_an_event_with_missing_or_wrong_fields_is_read_as_far_as_it_goes(
    event: dict[str, object], expected: Finding | None
) -> None:
    assert Finding.from_json(event) == expected


def test_a_finding_on_a_whole_training_is_found_at_a_step_and_others_are_there_since_one() -> None:
    assert Finding("not-learning", "critical", 1500, (), "").when == "at step 1,500"
    assert Finding("vanishing", "critical", 1, (), "").when == "since step 1"
