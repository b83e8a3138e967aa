"""Test the metric registry: its order, the description of each metric, and the sentences over the charts."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradtui import metrics
from gradtui.absent import ABSENT
from gradtui.headlines import gain_headline, gradient_headline, update_headline
from tests.support.imports import loaded_by


@pytest.mark.parametrize(
    ("norms", "text", "tone"),
    [
        ([1e-12, 1.0], "1.0 trillion times weaker at the input", "weak"),
        ([1.6e-12, 1.0], "620 billion times weaker at the input", "weak"),
        ([0.05, 1.0], "20 times weaker at the input", "uneven"),
        ([2.0, 1.0], "2.0 times stronger at the input", "even"),
        ([0.6, 1.0], "as strong at the input as at the output", "even"),
        ([3e4, 1.0], "30,000 times stronger at the input", "strong"),
        ([1e-40, 1e2], "1e42 times weaker at the input", "weak"),
        ([math.nan, 1.0], "the gradient is NaN or infinite in a", "broken"),
        ([math.inf, math.nan], "the gradient is NaN or infinite in all 2 layers", "broken"),
        ([0.0, 1.0], "no gradient reaches the input", "weak"),
        ([0.0, 0.0], "no gradient at all", "broken"),
        ([-1.0, 1.0], "the gradient is NaN or infinite in a", "broken"),
        ([1.0, 0.0], "no gradient at the output", "broken"),
    ],
)
def test_gradient_headline_compares_first_and_last_layer(norms: list[float], text: str, tone: str) -> None:
    assert gradient_headline(["a", "b"], norms) == (text, tone)


@given(st.lists(st.floats().map(abs), min_size=0, max_size=5))
def test_gradient_headline_of_any_norms_is_one_line(norms: list[float]) -> None:
    assert "\n" not in gradient_headline([str(i) for i in range(len(norms))], norms).text


@pytest.mark.parametrize(
    ("norms", "text"),
    [
        ([0.0, 0.0, 1.0], "no gradient reaches the hidden layers"),
        ([0.0, 0.0, 0.0], "no gradient at all"),
        ([0.0, 2.0, 0.0, 1.0], "no gradient at the first and the last layer"),
    ],
)
def test_a_headline_does_not_deny_the_gradient_of_a_layer(norms: list[float], text: str) -> None:
    names = [*"abc"[: len(norms) - 1], "output"]
    assert gradient_headline(names, norms) == (text, "broken")


def test_update_headline_names_standstill_and_jumps() -> None:
    assert update_headline(["a"], [1e-7]).tone == "weak"
    assert update_headline(["a"], [1e-3]) == (
        "a step changes a by 1e-3 of its size",
        "even",
    )
    assert update_headline(["a"], [0.5]).text.endswith("too much")
    assert update_headline(["a"], [math.nan]).text == "no update measured"


def test_lag_headline_compares_the_longest_lag_with_the_shortest() -> None:
    found = metrics.get("hidden_grad").headline(["0", "1", "2"], [1.0, 0.1, 1e-6])
    assert found == ("1.0 million times weaker 2 steps back", "weak")
    headline = metrics.get("hidden_grad").headline
    assert headline(["0", "1", "2"], [1.0, 1.0, 1.0]).text == "as strong 2 steps back as at the last step"
    assert headline(["0", "1", "2"], [1.0, 1.0, 0.0]).text == "no gradient reaches 2 steps back"
    assert headline(["0", "1"], [math.nan, 1.0]).text == "the gradient is NaN or infinite in 0"


def test_extremes_headline_leaves_out_layers_that_have_no_value() -> None:
    headline = metrics.get("dead_fraction").headline
    assert headline(["a", "b", "c"], [0.5, math.nan, 0.1]).text == "dead units from 10% (c) to 50% (a)"
    assert headline(["a"], [math.nan]).text == "dead units: not measured in any layer"
    assert headline(["a", "b", "c"], [0.001, math.nan, 0.002]).text == "dead units 0% in 2 of 3 layers"
    assert headline(["a", "b"], [1.0, 1.0]).text == "dead units 100% in all 2 layers"
    assert headline(["a", "b"], [math.nan, 0.5]).text == "dead units 50% in b"
    assert (
        metrics.get("activation_std").headline(["a", "b"], [0.0, 0.5]).text == "spread from 0 (a) to 5e-1 (b)"
    )


def test_next_drawn_goes_round_the_recorded_metrics_that_have_a_chart() -> None:
    recorded = ["weight_norm", "grad_norm", "nonfinite", "of a later version"]
    assert metrics.next_drawn("grad_norm", recorded).name == "weight_norm"
    assert metrics.next_drawn("weight_norm", recorded).name == "grad_norm"
    assert metrics.next_drawn("grad_norm", recorded, forward=False).name == "weight_norm"
    assert metrics.next_drawn("grad_norm", []).name == "grad_norm"


def test_register_refuses_a_name_that_is_taken() -> None:
    with pytest.raises(ValueError, match="'grad_norm' is registered already"):
        metrics.register(metrics.get("grad_norm"))


def test_only_the_gradient_of_the_parameters_is_recorded_at_every_step() -> None:
    assert [metric.name for metric in metrics.registered() if metric.every_step] == ["grad_norm"]


def test_figures_that_can_be_bad_come_first() -> None:
    names = [metric.name for metric in metrics.with_figure()]
    assert names == ["dead_fraction", "saturated_fraction", "activation_mean", "slope"]


def test_the_registry_is_cheap_to_import() -> None:
    assert not {"numpy", "torch", "textual"} & loaded_by("gradtui.metrics")


def test_gain_headline_multiplies_the_factors_from_the_output_to_the_input() -> None:
    names = ["a", "b", "c", "d", "e"]
    found = gain_headline(names, [ABSENT, 0.5, 0.25, 0.2, 0.1])
    assert found == ("0.1 × 0.2 × 0.25 × … = 2.5e-3 after 4 layers", "weak")
    assert gain_headline(names[:2], [ABSENT, 3.0]).text == "3 = 3 after 1 layer"
    assert gain_headline(names[:3], [1.0, 1.1, 0.9]).tone == "even"
    assert gain_headline(names[:2], [2.0, 20.0]).tone == "strong"
    assert gain_headline(names[:2], [0.0, 0.5]).text == "0.5 × 0 = 0 after 2 layers"
    assert gain_headline(names[:2], [math.inf, 0.5]).tone == "broken"
    assert gain_headline(names[:2], [ABSENT, ABSENT]).tone == "none"


def test_product_of_a_thousand_factors_is_written_beyond_the_range_of_floats() -> None:
    assert gain_headline(["x"] * 1000, [0.1] * 1000).text.endswith("= 1e-1000 after 1,000 layers")
