"""Find what stands out in an experiment: fields far from usual, each with its effect and its usual value.

Nets that do not learn often have two or three such fields, and changing one of them cures nothing. So one cure sets
all of them back.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from gradtui.experiment.activations import ACTIVATIONS
from gradtui.experiment.net_plan import RECURRENT
from gradtui.experiment.spec import Experiment, Group
from gradtui.words import setting

FAR_BIAS = 0.5
"""Biases of this mean, or twice this deviation, move units to where many activations are flat."""
LARGE_L1, LARGE_L2, LARGE_DECAY = 1e-3, 1e-2, 0.5
"""Penalties and a decay that shrink weights within a few hundred steps."""
TIGHT_NORM, TIGHT_VALUE = 0.1, 1e-3
"""Clipping thresholds below the gradient's usual size."""
USUAL_CLIP = 1.0
LONG_WARMUP = 1 / 3
"""A warm-up beyond this share of the steps leaves too few at the full rate."""
ODD_SIZE_FACTOR = 1.15
"""Weights stand out if their size differs from the rule's by this factor or more: 0.06 decades a layer."""
ODD_SIZE_FACTOR_OF_ONE = 2.0
"""The same for a group of a single layer."""
GAIN_SIZES = {"he": math.sqrt(2.0), "fixup": math.sqrt(2.0), "torch": math.sqrt(1.0 / 3.0)}
"""The weights' deviation times the root of fan-in, for each rule of initialisation; 1 for the others."""
INIT_NAMES = {"he": "He", "xavier": "Xavier", "lecun": "LeCun"}


class CurePart(NamedTuple):
    """A CurePart is one change of a cure that consists of several."""

    name: str
    """The words for it in the cure's name."""
    why: str
    """The effect of the field's present value, without a full stop."""
    changes: dict[str, Any]
    key: str = ""
    """The key in `gradtui.experiment.cures` of the cure that makes the same change, if any."""
    price: str = ""

    @property
    def clips(self) -> bool:
        """Return whether it changes the clipping and nothing else."""
        return all(path.startswith("cures.clip_") for path in self.changes)


def unusual(exp: Experiment, *, raise_weights: bool, lower_weights: bool) -> Iterator[CurePart]:
    """Yield what stands out beside the learning rate.

    Args:
        exp: the experiment.
        raise_weights: whether to yield weights smaller than the activation's rule of initialisation gives.
        lower_weights: whether to yield weights larger than that.
    """
    yield from _biases(exp)
    yield from _weights(exp, raise_weights=raise_weights, lower_weights=lower_weights)
    yield from _recurrence(exp, raise_weights=raise_weights, lower_weights=lower_weights)
    yield from _penalties(exp)
    yield from _clipping(exp)
    yield from _the_rest(exp)


def weight_size(group: Group) -> float:
    """Return the deviation of a group's initial weights times the root of fan-in."""
    return GAIN_SIZES.get(group.init, 1.0) * group.gain


def _biases(exp: Experiment) -> Iterator[CurePart]:
    changes: dict[str, Any] = {}
    far = 0.0
    for index, group in enumerate(exp.net):
        if abs(group.bias_mean) >= FAR_BIAS or group.bias_std >= 2.0 * FAR_BIAS:
            changes |= {f"net.{index}.bias_mean": 0.0, f"net.{index}.bias_std": 0.0}
            far = max(far, group.bias_mean, group.bias_std, -group.bias_mean, key=abs)
    if changes:
        where = (
            f"biases of size {far:g} push units to where their activation is flat before they have learned"
        )
        yield CurePart("biases at 0", where, changes, price="none")


def _weights(exp: Experiment, *, raise_weights: bool, lower_weights: bool) -> Iterator[CurePart]:
    for index, group in enumerate(exp.net):
        rule = ACTIVATIONS[group.activation].init if group.block in ("dense", "conv", "rnn") else "xavier"
        if group.block == "attention" and group.init == "torch":
            rule = "torch"
        wanted, size = GAIN_SIZES.get(rule, 1.0), weight_size(group)
        # One layer alone, the stem of a net, multiplies the gradient once.
        off = (
            ODD_SIZE_FACTOR
            if group.repeat * group.layers > 1 or group.block not in ("dense", "conv")
            else ODD_SIZE_FACTOR_OF_ONE
        )
        smaller, larger = size * off <= wanted, size >= wanted * off
        if not (smaller and raise_weights) and not (larger and lower_weights):
            continue
        changes: dict[str, Any] = {f"net.{index}.gain": 1.0}
        name = "gain 1"
        if abs(GAIN_SIZES.get(group.init, 1.0) / wanted - 1.0) > 0.01:
            changes[f"net.{index}.init"] = rule
            name = f"{INIT_NAMES.get(rule, rule)} initialisation"
        ratio = size / wanted
        why = (
            f"weights {ratio:.2g} times as large as {group.activation} wants multiply the gradient by about that at "
            "every layer"
        )
        yield CurePart(
            name, why, changes, "gain-one" if name == "gain 1" else "", "the rate may have to change with it"
        )


def _recurrence(exp: Experiment, *, raise_weights: bool, lower_weights: bool) -> Iterator[CurePart]:
    for index, group in enumerate(exp.net):
        if group.block not in RECURRENT:
            continue
        radius = group.recurrent_gain
        off = (radius < 1.0 and raise_weights) or (radius > 1.0 and lower_weights)
        if not off:
            continue
        why = (
            f"a recurrent gain of {radius:g} multiplies the gradient by about that at every step back in time"
        )
        changes = {f"net.{index}.recurrent_init": "orthogonal", f"net.{index}.recurrent_gain": 1.0}
        yield CurePart(
            "orthogonal recurrence", why, changes, "orthogonal", "only a start: training may leave it"
        )


def _penalties(exp: Experiment) -> Iterator[CurePart]:
    cures, decay = exp.cures, exp.optimizer.weight_decay
    changes: dict[str, Any] = {}
    sizes = []
    for name, value, large in (("l1", cures.l1, LARGE_L1), ("l2", cures.l2, LARGE_L2)):
        if value >= large:
            changes[f"cures.{name}"] = 0.0
            sizes.append(f"{name.upper()} of {setting(value)}")
    if exp.optimizer.kind == "adamw" and decay >= LARGE_DECAY:
        changes["optimizer.weight_decay"] = 0.01
        sizes.append(f"weight decay of {setting(decay)}")
    if changes:
        why = f"{' and '.join(sizes)} shrinks the weights faster than the data can grow them"
        yield CurePart("no penalty", why, changes, price="whatever the penalty was for")


def _clipping(exp: Experiment) -> Iterator[CurePart]:
    norm, value = exp.cures.clip_norm, exp.cures.clip_value
    if 0.0 < norm <= TIGHT_NORM:
        why = f"clipping at {setting(norm)} cuts nearly every step"
        yield CurePart(
            f"clip at {USUAL_CLIP:g}", why, {"cures.clip_norm": USUAL_CLIP}, price="larger steps pass"
        )
    if 0.0 < value <= TIGHT_VALUE:
        why = f"clipping values at {setting(value)} leaves little more than the signs of the gradient"
        yield CurePart("no clipping of values", why, {"cures.clip_value": 0.0}, price="larger steps pass")


def _the_rest(exp: Experiment) -> Iterator[CurePart]:
    if exp.optimizer.loss == "sum":
        why = f"a loss summed over the batch is {exp.data.batch_size} times that of one example, and so is its gradient"
        yield CurePart(
            "mean loss", why, {"optimizer.loss": "mean"}, "mean-loss", "the rate may have to grow again"
        )
    if exp.run.precision == "fp16" and exp.run.loss_scale:
        why = "fp16 without an adaptive loss scale loses every gradient below 6e-8"
        yield CurePart(
            "loss scaling", why, {"run.loss_scale": 0.0}, "scale-loss", "a step is lost now and then"
        )
    if exp.optimizer.warmup_steps > LONG_WARMUP * exp.run.steps:
        steps = max(1, exp.run.steps // 10)
        why = f"a warm-up of {exp.optimizer.warmup_steps} steps leaves too few at the full rate"
        yield CurePart(
            f"warm-up of {steps} steps",
            why,
            {"optimizer.warmup_steps": steps},
            price="the first steps are larger",
        )
