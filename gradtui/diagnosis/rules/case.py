"""Answer the questions that every rule asks about a run: does it learn, how far do its steps go, and is there enough
data for a judgement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gradtui.diagnosis.cures.measured import Measured
from gradtui.diagnosis.evidence import Evidence
from gradtui.diagnosis.loss import LossCourse, loss_fall
from gradtui.diagnosis.profile import Profile, median_of_known, over_depth, over_lags
from gradtui.diagnosis.thresholds import (
    BETTER_THAN_GUESSING,
    EXPLODING_DECADES,
    FALLING_RATIO,
    FAR_ABOVE_CHANCE,
    FEWEST_ANSWERS,
    FEWEST_LOSSES,
    FEWEST_STEPS,
    GOOD_ANSWERS,
    LEARNED_LOSS,
    LEARNS_ANYWAY_LOSS,
    LOSS_STEPS,
    MOST_WARMUP_STEPS,
    NEARLY_DONE_SHARE,
    NEARLY_DONE_STEPS,
    RAISED_RATE,
    RECENT_UPDATES,
    RISEN_ANSWERS,
    STANDSTILL_UPDATE,
    UNLEARNED_LOSS,
    WARMUP_SHARE,
    WARMUP_STEPS,
)
from gradtui.words import plain_exponents, ratio, several

SAME_LOSS = 0.1
"""The median of the last losses counts as the loss itself if the last one differs by at most this share."""
KINDS = {
    "batchnorm1d": "BatchNorm1d",
    "batchnorm2d": "BatchNorm2d",
    "groupnorm": "GroupNorm",
    "layernorm": "LayerNorm",
    "lstm": "LSTM",
    "gru": "GRU",
    "rnn": "RNN",
    "multiheadattention": "MultiheadAttention",
    "transformerencoderlayer": "TransformerEncoderLayer",
    "transformerdecoderlayer": "TransformerDecoderLayer",
}
"""The class names of a script's modules as they are usually written; recordings have them in lower case."""


@dataclass(frozen=True, eq=False)
class Case:
    """A Case is one run as the rules see it: its evidence, and what several rules derive from it."""

    evidence: Evidence

    # -- the gradient

    @cached_property
    def depth(self) -> Profile:
        """Return the profile of the gradient along the hidden layers."""
        return over_depth(self.evidence)

    @cached_property
    def by_weights(self) -> bool:
        """Return whether the depth profile is made of the gradients of a script's weights, since those of outputs are
        unknown.

        Such a profile proves less: also in nets that learn well, batch norm makes the gradient of a weight grow as the
        weight shrinks, and branches add up towards the input.
        """
        return self.evidence.experiment is None and not len(self.evidence.output_grad_rms)

    @cached_property
    def lags(self) -> Profile:
        """Return the profile of the gradient along time."""
        return over_lags(self.evidence.hidden_grad)

    @cached_property
    def starts_steep(self) -> bool:
        """Return whether the gradient grows towards the input, over depth or time, from the first step on."""
        return any(len(profile) and profile.start >= EXPLODING_DECADES for profile in (self.depth, self.lags))

    def end_layers(self) -> tuple[str, str]:
        """Return the names of the first and the last hidden layer of the depth profile."""
        return self.called(self.depth.indices[0]), self.called(self.depth.indices[-1])

    def called(self, layer: int) -> str:
        """Return the name of the layer with this index, with its kind if the name is only a number."""
        name, kind = self.evidence.layers[layer], self.evidence.kinds[layer]
        if self.evidence.experiment is not None or not kind or not name.rpartition(".")[2].isdigit():
            return name
        return f"{name} ({KINDS.get(kind, kind.capitalize())})"

    # -- does it learn

    @cached_property
    def loss(self) -> LossCourse:
        """Return the loss over the steps, with what is known about it."""
        known = self.evidence
        return LossCourse(
            known.loss,
            known.chance_loss,
            known.loss_kind,
            known.trained_before,
            known.constant_loss,
            known.loss_terms,
        )

    @property
    def chance_loss(self) -> float:
        """Return the loss of guessing, as far as it is known: NaN otherwise (`LossCourse.guessing`)."""
        return self.loss.guessing

    @property
    def loss_now(self) -> float:
        """Return the median loss of the last steps; NaN where none was recorded, infinite where it is not finite."""
        return self.loss.now

    @property
    def relative_loss(self) -> float:
        """Return `loss_now` divided by the chance loss; NaN where one of them is unknown."""
        return self.loss.relative

    @cached_property
    def stands_still(self) -> bool:
        """Return whether a script's loss has become the same in every batch, at a level above 0."""
        return self.evidence.experiment is None and self.loss.is_constant

    @cached_property
    def _proves_nothing(self) -> bool:
        """Return whether a low loss shows no learning: it stands still, runs away, or is that of a constant answer."""
        loss = self.loss
        return self.stands_still or loss.falls_without_end is not None or loss.only_constant

    @cached_property
    def learned(self) -> bool:
        """Return whether it has learned (RECIPES.md, rule 5)."""
        if self.progressed:
            return True
        if self._proves_nothing:
            return False
        return self.relative_loss <= LEARNED_LOSS or self._learned_without_reference

    @cached_property
    def _learned_without_reference(self) -> bool:
        """Return whether the net has learned, without a known loss of guessing.

        A loss without a floor must have fallen clearly. Weights that were trained before count as having learned unless
        their loss is clearly above its start.
        """
        if np.isfinite(self.chance_loss) or not len(self.loss.values):
            return False
        if not self.loss.in_multiples:
            return self.loss.has_fallen
        return self.evidence.trained_before and self.loss_now <= FAR_ABOVE_CHANCE * self.loss.first

    @cached_property
    def progressed(self) -> bool:
        """Return whether the number that the script logs as its progress has clearly improved since the start."""
        values = self.evidence.progress.values
        if len(values) < FEWEST_LOSSES:
            return len(values) > 1 and bool(values[-1] > values[0])
        part = max(3, len(values) // 4)
        return loss_fall(-values[:part], -values[-part:]) > 0

    @cached_property
    def _answers(self) -> tuple[float, float]:
        """Return the accuracy at first and now, on a scale from guessing (0) to always right (1); NaN if unknown."""
        accuracy = self.evidence.accuracy.values
        rows = max(LOSS_STEPS, -(-FEWEST_ANSWERS // self.batch_size) if self.batch_size else 0)
        if not self.evidence.chance_loss > 0 or len(accuracy) < rows:
            return float("nan"), float("nan")
        guessing = float(np.exp(-self.evidence.chance_loss))
        first, now = (float(np.mean(part)) for part in (accuracy[:rows], accuracy[-rows:]))
        return (first - guessing) / (1.0 - guessing), (now - guessing) / (1.0 - guessing)

    @cached_property
    def answers_well(self) -> bool:
        """Return whether the latest answers are good; with large weights, few errors can make a large loss."""
        return self._answers[1] >= GOOD_ANSWERS

    @cached_property
    def started_learning(self) -> bool:
        """Return whether the loss has clearly left the chance loss, or the answers are now better than guesses."""
        first, now = self._answers
        better = now >= BETTER_THAN_GUESSING and now - first >= RISEN_ANSWERS
        if self.learned or better or self.answers_well:
            return True
        if self._proves_nothing:
            return False
        return self.relative_loss < UNLEARNED_LOSS

    @cached_property
    def learns_anyway(self) -> bool:
        """Return whether the net learns well enough that an uneven profile is only a remark."""
        if self.learned or self.answers_well:
            return True
        return self.relative_loss <= LEARNS_ANYWAY_LOSS and not self._proves_nothing

    @cached_property
    def loss_is_falling(self) -> bool:
        """Return whether the loss of a live run is falling, lately or since its second quarter: from far above chance,
        or to below it."""
        if self.evidence.finished:
            return False
        loss = self.evidence.loss.values
        span = max(LOSS_STEPS, len(loss) // 10)
        if len(loss) < 2 * span:
            return False
        now = loss[-span:]
        if not self.loss.in_multiples:
            return loss_fall(loss[-2 * span : -span], now) > self.loss.scatter
        earlier = (loss[-2 * span : -span], loss[len(loss) // 4 : len(loss) // 2])
        return any(
            loss_fall(part, now) > (1.0 - FALLING_RATIO) * median_of_known(part)
            and (
                median_of_known(part) > FAR_ABOVE_CHANCE * self.chance_loss
                or median_of_known(now) < self.chance_loss
            )
            for part in earlier
        )

    # -- is there enough to judge by

    @cached_property
    def has_enough_steps(self) -> bool:
        """Return whether there are enough steps to judge a profile."""
        return self.evidence.step >= (1 if self.evidence.finished else FEWEST_STEPS)

    @cached_property
    def too_short(self) -> bool:
        """Return whether the run ended before it could show whether the net learns."""
        return self.evidence.finished and self.evidence.step < FEWEST_STEPS

    @cached_property
    def past_warmup(self) -> bool:
        """Return whether there are enough steps to judge what happened during training."""
        if self.evidence.finished:
            return self.has_enough_steps
        share = min(WARMUP_SHARE * self.evidence.steps_planned, MOST_WARMUP_STEPS)
        return self.evidence.step >= max(share, WARMUP_STEPS)

    @cached_property
    def nearly_done(self) -> bool:
        """Return whether so much of the run is over that no late progress is expected any more."""
        if self.evidence.finished:
            return True
        planned = self.evidence.steps_planned
        return self.evidence.step >= max(
            NEARLY_DONE_SHARE * planned if planned else NEARLY_DONE_STEPS, WARMUP_STEPS
        )

    @cached_property
    def batch_size(self) -> int:
        """Return the number of examples in a batch; 0 where that is unknown."""
        experiment = self.evidence.experiment
        return experiment.data.batch_size if experiment else 0

    # -- how far its steps go

    def usual_update(self, layer: int) -> float:
        """Return the usual update-to-weight ratio of one layer, by its index; NaN where it was not recorded."""
        values = self.evidence.update_ratio.values
        return median_of_known(values[:, layer]) if len(values) else float("nan")

    @cached_property
    def recent_update(self) -> float:
        """Return the usual update-to-weight ratio of all layers in the latest steps; NaN where it was not recorded."""
        newest = self.evidence.update_ratio.values[-RECENT_UPDATES:]
        return median_of_known(np.asarray(newest, np.float64).ravel()) if newest.size else float("nan")

    @cached_property
    def largest_update(self) -> float:
        """Return the largest update-to-weight ratio of any layer, infinite included; NaN where none was recorded."""
        highest = np.asarray(self.evidence.update_ratio.highest, np.float64).ravel()
        known = highest[~np.isnan(highest)]
        return float(known.max()) if len(known) else float("nan")

    def measured(self, layers: tuple[str, ...] = ()) -> Measured:
        """Return the figures by which the cures of a finding in these layers are chosen."""
        return Measured(
            update=self.recent_update,
            largest_update=self.largest_update,
            raised=self._rate_is_raised,
            start=self.depth.start if len(self.depth) else float("nan"),
            steep=self.starts_steep,
            layers=layers,
            parent=self.evidence.parent,
        )

    @property
    def _rate_is_raised(self) -> bool:
        experiment, rate = self.evidence.experiment, self.evidence.rate.values
        return experiment is not None and len(rate) > 0 and rate[-1] > RAISED_RATE * experiment.optimizer.lr

    @property
    def gradient_word(self) -> str:
        """Return which gradient the depth profile compares, in words: that of the outputs, or that of the weights."""
        return "weight gradient" if self.by_weights else "output gradient"

    @cached_property
    def nothing_moves(self) -> bool:
        """Return whether the weights of all layers barely change."""
        layers = range(len(self.evidence.layers)) if len(self.evidence.update_ratio) else ()
        usual = [moved for layer in layers if not np.isnan(moved := self.usual_update(layer))]
        return bool(usual) and max(usual) < STANDSTILL_UPDATE

    # -- in words

    def progress_text(self) -> str:
        """Return the loss in words, as a clause for the end of a sentence."""
        steps, loss = several(self.evidence.step, "step"), self.loss_now
        if np.isnan(loss):
            return f"{steps} {'was' if self.evidence.step == 1 else 'were'} taken"
        if not np.isfinite(loss):
            return f"the loss is NaN or infinite after {steps}"
        last = float(self.evidence.loss.values[-1])
        # A loss that swings has no value of its own: its median is far from the last one that the report prints.
        near = "" if abs(last - loss) <= SAME_LOSS * abs(loss) else "about "
        return f"the loss is {near}{number(loss)} after {steps} ({self.reference_text()})"

    def reference_text(self) -> str:
        """Return in words what the loss is compared with: the loss of guessing, or that of the start."""
        if self.loss.only_constant:
            return f"the same answer to every example gives {number(self.loss.constant)}"
        if np.isfinite(self.evidence.chance_loss):
            return f"guessing gives {number(self.chance_loss)}"
        return f"{number(self.loss.first)} at the start"

    def names(self, indices: Sequence[int]) -> tuple[str, ...]:
        """Return the names of layers."""
        return self.evidence.names(indices)


def number(value: float) -> str:
    """Return a number as text with three digits, as a power of ten where that is shorter."""
    short = 1e-3 <= abs(value) < 1e5 or value == 0 or not np.isfinite(value)
    return plain_exponents(f"{value:.3g}" if short else f"{value:.1e}")


def times(decades: float) -> str:
    """Return in plain words a factor that is given by its log10."""
    if np.isneginf(decades):
        return "exactly 0"
    if abs(decades) >= 4:
        return f"{ratio(decades)} times"
    return f"{10**decades:,.0f} times" if decades >= 2 else f"{10**decades:.2g} times"
