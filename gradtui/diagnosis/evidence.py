"""The evidence of a diagnosis holds the numbers of one run, a bounded amount of them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gradtui.experiment.layers import BESIDE_THE_PATH

if TYPE_CHECKING:
    from gradtui.experiment.spec import Experiment
    from gradtui.runs.script_facts import ScriptFacts
from gradtui.runs.script_training import ScriptTraining

Floats = NDArray[np.float64]
Steps = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Series:
    """A Series is one metric or scalar over the steps at which it was recorded.

    `values` is (n,) or (n, columns). In a long run a row may stand for many steps: then it is their mean, which is NaN
    or infinite if one of them is, and `highest` is their maximum, which leaves NaN out.
    """

    steps: Steps
    values: Floats
    highest: Floats

    @classmethod
    def of(cls, steps: ArrayLike, values: ArrayLike, highest: ArrayLike | None = None) -> Series:
        """Make a series from array-likes; without `highest`, every row is one step."""
        numbers = np.asarray(values, np.float64)
        most = numbers if highest is None else np.asarray(highest, np.float64)
        return cls(np.asarray(steps, np.int64), numbers, most)

    @classmethod
    def none(cls, columns: int | None = None) -> Series:
        """Make a series without rows."""
        return cls.of([], np.zeros((0,) if columns is None else (0, columns)))

    def __len__(self) -> int:
        return len(self.steps)

    def part(self, start: int, stop: int | None) -> Series:
        """Return the rows from `start` to before `stop`."""
        rows = slice(start, stop)
        return Series(self.steps[rows], self.values[rows], self.highest[rows])

    def upto(self, step: int) -> Series:
        """Return the rows up to and with that step."""
        return self.part(0, int(np.searchsorted(self.steps, step, side="right")))


@dataclass(frozen=True)
class Evaluation:
    """An Evaluation has the figures of the whole training and test set at one step; NaN where there are none."""

    step: int
    train_loss: float = math.nan
    train_accuracy: float = math.nan
    test_loss: float = math.nan
    test_accuracy: float = math.nan


@dataclass(frozen=True, eq=False, kw_only=True)
class Evidence:
    """An Evidence has the numbers of one run at one moment; layers are in forward order, the output layer last."""

    layers: tuple[str, ...]
    kinds: tuple[str, ...]
    """The kind of each layer, such as dense, conv, shortcut, gate, embedding or output; or a module's class in a
    script."""
    parameters: tuple[int, ...]
    """The number of parameters of each layer."""
    positions: tuple[float, ...] = ()
    """The number of places of an image or steps of a sequence in each layer's output for one example: 1 for a flat
    layer, in a script 0 for a layer where it is not known. Empty where it is not known of any layer."""
    forms: tuple[str, ...] = ()
    """How each layer's weights are used in a script, such as "conv 3x3"; empty where they are all alike."""
    paths: tuple[tuple[int, ...], ...] = ()
    """The layers, by index, that lie on one path from input to output in a script, for every path that is known. Its
    last layer is the output."""
    loss: Series
    other_losses: tuple[str, ...] = ()
    """The names of the other losses that a script logs, such as those of a GAN's two models."""
    accuracy: Series = field(default_factory=Series.none)
    """The accuracy of the batch."""
    grad_norm: Series
    """Steps × layers: L2 norm of the gradient of a layer's parameters, before clipping."""
    total_norm: Series = field(default_factory=Series.none)
    """The L2 norm of the gradient of all parameters, before clipping."""
    clipped_norm: Series = field(default_factory=Series.none)
    """The L2 norm of the gradient of all parameters, after clipping."""
    output_grad_rms: Series = field(default_factory=Series.none)
    """Samples × layers: RMS of the gradient with respect to the layer's output, its pre-activation."""
    update_ratio: Series = field(default_factory=Series.none)
    """Samples × layers: norm of a step's change over the norm of the weights."""
    weight_norm: Series = field(default_factory=Series.none)
    """Samples × layers: L2 norm of the weights before the step."""
    rate: Series = field(default_factory=Series.none)
    """The learning rate."""
    optimizer: str = ""
    """The class of a script's optimizer; empty where there are several, or it is not known."""
    dead_fraction: Series = field(default_factory=Series.none)
    """Samples × layers: the fraction of units that hardly ever fire; NaN for activations that cannot die."""
    saturated_fraction: Series = field(default_factory=Series.none)
    """Samples × layers: the fraction of outputs at the flat ends of the activation; NaN if it has none."""
    nonfinite: Series = field(default_factory=Series.none)
    """Samples × layers: numbers in the layer's output that are not finite."""
    hidden_grad: Series = field(default_factory=Series.none)
    """Samples × time lags, from lag 0: RMS of the gradient with respect to a recurrent net's hidden state."""
    evaluations: tuple[Evaluation, ...] = ()
    clip_threshold: float = 0.0
    """Largest total norm that clipping lets through; 0 is off."""
    chance_loss: float = math.nan
    """The loss of guessing; NaN where unknown."""
    constant_loss: float = math.nan
    """The least loss that a script's net reaches with the same answer to every example; NaN where unknown."""
    loss_kind: Literal["", "bounded", "free"] = ""
    """What is known of the loss (`diagnosis.loss.LossKind`)."""
    loss_terms: int = 1
    """The number of terms that add up to a script's loss, as far as its graph told."""
    target_growth: float = math.nan
    """The mean square distance of the newest targets of an error of numbers from the mean of the first ones, over the
    variance of the first ones; NaN where unknown."""
    trained_before: bool = False
    """Whether the weights had been trained before the run began."""
    progress: Series = field(default_factory=Series.none)
    """A number that a script logs as its progress, such as a return or an accuracy; more is better."""
    skipped: Series = field(default_factory=Series.none)
    """1 in the steps that a gradient scaler left out."""
    experiment: Experiment | None = None
    """The experiment that was trained; None for a script."""
    parent: Experiment | None = None
    """The experiment of the run from which this one was forked, or whose cure it tries; None where there is none."""
    finished: bool = False
    """Whether the run has ended, in any way."""
    steps_planned: int = 0
    """0 is unknown."""
    facts: ScriptFacts | None = None
    """What the recording of a script saw beside its numbers; None if there are no such facts."""
    script: ScriptTraining | None = None
    """The names that a script gives to what it trains; None for an experiment."""
    batches: Mapping[int, tuple[int | float | str, ...]] = field(default_factory=dict)
    """The ids of the examples of some steps, which a script has logged."""
    computed_in: str = ""
    """The number format in which a script computes its layers, if it is known to be float16, as under autocast."""
    number_format: str = ""
    """The smallest number format of a script's parameters, such as float16; empty where it is not known."""

    @property
    def step(self) -> int:
        """Return the last recorded step; 0 before the first."""
        return int(
            max((series.steps[-1] for series in (self.loss, self.grad_norm) if len(series)), default=0)
        )

    def upto(self, step: int) -> Evidence:
        """Return the evidence of the run as it was after that step, while it still trained."""
        cut: dict[str, Any] = {
            name: value.upto(step)
            for name in self.__dataclass_fields__
            if isinstance(value := getattr(self, name), Series)
        }
        evaluations = tuple(one for one in self.evaluations if one.step <= step)
        return replace(self, **cut, evaluations=evaluations, finished=self.finished and step >= self.step)

    def hidden(self) -> list[int]:
        """Return the indices of the hidden layers, as `hidden_layers` has them."""
        return hidden_layers(self.kinds)

    def path(self) -> list[int]:
        """Return the indices of the hidden layers that are compared over depth.

        Of a block of several layers only the last one is included: the others get only the branch's share of the
        gradient, and must not be compared with layers that get all of it. Of a rezero block none is included: its
        layers get the gradient times a number of their own, which starts at 0.
        """
        if self.experiment is None:
            # In a script these are the layers of the longest path.
            return max(self.all_paths(), key=len, default=[])
        hidden = self.hidden()
        scaled = _rezero_blocks(self.experiment)
        last_of_block = {_block(self.layers[index]): index for index in hidden}
        return sorted(index for block, index in last_of_block.items() if _number(block) not in scaled)

    def all_paths(self) -> list[list[int]]:
        """Return the hidden layers of every path: one in an experiment, and in a script as many as are known."""
        if self.experiment is not None:
            return [self.path()]
        return [[index for index in path[:-1] if is_compared(self.kinds[index])] for path in self.paths]

    def names(self, indices: Sequence[int]) -> tuple[str, ...]:
        """Return the names of those layers."""
        return tuple(self.layers[index] for index in indices)


def hidden_layers(kinds: Sequence[str]) -> list[int]:
    """Return the indices of the hidden layers, by the kinds of all layers from input to output.

    The output layer, embeddings, projections and gates are left out. So are the normalisations of a script's net, which
    are not layers of weights.
    """
    return [index for index, kind in enumerate(kinds[:-1]) if is_compared(kind)]


def is_compared(kind: str) -> bool:
    """Return whether layers of a kind are compared over depth."""
    # Of a script of which every parameter is a layer, a bias has a kind like "linear.bias".
    return kind not in BESIDE_THE_PATH and kind != "embedding" and "norm" not in kind and "." not in kind


def last_hidden_layer(kinds: Sequence[str]) -> int:
    """Return the index of the last hidden layer, with which the others are compared; -1 where there is none."""
    return max(hidden_layers(kinds), default=-1)


def _block(layer: str) -> str:
    return layer.split(".", 1)[0]


def _number(block: str) -> int:
    return int(re.sub(r"\D", "", block) or 0)


def _rezero_blocks(experiment: Experiment) -> set[int]:
    """Return the numbers of the blocks that rezero scales; blocks are numbered from 1 over the whole net."""
    blocks: set[int] = set()
    count = 0
    for group in experiment.net:
        if group.shortcut == "rezero":
            blocks.update(range(count + 1, count + group.repeat + 1))
        count += group.repeat
    return blocks
