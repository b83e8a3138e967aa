"""Test the rules for exploding gradients and unstable losses, on made-up runs of the shapes of RECIPES.md."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from gradtui.diagnosis import Series, diagnose, remarks
from gradtui.diagnosis.findings import Finding
from gradtui.diagnosis.rules.unstable import MEDIANS_A_SPAN, running_median
from tests.support.evidence import AT_CHANCE, LEARNED, codes, curve, evidence, experiment, live, only


class TestExploding:
    def test_a_steep_profile_that_does_not_learn_explodes(self) -> None:
        finding = only(evidence(layers=20, drop=2.6, loss=curve(2.5, 2.35)))
        assert (finding.code, finding.step, finding.severity) == ("exploding", 1, "critical")
        assert "398 times" in finding.evidence
        assert finding.layers == tuple(f"dense{number}" for number in range(1, 13))

    @pytest.mark.parametrize("end", [0.5, 1.15, 1.3])
    def test_a_steep_profile_that_learns_is_a_remark(self, end: float) -> None:
        made = evidence(drop=1.6, loss=curve(28.0, 4.0, end))
        assert codes(made) == []
        assert [remark.severity for remark in remarks(made)] == ["info"]

    def test_its_steps_are_not_told_once_more_as_spikes(self) -> None:
        total = np.full(400, 1.0)
        total[[150, 250]] = 400.0
        made = evidence(drop=0.0, loss=curve(2.3, 0.1, steps=400), total=total)
        assert [remark.code for remark in remarks(made)] == ["spikes"]
        assert remarks(made, [Finding.of("exploding", 151, (), "")]) == []

    def test_a_doubtful_profile_of_a_net_that_has_begun_to_learn_is_no_finding(self) -> None:
        assert codes(evidence(drop=1.1, loss=curve(2.3, 2.25, 1.75))) == []
        assert codes(evidence(drop=2.1, loss=curve(2.3, 2.25, 1.75))) == ["exploding"]

    def test_large_weights_make_large_losses_of_few_errors(self) -> None:
        right = Series.of(np.arange(1, 121), np.linspace(0.1, 0.85, 120))
        loss = curve(20_000.0, 400.0)
        assert codes(evidence(drop=4.4, loss=loss, accuracy_series=right)) == []
        assert codes(evidence(drop=4.4, loss=loss)) == ["exploding"]

    def test_a_loss_of_nan_is_nonfinite(self) -> None:
        loss = np.full(22, np.nan)
        loss[:2] = 28.0, 3e5
        made = evidence(drop=1.6, loss=loss, total=[60.0, 3e6, *[np.nan] * 20])
        broken = np.zeros((1, 11))
        broken[0, 6:] = 40.0
        nonfinite = Series.of([1, 3], np.concatenate([np.zeros((1, 11)), broken]))
        findings = diagnose(dataclasses.replace(made, nonfinite=nonfinite))
        assert [finding.code for finding in findings] == ["exploding", "nonfinite"]
        assert findings[0].step == 1
        assert findings[1].step == 3
        assert findings[1].layers == ("dense7", "dense8", "dense9", "dense10", "output")
        assert "dense7" in findings[1].evidence

    def test_the_gradient_broke_first(self) -> None:
        made = evidence(loss=curve(2.3, 2.0, steps=30))
        norms = made.grad_norm.values.copy()
        norms[12:, :4] = np.inf
        made = dataclasses.replace(made, grad_norm=Series.of(made.grad_norm.steps, norms))
        nonfinite = next(finding for finding in diagnose(made) if finding.code == "nonfinite")
        assert nonfinite.step == 13
        assert nonfinite.layers == ("dense1", "dense2", "dense3", "dense4")
        assert "dense4" in nonfinite.evidence

    def test_behind_a_loss_of_nan_the_gradients_say_nothing(self) -> None:
        made = evidence(drop=1.6, loss=[28.0, np.nan], total=[60.0, np.nan])
        norms = made.grad_norm.values.copy()
        norms[1] = np.nan
        made = dataclasses.replace(
            made,
            grad_norm=Series.of(made.grad_norm.steps, norms),
            nonfinite=Series.of([1], np.zeros((1, 11))),
        )
        nonfinite = diagnose(made)[-1]
        assert (nonfinite.code, nonfinite.step, nonfinite.layers) == ("nonfinite", 2, ())
        looked = dataclasses.replace(made, nonfinite=Series.of([1, 2], np.zeros((2, 11))))
        assert "every layer" in diagnose(looked)[-1].evidence

    def test_bad_data_is_not_an_explosion(self) -> None:
        loss = np.full(20, np.nan)
        assert codes(evidence(loss=loss, total=np.full(20, np.nan))) == ["nonfinite"]

    def test_loss_scaling_may_skip_a_step(self) -> None:
        made = evidence(loss=LEARNED, experiment=experiment(run__precision="fp16", net__activation="relu"))
        norms = made.grad_norm.values.copy()
        norms[[0, 1, 50]] = np.inf
        skipped = dataclasses.replace(made, grad_norm=Series.of(made.grad_norm.steps, norms))
        assert codes(skipped) == []
        assert "nonfinite" in codes(dataclasses.replace(skipped, experiment=experiment()))

    def test_a_loss_that_swings_is_unstable(self) -> None:
        loss = 2.5 + 20 * np.abs(np.sin(np.arange(120)))
        loss[:5] = 2.4
        steep = evidence(drop=2.6, loss=loss)
        assert codes(steep) == ["exploding", "unstable-loss"]
        # With an even gradient that did not grow it is the loss alone: the rate.
        (finding,) = diagnose(evidence(drop=0.0, loss=loss))
        assert finding.code == "unstable-loss"
        assert "1.5×" in finding.evidence
        grown = np.linspace(1.0, 90.0, 120)
        assert codes(evidence(drop=0.0, loss=loss, total=grown)) == ["exploding", "unstable-loss"]

    def test_swings_that_have_calmed_are_no_finding(self) -> None:
        loss = np.where(np.arange(120) < 60, 2.5 + 20 * np.abs(np.sin(np.arange(120))), 0.3)
        loss[:5] = 2.4
        assert codes(evidence(loss=loss)) == []
        assert codes(live(evidence(loss=loss, steps_planned=120), 61)) == []

    def test_a_loss_that_rises_out_of_proportion_explodes(self) -> None:
        loss = np.concatenate([[2.3, 2.4], np.geomspace(1e18, 1e9, 118)])
        assert codes(live(evidence(loss=loss), 25)) == ["exploding"]
        assert only(live(evidence(loss=loss), 25)).step == 3
        # A net of weights too large begins there, and may come down.
        assert codes(live(evidence(loss=curve(1e5, 1e4, 300.0)), 25)) == []

    def test_noise_is_not_an_explosion(self) -> None:
        random = np.random.default_rng(0)
        for _ in range(20):
            noisy = curve(2.3, 0.6) * random.lognormal(0.0, 0.5, 120)
            norms = random.lognormal(0.0, 0.7, 120)
            assert codes(evidence(loss=noisy, total=norms)) == []

    def test_falling_from_high_is_slow_not_unstable(self) -> None:
        assert codes(evidence(drop=0.3, loss=curve(110.0, 20.0, 5.0))) == []
        assert codes(live(evidence(drop=1.6, loss=curve(110.0, 20.0, 2.0)), 90)) == []

    def test_a_net_that_blew_up_and_died_explodes(self) -> None:
        total = np.ones(120)
        total[4] = 1e9
        made = evidence(
            layers=3, loss=AT_CHANCE, total=total, dead=[1.0, 0.9, 1.0], dead_at_start=[0.1, 0.1, 0.1]
        )
        finding = only(made)
        assert finding.code == "exploding"
        assert finding.step == 5
        assert "dense1" in finding.evidence

    def test_a_spike_that_hurts_the_loss_explodes(self) -> None:
        total, loss = np.ones(120), curve(2.3, 2.2)
        total[60] = 150.0
        hurt = np.where(np.arange(120) == 61, 9.0, loss)
        assert codes(evidence(loss=hurt, total=total)) == ["exploding"]
        assert codes(evidence(loss=LEARNED, total=total)) == []
        # A norm that comes to some ten times its median by itself, as in deep plain nets, is not the cause.
        for height in (50.9, 65.0, 95.0):
            total[60] = height
            assert "exploding" not in codes(evidence(loss=hurt, total=total))
        total[60] = 150.0
        # The loss did not feel it: where a net leaves its plateau the gradient grows a hundredfold.
        assert "exploding" not in codes(evidence(loss=loss, total=total))
        # A norm that begins high and falls did not explode in the course of the run.
        falling = evidence(loss=curve(2.3, 1.7), total=curve(100.0, 1.0, 1.0))
        assert codes(falling) == []


@pytest.mark.parametrize("span", [1, 5, MEDIANS_A_SPAN, MEDIANS_A_SPAN + 3])
def test_running_medians_of_short_spans_are_exact(span: int) -> None:
    values = np.random.default_rng(0).normal(size=200)
    exact = np.array([np.median(values[i : i + span]) for i in range(200 - span + 1)])
    np.testing.assert_array_equal(running_median(values, span), exact)


def test_running_medians_of_long_spans_are_exact_where_they_are_taken() -> None:
    values = np.random.default_rng(0).normal(size=20_000)
    span = 1_000
    medians = running_median(values, span)
    assert len(medians) == 19_001
    stride = span // MEDIANS_A_SPAN
    for at in (0, stride, 7 * stride):
        assert medians[at] == np.median(values[at : at + span])
    assert medians[stride + 5] == medians[stride]
