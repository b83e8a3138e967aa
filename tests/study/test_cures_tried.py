"""What is tried on a sick run."""

from __future__ import annotations

import pytest

from gradtui.diagnosis import diagnose, evidence_of
from gradtui.diagnosis.cures import for_saturated
from gradtui.diagnosis.findings import Finding
from gradtui.experiment import Experiment, set_fields
from gradtui.experiment.overrides import diff
from gradtui.runs.reader import open_run
from gradtui.study.cure_study import LEAST_CURES, SHRINKING_CURES, members_of, same_training
from tests.support.studies import sick_run, sigmoids


def found_in(experiment: Experiment) -> list[Finding]:
    return diagnose(evidence_of(open_run(sick_run(experiment))))


def test_the_sick_experiment_itself_comes_first_then_what_is_advised_in_its_order() -> None:
    exp = sigmoids()
    findings = found_in(exp)
    found = members_of(exp, findings)
    assert (found[0].key, found[0].name) == ("", "no cure")
    assert same_training(found[0].experiment, exp)
    advised = [offer.key for offer in findings[0].cures]
    assert [one.key for one in found[1 : 1 + len(advised)]] == advised
    assert len(found) > LEAST_CURES


def test_each_differs_by_its_cure_and_its_name_alone() -> None:
    exp = sigmoids()
    for one in members_of(exp, found_in(exp))[1:]:
        changes = diff(exp, one.experiment)
        assert changes.pop("name") == f"sigmoids-{one.key}"
        assert changes
        assert one.why
        assert all(path.startswith(("net", "cures.", "data.scaling")) for path in changes)


def test_what_would_starve_a_starving_net_more_is_not_tried_unasked() -> None:
    exp = sigmoids()
    assert not {one.key for one in members_of(exp, found_in(exp))} & SHRINKING_CURES
    assert [one.key for one in members_of(exp, [], ["l2", "relu"])] == ["", "l2", "relu"]


def test_what_changes_nothing_and_what_comes_to_the_same_is_left_out() -> None:
    relu = sigmoids(net__0__activation="relu", net__0__init="he")
    assert [one.key for one in members_of(relu, [], ["relu", "elu", "elu"])] == ["", "elu"]


def test_an_unknown_cure_is_an_error() -> None:
    with pytest.raises(KeyError):
        members_of(sigmoids(), [], ["prayer"])


def test_where_torch_would_take_every_core_each_has_one() -> None:
    for one in members_of(sigmoids(run__threads=0), [], ["relu"]):
        assert one.experiment.run.threads == 1
    assert members_of(sigmoids(run__threads=3), [], ["relu"])[0].experiment.run.threads == 3


def test_remedies_that_are_no_cure_of_a_net_are_tried_too() -> None:
    exp = sigmoids(net__0__bias_mean=-8.0)
    finding = found_in(sigmoids())[0]
    offers = for_saturated(exp)
    assert offers[0].key == ""
    one = members_of(exp, [Finding("saturated", "critical", 1, (), finding.evidence, offers)])[1]
    assert (one.key, one.cure, one.name) == ("biases at 0", "", "biases at 0")
    assert one.experiment.name == "sigmoids-biases-at-0"
    assert same_training(one.experiment, set_fields(exp, offers[0].set))
