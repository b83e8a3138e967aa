"""Test the notes beneath the drawing of the net."""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gradtui.diagnosis.theory import Prediction, predict
from gradtui.experiment import Experiment, from_dict, resolve, set_fields, to_dict
from gradtui.experiment.memory import memory_of
from gradtui.ui.drawing.notes import (
    SHOWN_CHANGES,
    NetChange,
    changes,
    differences,
    expectation,
    figures,
    short,
    size,
)
from gradtui.ui.drawing.outline import Outline
from tests.support.experiments import experiments


def net_of(*widths: int) -> Experiment:
    return from_dict({"net": [{"width": width} for width in widths]})


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (
            133,
            "83,850 parameters · 21 layers deep · 1.7 MB to train: weights 335 kB, gradients 335 kB, "
            "optimizer 671 kB, a batch of 64 347 kB",
        ),
        (90, "83,850 parameters · 21 layers deep · 1.7 MB to train, 347 kB of it for a batch of 64"),
        (60, "83,850 parameters · 21 layers deep · 1.7 MB to train"),
        (39, "83,850 parameters · 21 deep · 1.7 MB"),
        (34, "83.8 k params · 21 deep · 1.7 MB"),
        (10, "83.8 k pa…"),
    ],
)
def test_figures_say_as_much_as_there_is_room_for(width: int, expected: str) -> None:
    exp = resolve("sigmoid-20")
    # 20 · (64² + 64) + 64 · 10 + 10 parameters.
    assert figures(Outline(exp), memory_of(exp), width).plain == expected


def test_bytes_and_counts_are_shortened() -> None:
    assert [size(n) for n in (0, 950, 94_900, 999_000, 1_640_000, 99_400_000, 99_600_000, 17e12, 3e17)] == [
        "0 kB", "0.95 kB", "95 kB", "1 MB", "1.6 MB", "99 MB", "100 MB", "17 TB", "300,000 TB",
    ]  # fmt: skip
    assert [short(n) for n in (7, 999, 83_850, 999_600, 1_058_410, 4_290_000_000_000)] == [
        "7", "999", "83.8 k", "1 M", "1.06 M", "4,290 G",
    ]  # fmt: skip


def test_changed_fields_are_listed_with_old_and_new_value() -> None:
    before = resolve("sigmoid-20")
    after = set_fields(before, {"net.0.activation": "relu", "cures.clip_norm": 1.0, "run.steps": 20_000})
    assert changes(before, after) == [
        NetChange("net.0.activation", "sigmoid", "relu"),
        NetChange("cures.clip_norm", "off", "1"),
        NetChange("run.steps", "500", "20,000"),
    ]
    lines = [line.plain for line in differences(before, after, 40)]
    assert lines == [
        "Changed since the last run",
        "  net.0.activation  sigmoid → relu",
        "  cures.clip_norm   off → 1",
        "  run.steps         500 → 20,000",
    ]


def test_groups_that_came_and_went_are_named() -> None:
    assert changes(net_of(8, 16, 32), net_of(8, 32)) == [NetChange("group 2", "dense 16 sigmoid", None)]
    assert changes(net_of(8, 32), net_of(8, 16, 32)) == [NetChange("group 2", None, "dense 16 sigmoid")]
    assert changes(net_of(8, 32), net_of(64, 8, 32, 16)) == [
        NetChange("group 1", None, "dense 64 sigmoid"),
        NetChange("group 4", None, "dense 16 sigmoid"),
    ]
    assert changes(net_of(8, 32), net_of(9, 16, 32)) == [
        NetChange("net.0.width", "8", "9"),
        NetChange("group 2", None, "dense 16 sigmoid"),
    ]
    lines = [line.plain for line in differences(net_of(8, 16, 32), net_of(8, 32), 40)]
    assert lines[1:] == ["− group 2  dense 16 sigmoid"]


def test_the_same_and_nothing_before() -> None:
    exp = resolve("sigmoid-20")
    assert [line.plain for line in differences(exp, exp, 40)] == ["Unchanged since the last run"]
    assert [line.plain for line in differences(None, exp, 40)] == ["Not trained yet"]


def test_long_list_of_changes_ends_with_a_count() -> None:
    lines = differences(net_of(*[8] * 30), net_of(*[9] * 30), 40)
    assert len(lines) == SHOWN_CHANGES + 2
    assert lines[-1].plain == f"  and {30 - SHOWN_CHANGES} more"


@given(experiments(), experiments(), st.integers(1, 130))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_differences_of_any_two_experiments_fit_the_width(
    before: Experiment, after: Experiment, width: int
) -> None:
    found = changes(before, after)
    assert bool(found) == (before != after)
    came = sum(change.old is None for change in found)
    went = sum(change.new is None for change in found)
    assert len(after.net) - len(before.net) == came - went
    if width >= 30:
        assert all(line.cell_length <= width for line in differences(before, after, width))


def test_wide_characters_do_not_run_over() -> None:
    before = from_dict({"name": "梯度" * 30})
    lines = differences(before, from_dict({**to_dict(before), "name": "消失" * 30}), 40)
    assert all(line.cell_length <= 40 for line in lines)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sigmoid-20", "Theory: each layer shrinks the gradient to 0.235×; 1e-12 at the input"),
        ("relu-20", "Theory: the gradient keeps its size"),
        ("residual-1001", "Theory: the gradient keeps its size"),
        ("adding-rnn", "Theory: each step back in time shrinks the gradient to 0.555×; 4e-8 29 steps back"),
        (
            "resnet-20",
            "No prediction: the theory covers dense and plain recurrent blocks, not conv (net.0)",
        ),
    ],
)
def test_theory_of_each_net_is_one_sentence(name: str, expected: str) -> None:
    assert expectation(predict(resolve(name))) == expected


def test_theory_of_one_layer_zero_and_faint_gradients_is_worded() -> None:
    assert (
        expectation(predict(net_of(64)))
        == "Theory: nothing to compare, since the net has only one hidden layer"
    )
    gone = Prediction(True, log10_profile=(0.0,), log10_lags=(0.0, -math.inf))
    assert expectation(gone) == "Theory: the gradient falls to zero 1 step back"
    faint = Prediction(True, log10_profile=(0.8, *[0.0] * 1000))
    assert expectation(faint) == "Theory: each layer grows the gradient to 1.0018×; 6.3 at the input"
