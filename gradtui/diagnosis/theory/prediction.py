"""Predict the gradient over depth by mean-field theory, before a step is taken.

The theory holds for wide nets at initialisation with random weights. Here it covers dense layers with any activation,
normalisation and shortcut except the highway's, and one plain recurrent layer. For other nets `predict` says why it
makes no prediction.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from gradtui.diagnosis.evidence import hidden_layers
from gradtui.diagnosis.theory import chain, residual
from gradtui.diagnosis.theory.normalisation import FEWEST_NORMED_NUMBERS, normed
from gradtui.diagnosis.theory.quadrature import Array
from gradtui.experiment.data_shapes import TOKEN_SOURCES
from gradtui.experiment.errors import ExperimentError
from gradtui.experiment.layers import NetPlan
from gradtui.experiment.net_plan import net_plan
from gradtui.experiment.spec import Experiment

NARROWEST = 8
"""The fewest units of a layer. Theory is the limit of wide layers: the profile of 20 layers of 64 units still differs
by some 0.2 decades from net to net, and for fewer than 8 units theory says nothing."""


DIGITS = 0.2346
"""The mean square of the digits' pixels in [0, 1]."""
DIGITS_VARIANCE = 0.1414
"""The variance of all pixels of all digits together."""
DIGITS_SPREAD = 0.0733
"""The variance of one pixel over the digits, on average."""
PLANE = {"spirals": 0.1754, "circle": 0.2091, "xor": 0.3508, "gauss": 0.2425}
"""The mean square of one coordinate of each source of points: half that of the radius, or what its spread gives."""


@dataclass(frozen=True)
class Prediction:
    """A Prediction is the predicted gradient of an experiment's net, at initialisation."""

    applies: bool
    why: str = ""
    """The reason why it does not apply."""
    layers: tuple[str, ...] = ()
    """The hidden layers on the path from input to output, in forward order, as the lists below have them."""
    chi: tuple[float, ...] = ()
    """The factor of the mean square gradient on its way back through each layer, or of a recurrent layer through one
    time step. In a block with a shortcut it is that of the path, shared evenly among the block's layers."""
    depth_scale: float = math.nan
    """Layers (or steps of time) over which the mean square gradient changes by a factor of e: 1/|ln chi| of the last
    hidden layer, which is nearest to the fixed point. Infinite where chi is 1."""
    log10_profile: tuple[float, ...] = ()
    """log10 of the RMS gradient with respect to each pre-activation, relative to the last hidden layer's, whose value
    is 0. Where a shortcut's branch starts at 0 (rezero, fixup) its inner layers get none, so this has the path's."""
    log10_lags: tuple[float, ...] = ()
    """For a recurrent layer, log10 of the RMS gradient with respect to the hidden state by time lag, from lag 0, whose
    value is 0. Empty for other nets."""

    def decades_of(self, names: Sequence[str]) -> tuple[Array, int]:
        """Return the predicted profile of these layers, (names,), and the index of the layer whose value is 0.

        The profile is NaN for a layer that theory does not cover; the index is -1 if the reference is not among them.
        """
        at = {name: index for index, name in enumerate(names)}
        profile = np.full(len(names), np.nan)
        for name, level in zip(self.layers, self.log10_profile, strict=False):
            if name in at:
                profile[at[name]] = level
        return profile, at.get(self.layers[-1], -1) if self.layers else -1

    def to_json(self) -> dict[str, Any]:
        """Return the fields of `gradtui predict --json`."""
        return {
            "applies": self.applies,
            "why": self.why,
            "chi": list(self.chi),
            "depth_scale": self.depth_scale,
            "log10_profile": list(self.log10_profile),
            "layers": list(self.layers),
            "log10_lags": list(self.log10_lags),
        }


def predict(exp: Experiment) -> Prediction:
    """Return the prediction for a valid experiment; `applies` is False if theory cannot predict it."""
    silent = _why_not(exp)
    if silent:
        return Prediction(False, silent)
    try:
        plan = net_plan(exp)
    except ExperimentError as error:
        return Prediction(False, str(error))
    return _recurrent(exp, plan) if exp.net[0].block == "rnn" else _dense(exp, plan)


@lru_cache(maxsize=8)
def predicted(experiment: Experiment) -> Prediction:
    """Return what `predict` does, computed once for each of the latest experiments."""
    return predict(experiment)


def _why_not(exp: Experiment) -> str:
    if exp.cures.pretrain.kind != "none":
        return "the theory covers only random weights, and these are pretrained"
    for index, group in enumerate(exp.net):
        if group.block in ("conv", "attention", "lstm", "gru"):
            return f"the theory covers dense and plain recurrent blocks, not {group.block} (net.{index})"
        if group.shortcut == "highway":
            return f"the theory does not cover highway gates (net.{index})"
        if group.width < NARROWEST:
            return f"the theory covers only wide layers; {group.width} units are too few (net.{index})"
    if any(group.block == "rnn" for group in exp.net):
        return _why_not_recurrent(exp)
    return ""


def _why_not_recurrent(exp: Experiment) -> str:
    if len(exp.net) > 1 or exp.net[0].repeat > 1 or exp.net[0].layers > 1:
        return "the theory covers one recurrent layer, not several or mixed ones"
    if exp.data.source in TOKEN_SOURCES:
        return f"on {exp.data.source} the net answers at every step; the theory covers only an answer at the last step"
    (group,) = exp.net
    if group.norm != "none" or group.shortcut != "none":
        return "the theory covers recurrent layers without normalisation and shortcuts"
    if group.recurrent_init == "identity" and group.activation != "identity":
        return "the theory covers only random weights, and an identity matrix is not random"
    return ""


def _dense(exp: Experiment, plan: NetPlan) -> Prediction:
    batch, positions = exp.data.batch_size, plan.data.input[0] if plan.tokens else 1
    for group in plan.groups:
        for layer in (layer for block in (group.first, group.again) for layer in block.layers):
            for pair in normed(layer.before or layer.after, batch, positions):
                if pair.norm != "none" and pair.numbers < FEWEST_NORMED_NUMBERS:
                    why = f"normalising over only {pair.numbers} numbers leaves almost nothing of the signal"
                    return Prediction(False, why)
    blocks = [block for group in plan.groups for block in group.blocks]
    square, spread = input_mean_square(exp), input_spread(exp)
    if plan.shortcut_blocks:
        centred = _centred(exp)
        try:
            made = residual.gains(blocks, spread if centred[0] else square, centred, batch, positions)
        except residual.Overflow:
            return Prediction(False, "the signal or its gradient overflows in this net")
        profile, path = made.profile, made.path
    else:
        layers = [layer for block in blocks for layer in block.layers]
        path = chain.gains(layers, chain.Signal(0.0, square, spread), batch, positions)
        profile = _accumulated(path)
    if not all(map(math.isfinite, profile)):
        return Prediction(False, "no signal passes through the net: a gain or a branch is 0")
    return _prediction(plan, path, profile)


def _centred(exp: Experiment) -> list[bool]:
    """Return for each block whether the next normalisation of its output is batch norm."""
    result: list[bool] = []
    below = False
    for group in reversed(exp.net):
        below = group.norm == "batch" if group.norm != "none" else below
        result.extend([below] * group.repeat)
    return result[::-1]


def _accumulated(path: Sequence[float]) -> list[float]:
    """Return the profile of a chain: half of the log10 gains from each layer to the last."""
    return [0.5 * total for total in list(itertools.accumulate(path[-2::-1], initial=0.0))[::-1]]


def _recurrent(exp: Experiment, plan: NetPlan) -> Prediction:
    (group,) = exp.net
    weights = next(plan.groups[0].first.layers).weights
    # Orthogonal and identity matrices count as random numbers of the same size; torch's numbers are uniform.
    sigma_u2 = group.recurrent_gain**2 / (3.0 if group.recurrent_init == "torch" else 1.0)
    gains = chain.lag_gains(
        group.activation,
        group.slope,
        sigma_u2,
        weights.reads[0],
        drive=weights.sigma2 * input_mean_square(exp) + group.bias_std**2,
        mean=group.bias_mean,
    )
    lags = [0.5 * total for total in itertools.accumulate(gains[:-1], initial=0.0)]
    return _prediction(plan, gains[:1], [0.0], lags)


def _prediction(
    plan: NetPlan, path: Sequence[float], profile: Sequence[float], lags: Sequence[float] = ()
) -> Prediction:
    layers = plan.shape().layers
    names = tuple(layers[index].name for index in hidden_layers([layer.kind for layer in layers]))
    last = path[-1] * math.log(10.0)
    return Prediction(
        True,
        layers=names,
        chi=tuple(10.0**value if value < 300.0 else math.inf for value in path),
        depth_scale=1.0 / abs(last) if abs(last) > 1e-12 else math.inf,
        log10_profile=tuple(value + 0.0 for value in profile),
        log10_lags=tuple(lags),
    )


def input_mean_square(exp: Experiment) -> float:
    """Return the mean square of one number that the first layer reads.

    Exactly 1 for standardised images and embeddings. Other images than the digits are taken for evenly bright
    when not standardised; adding's two columns are an even number in [0, 1] and two marks in a sequence.
    """
    match exp.data.source:
        case "spirals" | "circle" | "xor" | "gauss":
            return PLANE[exp.data.source]
        case "adding":
            return (1.0 / 3.0 + 2.0 / exp.data.length) / 2.0
        case "copy" | "text":
            return 1.0
        case "digits":
            return {"standard": 1.0, "unit": DIGITS, "none": DIGITS * 256.0}[exp.data.scaling]
    return {"standard": 1.0, "unit": 1.0 / 3.0, "none": 255.0**2 / 3.0}[exp.data.scaling]


def input_spread(exp: Experiment) -> float:
    """Return the mean variance, over the examples, of one number that the first layer reads.

    It is less than the mean square if images share a mean image.
    """
    if exp.data.source == "digits":
        return (
            DIGITS_SPREAD * {"standard": 1.0 / DIGITS_VARIANCE, "unit": 1.0, "none": 256.0}[exp.data.scaling]
        )
    return input_mean_square(exp)
