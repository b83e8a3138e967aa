"""Decide which steps to sample, so that measuring takes at most a given share of the training's time."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable

import torch


class SamplingBudget:
    """A SamplingBudget says at which steps to take a sample.

    The cost includes the measuring at every step and that of samples. A sample is due when the cost so far and that of
    one more sample stay within `share` of the time that the training itself took. Where the measuring at every step
    uses up the share, samples still get a third of it, because a run without samples would explain nothing. The first
    step is always a sample.
    """

    LEAST_SAMPLE_SHARE = 1 / 3
    """The share of the budget that samples get in any case."""

    def __init__(self, share: float, *, free: float = 0.0) -> None:
        """Start with no time spent. `free` seconds of samples are added to the share, however short the training is.

        Two fifths of them may be used at once, and the rest as the number of steps grows by powers of ten, so that a
        short run has samples to its end, and most of them at its beginning.
        """
        self.share = share
        self.free = free
        self.training = 0.0
        """The seconds of steps without their measuring."""
        self.every_step = 0.0
        """The seconds of measuring at every step."""
        self.samples = 0.0
        """The seconds spent on samples."""
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
        # The cheapest of the last samples counts, because the first includes costs that occur only once.
        return self.samples + self.usual_sample <= self.left + self._free_so_far

    def period(self, steps: int) -> float:
        """Return the number of steps between samples that stays within the share, after `steps` steps.

        Callers use it that must know long before a step whether it is a sample.
        """
        if not self._recent or self.training <= 0:
            return 1.0
        return steps * self.usual_sample / (self.left + self._free_so_far)

    @property
    def usual_sample(self) -> float:
        """Return the seconds of the cheapest of the last samples; 0.0 before the first sample."""
        return min(self._recent, default=0.0)

    def add(self, training: float, every_step: float, sample: float | None) -> None:
        """Add the seconds of a step: of the training, of the measuring at every step, and of its sample, if any."""
        self.steps += 1
        self.training += training
        self.every_step += every_step
        if sample is not None:
            self._recent.append(sample)
            self.samples += sample


class SamplePlan:
    """A SamplePlan spreads samples over the planned steps of a short run, which would otherwise have almost none.

    Their number n is what the budget will allow when all planned steps are taken, but at most MOST. The budget alone
    would allow few at the beginning, where most changes happen. So samples are dense there and sparser later: the i-th
    of n is taken after steps · (i/n)² steps.
    """

    MOST = 25
    LEAST = 4
    """This many samples are planned for any run while all samples together take less than CHEAP_SECONDS, because fewer
    show no trend."""
    STEPS_APART = 25
    """A run of fewer than LEAST times so many steps has fewer samples, but at least two."""
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
        least = max(2, min(self.LEAST, self._steps // self.STEPS_APART))
        count = max(least, min(self.MOST, int(count)))
        position = math.floor(count * math.sqrt(step / self._steps)) + 1
        self._next = max(step + 1, math.ceil(self._steps * (position / count) ** 2))

    @property
    def _affordable(self) -> float:
        """Return the seconds that the samples of the whole run may take."""
        return self._budget.left * self._steps / max(1, self._budget.steps)


class SparseRows:
    """SparseRows decides which sampled steps of a run get a row of a table whose rows are long.

    Rows are close at the beginning, so that slow trainings soon have a picture.
    """

    EARLY_GROWTH = 4
    """At the beginning, the distance between rows is the number of steps so far over this."""

    def __init__(self, steps: int, planned: int, most_apart: int | None = None) -> None:
        """Plan `planned` rows over `steps` steps, which are never more than `most_apart` steps apart."""
        apart = steps // planned
        self._apart = apart if most_apart is None else min(most_apart, apart)
        self._last = 0
        """The last step with a row. A resumed run begins with a row."""

    def due(self, step: int) -> bool:
        """Return whether a step should get a row."""
        return not self._last or step - self._last >= self.gap(self._last)

    def gap(self, step: int) -> int:
        """Return the number of steps between a row at a step and the next row."""
        return max(1, min(self._apart, step // self.EARLY_GROWTH))

    def written(self, step: int) -> None:
        """Take the step of a row that was written."""
        self._last = step


def clock_of(device: torch.device) -> Callable[[], float]:
    """Return the clock, in seconds, that measures the cost of a training on a device.

    On the CPU it is the processor time of this thread, because on a busy machine the wall clock would include other
    processes. The thread waits for a GPU, so there it is the wall clock.
    """
    return time.thread_time if device.type == "cpu" else time.perf_counter
