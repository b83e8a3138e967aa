"""Test what a loss means: any zero point, any number of losses, blow-ups, losses that say nothing, trained weights."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike

from gradtui.diagnosis import Evidence, Series, diagnose
from gradtui.diagnosis.loss import LossCourse, roughness_of, scatter_of
from gradtui.diagnosis.rules import remarks
from tests.support.evidence import codes, curve, evidence, experiment, live, only

RNG = np.random.default_rng(1)


START = RNG.bit_generator.state


@pytest.fixture(autouse=True)
def _same_noise() -> None:
    """Give each test the same noise, whichever tests ran before it."""
    RNG.bit_generator.state = START


def script(loss: ArrayLike, *, known: float = math.nan, **more: Any) -> Evidence:
    """A script's run with this loss; what guessing gives is not known."""
    return evidence(loss=loss, experiment=None, chance_loss=known, **more)


def noise(steps: int, size: float = 1.0) -> np.ndarray:
    return size * RNG.standard_normal(steps)


def falling(start: float, end: float, steps: int = 300) -> np.ndarray:
    """From one level to another, as a healthy loss goes: fast at first, then slower."""
    return end + (start - end) * np.exp(-np.arange(steps) / (steps / 6))


class TestFewLosses:
    @pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11])
    def test_a_falling_loss_of_any_number_has_no_finding(self, count: int) -> None:
        every = script(curve(2.3, 0.4, steps=600))
        rows = np.linspace(0, 599, count).astype(int)
        loss = Series.of(every.loss.steps[rows], every.loss.values[rows])
        assert codes(dataclasses.replace(every, loss=loss)) == []

    @pytest.mark.parametrize("count", [1, 2, 3, 9])
    def test_a_flat_loss_of_too_few_numbers_is_not_judged(self, count: int) -> None:
        every = script(np.full(600, 2.3) + noise(600, 0.01))
        rows = np.linspace(0, 599, count).astype(int)
        loss = Series.of(every.loss.steps[rows], every.loss.values[rows])
        assert codes(dataclasses.replace(every, loss=loss)) == []

    def test_and_of_enough_numbers_it_is(self) -> None:
        every = script(np.full(600, 2.3) + noise(600, 0.01))
        loss = Series.of(every.loss.steps[::50], every.loss.values[::50])
        assert codes(dataclasses.replace(every, loss=loss)) == ["not-learning"]

    def test_the_first_loss_is_not_compared_with_itself(self) -> None:
        assert LossCourse(Series.of([200, 400, 600], [0.5, 0.2, 0.1])).now == 0.1


class TestSeveralTerms:
    @staticmethod
    def rising(height: float, steps: int = 400) -> np.ndarray:
        """One term falls, and another grows from 0 to that height and halves again."""
        t = np.arange(steps) / steps
        grown = (
            height * np.minimum(1, (4 * t) ** 3) * np.where(t > 0.25, 0.5 + 0.5 * np.exp(-4 * (t - 0.25)), 1)
        )
        return falling(1.0, 0.3, steps) + grown

    @pytest.mark.parametrize("height", [2.0, 5.0, 40.0])
    def test_a_term_that_grows_smoothly_is_information(self, height: float) -> None:
        run = script(self.rising(height) * (1 + noise(400, 0.05)), loss_terms=3)
        assert codes(run) == []
        assert [found.code for found in remarks(run)] == ["unstable-loss"]

    def test_and_of_a_loss_of_one_term_it_is_a_finding(self) -> None:
        assert "unstable-loss" in codes(script(self.rising(5.0) * (1 + noise(400, 0.05))))

    def test_a_sum_that_swings_is_a_finding(self) -> None:
        swinging = np.exp(noise(400)) * self.rising(10.0)
        assert codes(script(swinging, loss_terms=3)) == codes(script(swinging)) != []

    def test_a_sum_that_runs_away_is_a_finding(self) -> None:
        assert codes(script(self.rising(5000.0), loss_terms=3)) != []

    def test_a_sum_that_stays_where_it_began_is_not_learning(self) -> None:
        assert codes(script(2.3 + noise(400, 0.02), loss_terms=2)) == ["not-learning"]


class TestMovingTargets:
    """The targets of a Q-function are its own later values."""

    @staticmethod
    def returns(height: float, steps: int = 600) -> np.ndarray:
        """The error of values that approach their end: it rises with the first steps they take, and falls."""
        t = np.arange(steps) / steps
        return 1.0 + height * t / 0.2 * np.exp(1 - t / 0.2)

    @pytest.mark.parametrize("height", [2.0, 20.0, 200.0])
    def test_an_error_that_rises_no_more_than_its_targets_is_information(self, height: float) -> None:
        run = script(self.returns(height) * (1 + noise(600, 0.1)), target_growth=4 * height)
        assert codes(run) == []
        assert [found.code for found in remarks(run)] == ["unstable-loss"]
        assert "targets have moved" in remarks(run)[0].evidence

    @pytest.mark.parametrize("growth", [math.nan, 0.5, 1.0, 3.0])
    def test_an_error_whose_targets_stay_is_a_finding(self, growth: float) -> None:
        run = script(self.returns(20.0) * (1 + noise(600, 0.1)), target_growth=growth)
        assert "unstable-loss" in codes(run)

    def test_answers_no_better_than_a_constant_are_a_finding(self) -> None:
        run = script(self.returns(20.0) + 4 + noise(600, 0.1), target_growth=1e4, constant_loss=3.0)
        assert codes(run) != []

    def test_values_that_run_away_are_a_finding(self) -> None:
        away = np.exp(np.linspace(0, 12, 600)) * (1 + noise(600, 0.1))
        assert "unstable-loss" in codes(script(away, target_growth=1e9))


class TestZeroPoint:
    @pytest.mark.parametrize(
        ("start", "end"),
        [(-0.02, -0.95), (0.01, -1.0), (3.0, -3.0), (-5.0, -8.0), (1.0, -0.2), (-0.001, -0.7)],
    )
    def test_a_loss_that_falls_below_zero_has_learned(self, start: float, end: float) -> None:
        assert codes(script(falling(start, end) + noise(300, 0.02))) == []

    @pytest.mark.parametrize("shift", [-100.0, -10.0, -3.0])
    def test_the_same_course_means_the_same_wherever_zero_is(self, shift: float) -> None:
        made = LossCourse(Series.of(np.arange(1, 301), falling(2.3, 0.3) + noise(300, 0.05) + shift))
        assert made.has_fallen
        assert not made.in_multiples

    def test_a_loss_that_rounding_takes_below_zero_still_has_a_floor(self) -> None:
        made = LossCourse(Series.of(np.arange(1, 101), np.append(curve(2.0, 0.1, steps=99), -1e-8)))
        assert made.in_multiples

    def test_one_that_ends_where_nothing_moves_does_not_learn(self) -> None:
        # minus Dice: a few promising steps, then background everywhere
        loss = np.concatenate([-0.015 - 0.01 * RNG.random(40), np.zeros(210)])
        total = np.concatenate([np.full(40, 0.5), np.zeros(210)])
        assert codes(script(loss, total=total)) == ["not-learning"]


class TestBlowUps:
    @pytest.mark.parametrize("peak", [20.0, 60.0, 600.0])
    @pytest.mark.parametrize("at", [1, 2, 30, 150])
    def test_a_loss_that_jumps_and_returns_to_guessing(self, peak: float, at: int) -> None:
        loss = np.full(300, 2.35) + noise(300, 0.02)
        loss[at : at + 60] = np.geomspace(peak, 2.4, 60)
        found = diagnose(script(loss))
        assert {"unstable-loss", "exploding"} & {one.code for one in found}
        assert found[0].severity == "critical"
        assert found[0].step in (at, at + 1, at + 2)

    def test_a_loss_that_jumps_at_its_second_step_is_no_measure_of_guessing(self) -> None:
        course = LossCourse(Series.of([1, 2, 3, 4, 5, 6], [2.4, 60.0, 43.0, 30.0, 20.0, 9.0]))
        assert course.guessing == 2.4

    def test_one_that_learns_in_the_end_has_no_finding(self) -> None:
        loss = np.concatenate([[2.4, 15.0, 9.0], falling(5.0, 0.1, 297)])
        assert codes(script(loss)) == []

    def test_a_start_far_above_guessing_is_no_jump(self) -> None:
        assert codes(script(falling(40.0, 1.5), known=2.3)) == []

    @pytest.mark.parametrize("seed", range(6))
    def test_single_examples_that_scatter_are_no_jump(self, seed: int) -> None:
        generator = np.random.default_rng(seed)
        loss = generator.chisquare(1, 800) * np.linspace(1.0, 0.75, 800)
        assert codes(script(loss)) == []


class TestWithoutEnd:
    @pytest.mark.parametrize("growth", [1.0, 2.0, 4.0])
    def test_a_loss_that_runs_to_minus_infinity_explodes(self, growth: float) -> None:
        steps = np.arange(300)
        found = only(script(-0.7 - 300 * (steps / 300) ** growth + noise(300, 0.05)))
        assert found.code == "exploding"
        assert "no floor" in found.evidence

    def test_one_that_has_broken_on_its_way(self) -> None:
        loss = -np.geomspace(0.7, 1e30, 120)
        loss[100:] = -np.inf
        assert "exploding" in codes(script(loss))

    @pytest.mark.parametrize("end", [-3.0, -9.0, -2000.0])
    def test_a_log_likelihood_that_slows_down_does_not(self, end: float) -> None:
        assert codes(script(falling(-end, end) + noise(300, 0.01 * abs(end)))) == []


class TestLossesThatSayNothing:
    @pytest.mark.parametrize("size", [1e-9, 1e-4, 1.0, 300.0])
    def test_loss_around_zero_has_no_finding(self, size: float) -> None:
        assert codes(script(noise(240, size))) == []

    def test_an_advantage_that_grows_with_the_returns(self) -> None:
        assert codes(script(noise(400) * np.geomspace(0.3, 30, 400))) == []

    def test_loss_of_exactly_zero_has_no_finding(self) -> None:
        assert codes(script(np.zeros(240))) == []

    def test_an_episode_a_step_has_no_level(self) -> None:
        assert codes(script(np.random.default_rng(3).gamma(1.0, 20.0, 300))) == []

    def test_but_the_loss_of_a_whole_batch_has(self) -> None:
        assert codes(script(20 + noise(300, 0.5))) == ["not-learning"]

    def test_what_the_script_logs_as_its_progress_counts(self) -> None:
        made = script(20 + noise(300, 0.5))
        rising = Series.of(made.loss.steps, np.linspace(10, 90, 300) + noise(300, 5.0))
        assert codes(dataclasses.replace(made, progress=rising)) == []
        flat = Series.of(made.loss.steps, 10 + noise(300, 5.0))
        assert codes(dataclasses.replace(made, progress=flat)) == ["not-learning"]


class TestStandsStill:
    """All embeddings are equal: the loss is at its margin in every batch."""

    def collapsed(self, level: float) -> np.ndarray:
        loss = np.full(300, level) + noise(300, 1e-6)
        loss[:60] = np.linspace(1.5, level, 60) + noise(60, 0.05)
        return loss

    @pytest.mark.parametrize("level", [0.2, 0.5, 1.0])
    def test_a_constant_loss_above_zero_has_not_begun_to_learn(self, level: float) -> None:
        found = only(script(self.collapsed(level)))
        assert found.code == "not-learning"
        assert "same in every batch" in found.evidence

    def test_one_that_varies_has_learned(self) -> None:
        assert codes(script(self.collapsed(0.3) + noise(300, 0.02))) == []

    def test_a_whole_batch_at_its_best_fit_has_learned(self) -> None:
        # gradient descent on all data: smooth from the start, and constant at the end
        assert codes(script(falling(1.0, 0.2, 600))) == []


class TestTrainedBefore:
    def test_weights_at_their_floor_have_learned(self) -> None:
        made = script(np.full(300, 0.9) + noise(300, 0.05))
        assert codes(made) == ["not-learning"]
        assert codes(dataclasses.replace(made, trained_before=True)) == []

    def test_a_rate_that_destroys_them_is_found(self) -> None:
        loss = np.concatenate([np.full(5, 0.3), np.full(295, 2.3)]) + noise(300, 0.02)
        assert codes(script(loss, trained_before=True)) == ["unstable-loss"]

    def test_where_guessing_is_known_the_loss_below_it_is_learned(self) -> None:
        assert codes(script(np.full(300, 0.05) + noise(300, 0.004), known=2.3)) == []


class TestScaler:
    def made(self, skipped: list[int], broken: list[int]) -> Evidence:
        made = script(curve(2.3, 0.4, steps=120))
        norms, total = made.grad_norm.values.copy(), made.total_norm.values.copy()
        norms[broken], total[broken] = np.nan, np.nan
        flags = np.zeros(120)
        flags[skipped] = 1
        steps = made.grad_norm.steps
        return dataclasses.replace(
            made,
            grad_norm=Series.of(steps, norms),
            total_norm=Series.of(steps, total),
            skipped=Series.of(steps, flags),
        )

    def test_steps_that_a_scaler_left_out_are_excused(self) -> None:
        assert codes(self.made([0, 1, 60, 119], [0, 1, 60, 119])) == []

    def test_steps_that_were_taken_are_not(self) -> None:
        found = only(self.made([0], [0, 118, 119]))
        assert (found.code, found.step) == ("nonfinite", 119)


class TestLossThatRisesAgain:
    """A net that learned, and then lost what it had learned, although its loss stays below that of guessing."""

    @staticmethod
    def run(*, now: float = 1.0, accuracy: float = 0.6, kept: float = 1.0, **more: Any) -> Evidence:
        """Return a run whose loss falls to 0.05 until step 300 and is `now` from step 351 to step 700."""
        loss = np.concatenate([curve(2.3, 0.05, steps=300), np.full(50, 0.05), np.full(350, now)])
        answers = np.where(loss > 0.5 * now, accuracy, kept)
        answers[:100] = 0.1
        noisy = loss * (1 + noise(700, 0.05))
        return evidence(loss=noisy, accuracy_series=Series.of(np.arange(1, 701), answers), **more)

    def test_it_is_found_with_the_step_of_the_rise_and_both_accuracies(self) -> None:
        found = only(self.run())
        assert (found.code, found.severity, found.step) == ("unstable-loss", "warning", 351)
        assert "fell from 100% to 60%" in found.evidence
        assert "rate" not in found.evidence

    def test_a_raised_rate_is_named_and_lowered_first(self) -> None:
        rate = Series.of(np.arange(1, 701), np.where(np.arange(1, 701) > 350, 0.3, 0.03))
        exp = experiment(net__repeat=10, net__activation="relu", optimizer__lr=0.03)
        found = only(self.run(rate=rate, experiment=exp, update=0.1))
        assert "raised from 0.03 to 0.3 at step 351" in found.evidence
        assert found.cures[0].set == {"optimizer.lr": 0.01}

    def test_single_high_losses_before_the_rise_are_not_its_beginning(self) -> None:
        run = self.run()
        run.loss.values[280:284] = 3.0
        assert only(run).step == 351

    def test_a_net_that_now_only_guesses_has_a_critical_finding(self) -> None:
        assert only(self.run(now=2.3, accuracy=0.1)).severity == "critical"

    def test_a_loss_alone_that_rises_is_no_fault_while_the_answers_stay(self) -> None:
        assert codes(self.run(accuracy=0.97)) == []

    def test_a_small_rise_is_no_fault(self) -> None:
        assert codes(self.run(now=0.4, accuracy=0.85)) == []

    def test_while_training_it_is_found_only_when_the_rise_has_lasted(self) -> None:
        assert codes(live(self.run(), 390)) == []
        assert codes(live(self.run(), 410)) == ["unstable-loss"]

    def test_while_it_falls_back_it_is_found_only_if_the_rate_was_raised(self) -> None:
        steps = np.arange(1, 701)
        raised = Series.of(steps, np.where(steps > 350, 0.3, 0.03))
        unchanged = Series.of(steps, np.full(700, 0.03))
        found = []
        for rate in (raised, unchanged):
            run = self.run(now=1.0, rate=rate)
            run.loss.values[350:] *= np.geomspace(2.0, 0.05, 350)
            found.append(codes(live(run, 430)))
        assert found == [["unstable-loss"], []]

    def test_a_script_is_not_judged_by_it(self) -> None:
        assert codes(self.run(experiment=None, chance_loss=math.nan)) == []


def test_a_live_run_is_given_time_to_return_from_a_jump() -> None:
    loss = np.concatenate([[2.4], np.geomspace(60, 1.0, 299)])
    for step in (5, 40, 100, 150):
        assert codes(live(script(loss), step)) == []


@pytest.mark.parametrize("size", [0.1, 3.0])
def test_scatter_is_the_standard_deviation_of_normal_noise(size: float) -> None:
    values = np.random.default_rng(0).normal(5.0, size, 4000) + np.linspace(0, 10 * size, 4000)
    assert scatter_of(values) == pytest.approx(size, rel=0.05)
    assert roughness_of(values) == pytest.approx(size, rel=0.05)
