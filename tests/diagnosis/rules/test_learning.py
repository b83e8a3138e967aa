"""Test the rules for nets with healthy gradients, on made-up runs of the shapes of RECIPES.md."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from gradtui.diagnosis import Evidence, Series
from tests.support.evidence import AT_CHANCE, CHANCE, LEARNED, codes, curve, evidence, experiment, only


class TestLearning:
    def test_too_small_a_rate_is_named(self) -> None:
        finding = only(evidence(loss=curve(3.5, 3.4), update=3e-7))
        assert finding.code == "not-learning"
        assert "too small" in finding.evidence
        assert finding.cures[0].set["optimizer.kind"] == "adam"
        larger = next(offer for offer in finding.cures if offer.name.startswith("larger learning rate"))
        assert larger.set["optimizer.lr"] > 0.1

    def test_too_large_a_rate_is_named(self) -> None:
        finding = only(evidence(loss=AT_CHANCE, update=0.3))
        assert finding.code == "not-learning"
        assert finding.cures[0].set["optimizer.lr"] < 0.1

    def test_the_data_are_blamed_only_where_nothing_stands_out_in_the_experiment(self) -> None:
        penalised = experiment(cures__l2=0.1, net__activation="relu")
        assert "L2 of 0.1" in only(evidence(loss=AT_CHANCE, update=1e-3, experiment=penalised)).evidence
        plain = experiment(net__activation="relu")
        assert "labels" in only(evidence(loss=AT_CHANCE, update=1e-3, experiment=plain)).evidence

    def test_a_loss_falling_from_far_above_chance_is_on_its_way(self) -> None:
        assert codes(evidence(loss=curve(4.0, 2.2))) == []
        assert codes(evidence(loss=curve(4.0, 2.3, 2.28, 2.28, 2.28))) == ["not-learning"]

    def test_a_slow_net_is_no_finding(self) -> None:
        assert codes(evidence(loss=curve(2.35, 2.1, steps=200))) == []
        assert codes(evidence(loss=curve(2.35, 2.26, steps=200))) == ["not-learning"]

    def test_a_plateau_may_have_ended_a_moment_ago(self) -> None:
        late = curve(*[2.31] * 9, 2.12, steps=400)
        assert codes(evidence(loss=late)) == []
        assert codes(evidence(loss=curve(*[2.31] * 10, steps=400))) == ["not-learning"]

    @pytest.mark.parametrize("schedule", ["cosine", "step"])
    def test_a_fall_is_not_continued_beyond_the_end_of_a_rate_that_decays(self, schedule: str) -> None:
        constant, decaying = experiment(), experiment(optimizer__schedule=schedule)
        falling = curve(2.35, 2.1, steps=200)
        assert codes(evidence(loss=falling, experiment=constant)) == []
        assert codes(evidence(loss=falling, experiment=decaying)) == ["not-learning"]

    def test_a_loss_that_came_down_and_rose_again_is_not_on_its_way(self) -> None:
        back = curve(2.4, 2.3, 2.2, 2.0, 2.25, 2.25, 2.25, 2.25, steps=200)
        assert codes(evidence(loss=back)) == ["not-learning"]
        assert codes(evidence(loss=curve(2.4, 2.3, 2.2, 2.15, 2.1, steps=200))) == []

    def test_answers_better_than_guesses_count_as_learning(self) -> None:
        def answering(first: float, last: float) -> Evidence:
            right = Series.of(np.arange(1, 121), np.linspace(first, last, 120))
            return evidence(loss=curve(2.35, 2.25), accuracy_series=right)

        assert codes(answering(0.1, 0.45)) == []
        assert codes(answering(0.1, 0.16)) == ["not-learning"]
        # Luck at the start is none.
        assert codes(answering(0.4, 0.4)) == ["not-learning"]

    def test_a_fall_of_small_batches_must_be_clear(self) -> None:
        random = np.random.default_rng(1)
        for _ in range(20):
            noisy = CHANCE * random.lognormal(0.0, 0.08, 120)
            assert codes(evidence(loss=noisy)) == ["not-learning"]

    def test_a_short_run_is_not_blamed(self) -> None:
        assert codes(evidence(loss=curve(2.35, 2.30, steps=60))) == []

    @pytest.mark.parametrize(("update", "fits"), [(4e-8, True), (4e-10, False), (4e-6, False)])
    def test_a_threshold_far_below_the_norm_is_overclipped(self, update: float, fits: bool) -> None:
        exp = experiment(cures__clip_norm=1e-4, net__activation="relu")
        made = evidence(
            loss=curve(3.5, 3.4),
            update=update,
            total=np.full(120, 6.5),
            clipped=np.full(120, 1e-4),
            experiment=exp,
        )
        finding = only(made)
        assert finding.code == "overclipped"
        # Without the threshold a step is 65,000 times as long: a healthy one, or one that wants another rate, too.
        assert finding.cures[0].set["cures.clip_norm"] == (6.0 if fits else 1.0)
        assert ("optimizer.lr" in finding.cures[0].set) is not fits
        clipping_cures = dataclasses.replace(made, update_ratio=evidence(update=1e-3).update_ratio)
        assert "overclipped" not in codes(clipping_cures)

    def test_degradation_needs_a_shallower_partner(self) -> None:
        deep = evidence(layers=57, drop=-0.5, loss=curve(2.4, 1.9), accuracy=0.26)
        shallow = evidence(layers=5, drop=0.1, loss=LEARNED, accuracy=0.94)
        assert codes(deep) == []
        finding = only(deep, shallow)
        assert finding.code == "degradation"
        assert "26.0%" in finding.evidence
        assert "94.0%" in finding.evidence
        assert finding.cures[0].name == "residual shortcuts" or not finding.cures[0].set
        assert codes(shallow, deep) == []

    def test_between_seeds_accuracies_differ_too(self) -> None:
        deep = evidence(layers=21, drop=0.1, loss=LEARNED, accuracy=0.892)
        assert codes(deep, evidence(layers=5, loss=LEARNED, accuracy=0.936)) == []

    def test_a_deep_net_that_explodes_is_no_degradation(self) -> None:
        deep = evidence(layers=57, drop=4.5, loss=curve(2.9, 2.1), accuracy=0.2)
        assert codes(deep, evidence(layers=5, loss=LEARNED, accuracy=0.99)) == ["exploding"]

    def test_noisy_labels_leave_healthy_gradients(self) -> None:
        usual = experiment(net__activation="relu", net__init="he")
        finding = only(evidence(loss=curve(2.9, 2.25, 2.25, 2.25), experiment=usual))
        assert finding.code == "not-learning"
        assert "labels" in finding.evidence
