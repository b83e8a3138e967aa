"""Test that the waiting time of every step is counted, and not only of those that a poll ended with."""

from __future__ import annotations

import numpy as np

from tests.benchmarks.measurements.latency import Seen, waited


def test_each_step_waits_for_the_first_look_that_knows_of_it() -> None:
    steps = np.arange(1, 8)
    times = steps.astype(float)
    seen = [Seen(2.5, 2), Seen(5.5, 4), Seen(6.5, 6)]
    # Steps 1 and 2 were there before anybody looked; nobody has seen step 7 yet.
    np.testing.assert_allclose(waited(steps, times, seen), [2.5, 1.5, 1.5, 0.5])
