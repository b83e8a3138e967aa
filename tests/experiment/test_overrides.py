"""Test dotted paths: setting values, comparing experiments, and the assignments of the command line."""

from __future__ import annotations

import json
import shlex

import pytest
from hypothesis import given, settings

from gradtui.experiment import Experiment, ExperimentError, Group, parse_assignments, resolve, set_fields
from gradtui.experiment.overrides import as_options, diff
from tests.support.experiments import experiments

DEFAULT = resolve("sigmoid-20")


def test_fields_are_set_together() -> None:
    exp = set_fields(DEFAULT, {"net.0.activation": "relu", "optimizer.lr": 1, "cures.pretrain.epochs": 3})
    assert exp.net[0].activation == "relu"
    assert exp.net[0].width == DEFAULT.net[0].width
    assert exp.optimizer.lr == 1.0
    assert exp.cures.pretrain.epochs == 3


def test_rules_between_fields_hold_after_all_are_set() -> None:
    both = {"data.sequence": "rows", "net.0.block": "gru"}
    assert set_fields(DEFAULT, both) == set_fields(DEFAULT, dict(reversed(both.items())))
    with pytest.raises(ExperimentError, match=r"^data\.sequence: "):
        set_fields(DEFAULT, {"net.0.block": "gru"})


def test_the_list_of_groups_can_be_set_whole() -> None:
    assert set_fields(DEFAULT, {"net": [{"width": 3}, {"width": 4}]}).net == (Group(width=3), Group(width=4))


@given(experiments(), experiments())
@settings(max_examples=50, deadline=None)
def test_a_difference_applied_gives_the_other(old: Experiment, new: Experiment) -> None:
    changes = diff(old, new)
    assert set_fields(old, changes) == new
    # The diagnosis writes it as JSON.
    assert set_fields(old, json.loads(json.dumps(changes))) == new
    assert diff(old, old) == {}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("net.0.repeat=56", 56),
        ("optimizer.lr=1e-3", 1e-3),
        ("optimizer.lr = 0.5", 0.5),
        ("net.0.activation=relu", "relu"),
        ('net.0.activation="relu"', "relu"),
        ("run.device=cuda:1", "cuda:1"),
        ("data.path=/a/b=c d", "/a/b=c d"),
        ("data.path=", ""),
        ("name=2020-01-01", "2020-01-01"),
        ("name=1\nx=2", "1\nx=2"),
        ("x=true", True),
        ("x=nan ", "nan"),
        ("x=[1", "[1"),
    ],
)
def test_a_value_is_what_toml_makes_of_it_else_text(text: str, value: object) -> None:
    [found] = parse_assignments([text]).values()
    assert repr(found) == repr(value) or (value == "nan" and str(found) == "nan")


@pytest.mark.parametrize(
    ("assignment", "line"),
    [
        (
            "optimizer.lr",
            '--set: "optimizer.lr" is not allowed; expected a field and its value, like optimizer.lr=0.01',
        ),
        ("=3", '--set: "=3" is not allowed; expected a field and its value, like optimizer.lr=0.01'),
        ("optimzer.lr=3", 'optimzer: no such field; did you mean "optimizer"?'),
        (
            "optimizer.rate=3",
            "optimizer.rate: no such field; expected one of kind, lr, momentum, weight_decay, schedule, ",
        ),
        ("name.x=1", "name.x: no such field"),
        ("net.0.width.z=1", "net.0.width.z: no such field"),
        ("net.1.width=3", "net.1: no such group; expected 0, the only group"),
        ("net.-1.width=3", "net.-1: no such group; expected 0, the only group"),
        ("net.²=3", "net.²: no such group; expected 0, the only group"),
        ("net.0=1", "net.0: 1 is not allowed; expected a table of fields"),
        ("net.0.width=0", "net.0.width: 0 is not allowed; expected a whole number from 1 to 65536"),
        ("optimizer.lr=nan", "optimizer.lr: nan is not allowed; expected a number above 0"),
        ("run.steps=1e3", "run.steps: 1000.0 is not allowed; expected a whole number from 1 to 1000000000"),
        (".=1", ": no such field"),
    ],
)
def test_an_override_that_cannot_be_gives_one_line(assignment: str, line: str) -> None:
    with pytest.raises(ExperimentError) as caught:
        set_fields(DEFAULT, parse_assignments([assignment]))
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_changes_as_options_are_read_as_the_same_changes() -> None:
    changes = {
        "data.augment": True,
        "optimizer.lr": 1e-5,
        "net.0.repeat": 3,
        "data.path": "a folder/it's.npz",
    }
    options = shlex.split(as_options(changes))
    assert options[::2] == ["--set"] * len(changes)
    assert parse_assignments(options[1::2]) == changes
