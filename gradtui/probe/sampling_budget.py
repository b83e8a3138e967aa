"""Decide which steps to sample, so that measuring costs a stated share of the training's time."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable

import torch


class SamplingBudget:
    """A SamplingBudget says at which steps to take a sample.

    All measuring counts: what every step costs, and what each sample costs beside it. A sample is
    due once it fits: when the cost so far and that of one more sample stay within `share` of the time that the
    training itself took. Where the cost of every step uses the share up, samples get a third of it all the same:
    a run without any would explain nothing. The first step is always a sample.
    """

    LEAST_SAMPLE_SHARE = 1 / 3
    """Share of the budget that samples get in any case."""

    def __init__(self, share: float, *, free: float = 0.0) -> None:
        """Start with nothing spent. `free` seconds of samples come on top of the share, however short the training is.

        Two fifths of them are due at once, and the rest as counts of steps grow by powers of ten: a short run is seen
        whole, and its beginning most closely.
        """
        self.share = share
        self.free = free
        self.training = 0.0
        """Seconds of steps without what measuring took of them."""
        self.every_step = 0.0
        """Seconds of what is measured at every step."""
        self.samples = 0.0
        """Seconds spent on samples."""
        self.steps = 0
        self._recent: deque[float] = deque(maxlen=3)

    @property
    def overhead(self) -> float:
        """Return the cost of measuring so far over the time that the training itself took."""
        return (self.every_step + self.samples) / self.training if self.training > 0 else 0.0

    @property
    def left(self) -> float:
        """Return the seconds of the steps so far that samples may take, without the free ones."""
        allowed = self.share * self.training
        return max(allowed - self.every_step, self.LEAST_SAMPLE_SHARE * allowed)

    @property
    def _free_so_far(self) -> float:
        return self.free * min(1.0, 0.4 + 0.2 * math.log10(1 + self.steps))

    def due(self) -> bool:
        """Return whether the next step should be a sample."""
        if not self._recent:
            return True
        # The cheapest of the last: the first also pays for what happens only once.
        return self.samples + self.usual_sample <= self.left + self._free_so_far

    def period(self, steps: int) -> float:
        """Return how many steps apart samples keep within the share, after so many steps in all.

        It serves where it must be known long before a step whether it is a sample.
        """
        if not self._recent or self.training <= 0:
            return 1.0
        return steps * self.usual_sample / (self.left + self._free_so_far)

    @property
    def usual_sample(self) -> float:
        """Return the seconds of a sample: the cheapest of the last ones, 0.0 where there was none."""
        return min(self._recent, default=0.0)

    def add(self, training: float, every_step: float, sample: float | None) -> None:
        """Count a step: its seconds without measuring, those of measuring at every step, and its sample's, if any."""
        self.steps += 1
        self.training += training
        self.every_step += every_step
        if sample is not None:
            self._recent.append(sample)
            self.samples += sample


class SamplePlan:
    """A SamplePlan spreads samples over the planned steps of a short run, which its budget leaves almost without.

    They are as many as fit into what the budget will have for samples when all planned steps are taken, but MOST at
    most. The budget itself allows for that time only once it has passed, so the beginning, where most happens, would
    have few. They lie close there and further apart later: the i-th of n is taken after steps · (i/n)² steps.
    """

    MOST = 25
    LEAST = 8
    """As many are taken of any run while all samples together have cost less than CHEAP_SECONDS: a chart of fewer would
    show nothing."""
    CHEAP_SECONDS = 0.2

    def __init__(self, steps: int, budget: SamplingBudget) -> None:
        self._steps = steps
        self._budget = budget
        self._next = 0

    def due(self, step: int) -> bool:
        """Return whether the step after `step` steps should be a sample."""
        most = max(self._affordable, self.CHEAP_SECONDS)
        return step >= self._next and self._budget.samples < most

    def taken(self, step: int) -> None:
        """Plan the next sample, where one was taken after `step` steps."""
        cost = self._budget.usual_sample
        count = self._affordable / cost if cost > 0 else self.MOST
        count = max(self.LEAST, min(self.MOST, int(count)))
        position = math.floor(count * math.sqrt(step / self._steps)) + 1
        self._next = max(step + 1, math.ceil(self._steps * (position / count) ** 2))

    @property
    def _affordable(self) -> float:
        """Return the seconds that the samples of the whole run may take."""
        return self._budget.left * self._steps / max(1, self._budget.steps)


def clock_of(device: torch.device) -> Callable[[], float]:
    """Return the clock by which the cost of a training on that device is taken, in seconds.

    On the CPU it is the processor time of this thread: on a busy machine the wall clock would count what other
    processes did in between. A GPU is waited for, so there it is the wall clock.
    """
    return time.thread_time if device.type == "cpu" else time.perf_counter
