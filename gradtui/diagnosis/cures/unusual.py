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
from gradtui.experiment.optimizers import OPTIMIZERS
from gradtui.experiment.spec import Experiment, Group
from gradtui.words import plain_exponents, setting

FAR_BIAS = 0.5
"""Biases of this mean, or twice this deviation, move units to where many activations are flat."""
LARGE_BIAS = 1.5
"""Biases of this size outweigh inputs of deviation 1."""
FLAT = 0.25
"""An activation is nearly flat where its slope is less than this share of the steepest."""
LARGE_L1, LARGE_L2, LARGE_DECAY = 1e-3, 1e-2, 0.5
"""Penalties and a decay that shrink weights within a few hundred steps."""
TIGHT_NORM, TIGHT_VALUE = 0.1, 1e-3
"""Clipping thresholds below the gradient's usual size."""
USUAL_CLIP = 1.0
FP16_LEAST = 2.0**-24
"""The smallest number of half precision."""
LEAST_SHRINKAGE = 0.05
"""A penalty that takes less than this share of the weights within a run explains nothing."""
LONG_WARMUP = 1 / 3
"""A warm-up beyond this share of the steps leaves too few at the full rate."""
ODD_SIZE_FACTOR = 1.15
"""Weights stand out if their size differs from the rule's by this factor or more: 0.06 decades per layer."""
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
    for index, group in enumerate(exp.net):
        if abs(group.bias_mean) >= FAR_BIAS or group.bias_std >= 2.0 * FAR_BIAS:
            changes |= {f"net.{index}.bias_mean": 0.0, f"net.{index}.bias_std": 0.0}
    if changes:
        yield CurePart("biases at 0", biases_text(exp), changes, price="none")


def biases_text(exp: Experiment) -> str:
    """Return what the initial biases do that are farthest from 0, without a full stop."""
    group = max(exp.net, key=lambda group: max(abs(group.bias_mean), group.bias_std))
    mean = abs(group.bias_mean) >= group.bias_std
    value = group.bias_mean if mean else group.bias_std
    biases = f"biases {'of' if mean else 'with standard deviation'} {setting(value)}"
    if group.norm == "batch" and group.block in ("dense", "conv"):
        return f"{biases} have no effect, because batch normalisation subtracts them again"
    gated = group.block in ("lstm", "gru")
    name = "sigmoid" if gated else group.activation
    at = (value,) if mean else (-value, value)
    least = min(abs(slope(name, group.slope, point)) for point in at)
    if least < FLAT * ACTIVATIONS[name].steepest:
        nearly = "nearly flat" if least else "flat"
        flat = f"the gates are {nearly}" if gated else f"{ACTIVATIONS[name].in_words()} is {nearly}"
        return f"{biases} push {'all' if mean else 'many'} units to where {flat} before anything is learned"
    if abs(value) < LARGE_BIAS:
        return f"{biases} shift every unit before anything is learned"
    return f"{biases} outweigh the signal from the data"


def slope(name: str, parameter: float, at: float = 0.0) -> float:
    """Return the slope of an activation at a point; at 0 the mean of those on both sides."""
    value, step = ACTIVATIONS[name].value, 1e-3
    return (value(at + step, parameter) - value(at - step, parameter)) / (2.0 * step)


def weight_text(group: Group, ratio: float, *, first: bool) -> str:
    """Return what initial weights do whose size is `ratio` times the usual one, without a full stop.

    Args:
        group: the group of blocks.
        ratio: the size of its weights over the usual one.
        first: whether it is the first group of the net.
    """
    if ratio == 0.0:
        if group.block in RECURRENT:
            return "input weights of size 0 feed nothing into the state"
        where = " of the branch" if group.shortcut != "none" else ""
        return f"weights of size 0 pass on neither the signal nor the gradient{where}"
    times = f"{max(ratio, 1.0 / ratio):.2g} times"
    large = ratio > 1.0
    if group.block in RECURRENT:
        way = "as strongly" if large else "more weakly"
        return (
            f"input weights of {ratio:.2g} times the usual size feed the input into the state {times} {way}"
        )
    if group.norm != "none":
        change = "less" if large else "more"
        return (
            f"a step of the same length changes weights of {ratio:.2g} times the usual size {change}, "
            "although the norm removes their size from the signal"
        )
    attention = group.block == "attention"
    facts = ACTIVATIONS[group.activation]
    suited = "attention" if attention else "a linear layer" if facts.name == "identity" else facts.in_words()
    size = f"weights of {ratio:.2g} times the size that suits {suited}"
    about = "up to" if large and (attention or facts.saturates) else "about"
    change = f"{about} {times} {'larger' if large else 'smaller'}"
    if group.repeat * group.layers == 1 and not attention:
        return f"{size} make the {'signal' if first else 'gradient'} {change} once"
    where = "branch" if group.shortcut != "none" else "block" if attention else "layer"
    flat = (
        f", and push units towards where {facts.in_words()} is flat"
        if large and facts.saturates and not attention
        else ""
    )
    return f"{size} make the gradient {change} in every {where}{flat}"


def _weights(exp: Experiment, *, raise_weights: bool, lower_weights: bool) -> Iterator[CurePart]:
    """Yield one part for the weights of all groups that stand out."""
    names, whys, changes = [], [], dict[str, Any]()
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
        changes[f"net.{index}.gain"] = 1.0
        name = "gain 1"
        if abs(GAIN_SIZES.get(group.init, 1.0) / wanted - 1.0) > 0.01:
            changes[f"net.{index}.init"] = rule
            name = f"{INIT_NAMES.get(rule, rule)} initialisation"
        names.append(name)
        whys.append(weight_text(group, size / wanted, first=index == 0))
    if changes:
        name = and_listed([text.removesuffix(" initialisation") for text in dict.fromkeys(names)])
        if any(text.endswith("initialisation") for text in names):
            name = (
                f"{name} initialisation" if "gain 1" not in names else and_listed(list(dict.fromkeys(names)))
            )
        key = "gain-one" if set(names) == {"gain 1"} else ""
        yield CurePart(
            name, "; ".join(dict.fromkeys(whys)), changes, key, "the rate may have to change with it"
        )


def and_listed(names: list[str]) -> str:
    """Return names as a list in a sentence."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _recurrence(exp: Experiment, *, raise_weights: bool, lower_weights: bool) -> Iterator[CurePart]:
    changes: dict[str, Any] = {}
    whys = []
    for index, group in enumerate(exp.net):
        if group.block not in RECURRENT:
            continue
        gain = group.recurrent_gain
        if not ((gain < 1.0 and raise_weights) or (gain > 1.0 and lower_weights)):
            continue
        # torch's own recurrent weights have this radius at gain 1, the others have 1.
        radius = gain * (GAIN_SIZES["torch"] if group.recurrent_init == "torch" else 1.0)
        share = (
            f"times the slope of {ACTIVATIONS[group.activation].in_words()}"
            if group.block == "rnn"
            else "where it passes through the gates and not along the state"
        )
        whys.append(
            f"recurrent weights of spectral radius {radius:.2g} multiply the gradient by about "
            f"{radius:.2g} at every step back in time, {share}"
        )
        changes |= {f"net.{index}.recurrent_init": "orthogonal", f"net.{index}.recurrent_gain": 1.0}
    if changes:
        why = "; ".join(dict.fromkeys(whys))
        yield CurePart("orthogonal recurrence", why, changes, "orthogonal", "this holds only at the start")


def _penalties(exp: Experiment) -> Iterator[CurePart]:
    cures, decay = exp.cures, exp.optimizer.weight_decay
    changes: dict[str, Any] = {}
    for name, value, large in (("l1", cures.l1, LARGE_L1), ("l2", cures.l2, LARGE_L2)):
        if value >= large:
            changes[f"cures.{name}"] = 0.0
    if exp.optimizer.kind == "adamw" and decay >= LARGE_DECAY:
        changes["optimizer.weight_decay"] = 0.01
    if changes:
        name = (
            "no penalty"
            if len(changes) > 1 or "optimizer.weight_decay" not in changes
            else "weight decay 0.01"
        )
        yield CurePart(name, penalties_text(exp), changes, price="the penalty no longer reduces overfitting")


def penalties_text(exp: Experiment) -> str:
    """Return how fast the penalties of an experiment shrink its weights, without a full stop."""
    optimizer, parts = exp.optimizer, []
    kind = OPTIMIZERS[optimizer.kind]
    speed = _speed(exp)
    for name, value in (("L1", exp.cures.l1), ("L2", exp.cures.l2)):
        if not value:
            continue
        begin = f"{name} of {setting(value)}"
        if kind.state_tensors:
            parts.append(
                f"{begin} moves each weight towards 0 by up to {setting(optimizer.lr)} per step, the "
                f"learning rate, where the gradient of the data is smaller, because {kind.in_words()} "
                "scales both up"
            )
        elif name == "L1":
            parts.append(f"{begin} moves each weight by {_small(speed * value)} towards 0 at every step")
        else:
            parts.append(f"{begin} shrinks each weight by {_small(speed * value)} of its size at every step")
    if optimizer.kind == "adamw" and optimizer.weight_decay:
        decay = optimizer.weight_decay
        parts.append(
            f"a weight decay of {setting(decay)} shrinks each weight by {_small(optimizer.lr * decay)} "
            "of its size at every step"
        )
    return "; ".join(parts)


def penalty_matters(exp: Experiment) -> bool:
    """Return whether the penalties L1 and L2 shrink weights within the run; they cannot if their sum is tiny."""
    optimizer, cures = exp.optimizer, exp.cures
    kind = OPTIMIZERS[optimizer.kind]
    if kind.state_tensors:
        return bool(cures.l1 or cures.l2)
    speed = exp.run.steps * _speed(exp)
    usual = min(1.0 / math.sqrt(group.width) for group in exp.net)
    return speed * max(cures.l2, cures.l1 / usual) >= LEAST_SHRINKAGE


def _speed(exp: Experiment) -> float:
    """Return the learning rate times what momentum multiplies the steps by in the long run."""
    optimizer = exp.optimizer
    takes = OPTIMIZERS[optimizer.kind].takes_momentum
    return optimizer.lr / (1.0 - optimizer.momentum if takes else 1.0)


def _small(value: float) -> str:
    return plain_exponents(f"{value:.2g}")


def _clipping(exp: Experiment) -> Iterator[CurePart]:
    norm, value = exp.cures.clip_norm, exp.cures.clip_value
    if 0.0 < norm <= TIGHT_NORM:
        if OPTIMIZERS[exp.optimizer.kind].state_tensors:
            why = f"clipping at {setting(norm)} shortens all longer gradients to the same length"
        else:
            why = f"with clipping at {setting(norm)} no step is longer than {_small(_speed(exp) * norm)}"
        yield CurePart(
            f"clip at {USUAL_CLIP:g}", why, {"cures.clip_norm": USUAL_CLIP}, price="larger steps are possible"
        )
    if 0.0 < value <= TIGHT_VALUE:
        why = f"clipping values at {setting(value)} leaves little more than the signs of the gradient"
        yield CurePart(
            "no clipping of values", why, {"cures.clip_value": 0.0}, price="larger steps are possible"
        )


def _the_rest(exp: Experiment) -> Iterator[CurePart]:
    if exp.optimizer.loss == "sum":
        size = exp.data.batch_size
        why = (
            f"a loss summed over the batch is about {size} times that of one example, and so is its gradient"
        )
        price = "none" if OPTIMIZERS[exp.optimizer.kind].state_tensors else "the rate may have to grow again"
        yield CurePart("mean loss", why, {"optimizer.loss": "mean"}, "mean-loss", price)
    if exp.run.precision == "fp16" and exp.run.loss_scale:
        lost = _small(FP16_LEAST / exp.run.loss_scale)
        why = (
            f"fp16 with a fixed loss scale of {setting(exp.run.loss_scale)} loses every gradient below {lost}"
        )
        yield CurePart(
            "loss scaling", why, {"run.loss_scale": 0.0}, "scale-loss", "a step is skipped now and then"
        )
    if exp.optimizer.warmup_steps > LONG_WARMUP * exp.run.steps:
        steps = max(1, exp.run.steps // 10)
        why = f"a warm-up of {exp.optimizer.warmup_steps} steps leaves too few steps at the full rate"
        yield CurePart(
            f"warm-up of {steps} steps",
            why,
            {"optimizer.warmup_steps": steps},
            price="the first steps are larger",
        )
