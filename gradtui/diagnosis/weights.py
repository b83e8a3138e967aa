"""What an experiment's initialisation means in the terms of mean-field theory.

The theory (Poole et al. 2016, Schoenholz et al. 2017) speaks of weights of variance sigma_w²/fan_in and biases of
variance sigma_b². torch's default is sigma_w = 1/√3, Xavier √(2·fan_in/(fan_in + fan_out)), LeCun 1, He √2 (less
with a slope below zero), an orthogonal matrix √(fan_in/its longer side), normal the gain itself; all times `gain`.
"""

from __future__ import annotations

from gradtui.experiment.activations import ACTIVATIONS
from gradtui.experiment.spec import Experiment, Group

DIGITS = 0.2346
"""Mean square of the digits' pixels in [0, 1] …"""
DIGITS_VARIANCE = 0.1414
"""… their variance, all pixels of all digits together …"""
DIGITS_SPREAD = 0.0733
"""… and that of one pixel over the digits, on average."""
SPIRALS = 0.1754
"""Mean square of one coordinate, with a radius even in [0.05, 1]."""


def sigma_w_squared(group: Group, fan_in: int, fan_out: int) -> float:
    """fan_in times the variance of one weight, before a branch's own factor."""
    return group.gain**2 * _rule(group, fan_in, fan_out)


def _rule(group: Group, fan_in: int, fan_out: int) -> float:
    match group.init:
        case "torch":
            return 1.0 / 3.0
        case "xavier":
            return 2.0 * fan_in / (fan_in + fan_out)
        case "he" | "fixup":
            slope = ACTIVATIONS[group.activation].he_slope(group.slope)
            return 2.0 / (1.0 + slope * slope)
        case "orthogonal":
            return fan_in / max(fan_in, fan_out)
    return 1.0


def shortcut_blocks(exp: Experiment) -> int:
    """Blocks with a shortcut in the whole net: what `branch_gain = "depth"` and fixup count."""
    return sum(group.repeat for group in exp.net if group.shortcut != "none")


def branch_factor(group: Group, number: int, blocks: int) -> float:
    """What multiplies sigma_w² of layer `number` (from 1) of a block.

    `branch_gain` acts on the last layer beside a shortcut; fixup (Zhang, Dauphin, Ma 2019) starts that layer
    at 0 and scales the others by blocks^(−1/(2·layers − 2)).
    """
    last = number == group.layers
    if group.init == "fixup":
        return 0.0 if last else blocks ** (-1.0 / (group.layers - 1))
    if group.shortcut == "none" or not last:
        return 1.0
    return 1.0 / blocks if group.branch_gain == "depth" else group.branch_gain**2


def recurrent_sigma_squared(group: Group) -> float | None:
    """width times the variance of one hidden-to-hidden weight; None where the matrix is not random (identity)."""
    match group.recurrent_init:
        case "torch":
            return group.recurrent_gain**2 / 3.0
        case "orthogonal" | "normal":
            return group.recurrent_gain**2
    return None


def input_mean_square(exp: Experiment) -> float:
    """Mean square of one number that the first layer reads.

    Exactly 1 for standardised images and embeddings. Other images than the digits are taken for evenly bright
    when not standardised; adding's two columns are an even number in [0, 1] and two marks in a sequence.
    """
    match exp.data.source:
        case "spirals":
            return SPIRALS
        case "adding":
            return (1.0 / 3.0 + 2.0 / exp.data.length) / 2.0
        case "copy" | "text":
            return 1.0
        case "digits":
            return {"standard": 1.0, "unit": DIGITS, "none": DIGITS * 256.0}[exp.data.scaling]
    return {"standard": 1.0, "unit": 1.0 / 3.0, "none": 255.0**2 / 3.0}[exp.data.scaling]


def input_spread(exp: Experiment) -> float:
    """Mean variance of one such number over the examples: less than the mean square where images share a mean image."""
    if exp.data.source == "digits":
        return (
            DIGITS_SPREAD * {"standard": 1.0 / DIGITS_VARIANCE, "unit": 1.0, "none": 256.0}[exp.data.scaling]
        )
    return input_mean_square(exp)
