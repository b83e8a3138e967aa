"""Collect the measurements of a run on which the choice and the size of a cure depend."""

from __future__ import annotations

from dataclasses import dataclass

from gradtui.experiment.spec import Experiment

NAN = float("nan")


@dataclass(frozen=True)
class Measured:
    """A Measured holds the figures of a run by which its cures are chosen; NaN where a figure is unknown."""

    update: float = NAN
    """The usual update-to-weight ratio of the latest steps."""
    largest_update: float = NAN
    """The largest update-to-weight ratio of the run."""
    raised: bool = False
    """Whether a person raised the learning rate above the experiment's during the training."""
    start: float = NAN
    """The decades from the last to the first layer at the first step: the drop of the profile."""
    steep: bool = False
    """Whether the gradient grew over depth or time from the first step on."""
    layers: tuple[str, ...] = ()
    """The layers that the finding names."""
    parent: Experiment | None = None
    """The experiment of the run from which this one was forked, or whose cure it tries."""
