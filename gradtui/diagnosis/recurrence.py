"""Mean-field theory of a plain recurrent layer over time lags (Chen, Pennington, Schoenholz 2018).

h_t = φ(a_t), a_t = U h_(t−1) + W x_t + b. Over the units of a wide layer a_t is normal of variance
q_t = sigma_u² E[φ(√q_(t−1) z)²] + sigma_w² E[x²] + sigma_b², and one step back in time multiplies the mean
square of the total derivative with respect to the hidden state by sigma_u² E[φ′(√q_t z)²]. An orthogonal U of
factor g counts as sigma_u = g; for a linear layer that is exact.
"""

from __future__ import annotations

import math

from gradtui.diagnosis.activations import moments

EQUAL_DIGITS = 12


def lag_gains(
    activation: str,
    slope: float,
    sigma_u2: float,
    steps: int,
    *,
    drive: float = 0.0,
    mean: float = 0.0,
    start: float = 0.0,
) -> list[float]:
    """log10 of what the mean square gradient is multiplied by at each step back in time, the newest first.

    `steps` is the length of the sequence, `drive` the variance that inputs and biases add at every step, `mean` that of
    the biases, `start` the mean square of the hidden state before the first step.
    """
    square = start
    gains = []
    for _ in range(steps):
        variance = min(max(sigma_u2 * square + drive, 1e-280), 1e280)
        made = moments(activation, slope, mean, float(f"{variance:.{EQUAL_DIGITS}g}"))
        square = made.square
        gain = sigma_u2 * made.slope_square
        gains.append(math.log10(gain) if gain > 0.0 else -math.inf)
    return gains[::-1]
