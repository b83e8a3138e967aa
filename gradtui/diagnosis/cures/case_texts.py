"""Say what a known cure does to the experiment at hand: its name, its reason and its price.

`gradtui.experiment.cures` has texts that are true of any net. Some of them are true of one net and not of another: a
cure that leaves the activation as it is must not be named after it, and clipping does not flatten a steep profile.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from gradtui.diagnosis.cures import rates
from gradtui.diagnosis.cures.measured import Measured
from gradtui.diagnosis.cures.unusual import FAR_BIAS, INIT_NAMES
from gradtui.diagnosis.findings import CureOffer
from gradtui.diagnosis.thresholds import EXPLODING_DECADES, VANISHING_DECADES
from gradtui.experiment.data_shapes import data_shape, sequence_of
from gradtui.experiment.errors import ExperimentError
from gradtui.experiment.net_plan import RECURRENT, depth_of, net_shape
from gradtui.experiment.overrides import set_fields
from gradtui.experiment.spec import Experiment, Group
from gradtui.words import as_factor, setting, several, times

LARGE_SGD_RATE, LARGE_ADAPTIVE_RATE = 0.3, 0.01
"""Above these rates, times the factor that momentum adds to the steps, units of ReLU often die."""
FEWEST_IN_BATCH = 16
"""Batch norm's averages over fewer examples than this are rough."""
BATCH_NORM_GROWTH = 1.2
"""A plain batch-normed ReLU net multiplies the gradient by this at every layer (Yang et al. 2019)."""
FEW_LAYERS = 8
"""Up to this number of layers that growth does not matter."""


class CuredCase(NamedTuple):
    """A CuredCase is an experiment before and after a cure, with the offer and the figures of the run."""

    exp: Experiment
    after: Experiment
    offer: CureOffer
    measured: Measured

    @property
    def fields(self) -> frozenset[str]:
        """Return the names of the changed fields, without their paths."""
        return frozenset(path.rpartition(".")[2] for path in self.offer.set)

    def changed(self) -> Iterator[tuple[Group, Group]]:
        """Yield each group that the cure changes, before and after."""
        return (pair for pair in zip(self.exp.net, self.after.net, strict=True) if pair[0] != pair[1])


def worded(exp: Experiment, offer: CureOffer, measured: Measured) -> CureOffer:
    """Return the offer of a known cure in words that are true of this experiment."""
    write = _WRITERS.get(offer.key)
    if write is None or not offer.set:
        return offer
    return write(CuredCase(exp, set_fields(exp, offer.set), offer, measured))


# -- activations and initial weights


def _activation(case: CuredCase) -> CureOffer:
    offer = case.offer
    if not any(old.activation != new.activation for old, new in case.changed()):
        return _initialisation(case)
    if case.offer.key == "relu" and _kills_units(case.exp):
        offer = replace(
            offer, price=f"{offer.price.rstrip('.')}, and {_rate_text(case.exp)} makes that likely."
        )
    if offer.key == "tanh-xavier" and any(old.activation == "sigmoid" for old, _ in case.changed()):
        why = offer.why.replace("slope 1 at zero", "slope 1 at zero, where sigmoid has 1/4")
        offer = replace(offer, why=why)
    return _saying_weights(offer)


def _initialisation(case: CuredCase) -> CureOffer:
    """Name a cure of activation and initialisation after the initialisation, or the gain, where only that changes."""
    offer = case.offer
    if "slope" in case.fields and not case.fields & {"init", "gain"}:
        return offer
    rule = next((str(value) for path, value in offer.set.items() if path.endswith(".init")), "")
    name = f"{INIT_NAMES.get(rule, rule)} initialisation" if rule else "gain 1"
    made = (
        f"as large as {name} makes them"
        if rule
        else "of the size that their initialisation gives them at gain 1"
    )
    why = f"The activation stays. Weights {made} keep the size of the gradient at the start."
    if "slope" in case.fields:
        why = f"The activation stays, with another slope. Weights {made} keep the size of the gradient at the start."
    return replace(offer, name=name, why=why, price="the rate may have to change with it.")


def _saying_weights(offer: CureOffer) -> CureOffer:
    """Add the initialisation to the text of a cure that changes it without saying so."""
    said = f"{offer.name} {offer.why}".lower()
    rule = next((str(value) for path, value in offer.set.items() if path.endswith(".init")), "")
    gain = any(path.endswith(".gain") for path in offer.set)
    if not (rule or gain) or any(word in said for word in ("weights", "initialisation", "gain")):
        return offer
    start = f"with {INIT_NAMES.get(rule, rule)} initialisation" if rule else "at gain 1"
    return replace(offer, why=f"{offer.why.rstrip('.')}. The weights then start {start}.")


def turns_units_off(exp: Experiment) -> bool:
    """Return whether biases lie so far below 0 that most units of ReLU never fire."""
    return any(group.bias_mean <= -FAR_BIAS for group in exp.net)


def _kills_units(exp: Experiment) -> bool:
    rate = exp.optimizer.lr * rates.momentum_gain(exp)
    return rate > (LARGE_ADAPTIVE_RATE if rates.is_adaptive(exp) else LARGE_SGD_RATE)


def _rate_text(exp: Experiment) -> str:
    optimizer = exp.optimizer
    momentum = rates.momentum_gain(exp) > 1.0
    beside = f" with momentum {setting(optimizer.momentum)}" if momentum else ""
    return f"the rate of {setting(optimizer.lr)}{beside}"


# -- norms


def _norm(case: CuredCase) -> CureOffer:
    offer = case.offer
    old = dict.fromkeys(old.norm for old, new in case.changed() if old.norm not in ("none", new.norm))
    why = offer.why.rstrip(".")
    if old:
        why = f"{why}. It replaces {' and '.join(old)} normalisation"
    prices = [offer.price.rstrip(".")]
    if offer.key == "batch-norm":
        if case.exp.data.batch_size < FEWEST_IN_BATCH:
            prices.append(f"averages over batches of {case.exp.data.batch_size} are imprecise")
        depth = depth_of(case.after)
        plain = all(group.shortcut == "none" for group in case.after.net)
        if plain and depth > FEW_LAYERS and any(group.activation == "relu" for group in case.after.net):
            growth = times(depth * math.log10(BATCH_NORM_GROWTH))
            prices.append(
                f"with it, each plain ReLU layer multiplies the gradient by {BATCH_NORM_GROWTH:g} on "
                f"its way to the input, which makes {growth} times over {depth} layers"
            )
    elif any(group.block == "conv" for group in case.after.net):
        prices.append("for convolutions it is usually worse than batch normalisation")
    return replace(offer, why=f"{why}.", price=f"{'; '.join(prices)}.")


# -- shortcuts


def _shortcuts(case: CuredCase) -> CureOffer:
    """Name what is new of a residual block: the shortcut, the norm before it, or how its branches start."""
    offer, fields = case.offer, case.fields
    blocks = blocks_text(case.exp, offer.set)
    if "shortcut" in fields:
        name = offer.name
        why = (
            "The input of each block is added to its output, so the gradient reaches every block on a "
            "path that does not multiply it"
        )
        if offer.key == "pre-norm" and not fields & {"norm", "order"}:
            name = "residual shortcuts"
        elif offer.key == "pre-norm":
            why = (
                "With a norm before the weights and a shortcut around them, the gradient reaches "
                "every attention block on a path that does not multiply it"
            )
    elif "order" in fields or "norm" in fields:
        pre = offer.key == "pre-norm"
        name = "pre-norm blocks" if pre else "pre-activation blocks"
        beside = "norm" if pre else "norm or activation"
        why = (
            f"The shortcuts stay, and no {beside} stands between them any more, so nothing multiplies "
            "the gradient there"
        )
    else:
        name = "residual branches that start small"
        why = "The shortcuts stay, and at the start the blocks change the signal less"
    price = offer.price
    if _projects(case.after) and "shortcut" in fields:
        price = f"{price.rstrip('.')}; where widths differ, a projection is added."
    return replace(offer, name=name, why=f"{why}.{_sentence(blocks)}", price=price)


def _sentence(text: str) -> str:
    return f" {text[:1].upper()}{text[1:]}." if text else ""


def _projects(exp: Experiment) -> bool:
    try:
        return any(layer.kind == "shortcut" for layer in net_shape(exp).layers)
    except ExperimentError:
        return False


def blocks_text(exp: Experiment, changes: Mapping[str, Any]) -> str:
    """Return what the changes do to the blocks, as the end of a sentence; "" where blocks stay as they are."""
    cured = set_fields(exp, dict(changes))
    parts = []
    for before, after in zip(exp.net, cured.net, strict=True):
        if (before.repeat, before.layers) != (after.repeat, after.layers):
            parts.append(
                f"{_blocks(before.repeat, before.layers)} become {_blocks(after.repeat, after.layers)}"
            )
        if before.norm == "none" != after.norm and after.order == "pre":
            parts.append(f"{after.norm} normalisation comes before the weights")
        elif before.order != after.order and after.order == "pre":
            parts.append(_moved(after))
        if before.branch_gain != after.branch_gain and after.branch_gain == "depth":
            parts.append("each branch is divided by the square root of the number of blocks")
    return "; ".join(dict.fromkeys(parts))


def _moved(group: Group) -> str:
    """Return what pre-activation order moves before the weights; attention keeps its activation between its weights."""
    moved = [] if group.norm == "none" else ["the norm"]
    moved += [] if group.block == "attention" or group.activation == "identity" else ["the activation"]
    if not moved:
        return "everything else in a block comes before the weights"
    return f"{' and '.join(moved)} {'moves' if len(moved) == 1 else 'move'} before the weights"


def _blocks(repeat: int, layers: int) -> str:
    return f"{several(repeat, 'block')} of {several(layers, 'layer')}"


def _fewer_layers(case: CuredCase) -> CureOffer:
    before, after = (sum(group.repeat for group in exp.net) for exp in (case.exp, case.after))
    blocks = f"{several(after, 'block')} instead of {before}"
    start = case.measured.start
    if any(group.block in RECURRENT for group in case.exp.net):
        why = f"{blocks} multiply the gradient fewer times over depth. The number of steps of the sequence stays."
    elif start <= VANISHING_DECADES or (case.measured.steep and start >= EXPLODING_DECADES):
        why = (
            f"The gradient is a product of one factor per layer, and {blocks} mean fewer factors. The "
            "factors themselves do not change."
        )
    else:
        why = (
            f"{blocks}: all layers change at every step, and their changes multiply, so fewer layers "
            "are easier to train."
        )
    return replace(case.offer, why=f"{why[:1].upper()}{why[1:]}")


# -- recurrent nets


def _lstm(case: CuredCase) -> CureOffer:
    """Say how far the forget gates open, by the case's own bias and length of the sequence."""
    steps = _time_steps(case.exp)
    new = next((group.forget_bias for group in case.after.net if group.block == "lstm"), 0.0)
    kept = _sigmoid(new)
    left = f", and {as_factor(steps * math.log10(kept))} of it over {steps} steps" if steps else ""
    gate = f"a forget bias of {setting(new)} keeps {kept:.2g} of the gradient at every step{left}"
    if case.offer.key == "lstm":
        why = (
            "An LSTM carries its cell state on by addition, so only the forget gate multiplies the "
            f"gradient. At the start {gate}."
        )
    else:
        old = min(before.forget_bias for before, _ in case.changed())
        before = f", and {as_factor(steps * math.log10(_sigmoid(old)))} over {steps} steps" if steps else ""
        why = f"At the start {gate}; a bias of {setting(old)} keeps {_sigmoid(old):.2g} per step{before}."
    return replace(case.offer, why=why)


def _gru(case: CuredCase) -> CureOffer:
    if any(old.block == "lstm" for old, _ in case.changed()):
        return replace(case.offer, price="none; a GRU has three quarters of the weights of an LSTM.")
    return case.offer


def _orthogonal(case: CuredCase) -> CureOffer:
    gated = any(new.block != "rnn" for _, new in case.changed())
    share = "the cell's gates still shrink" if gated else "the cell's activation still shrinks"
    price = f"this holds only at the start, and {share} the gradient at every step."
    return replace(case.offer, price=price)


def _sigmoid(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-60.0, value)))


def _time_steps(exp: Experiment) -> int:
    try:
        sequence = sequence_of(exp.data, data_shape(exp.data))
    except (ExperimentError, OSError):
        return 0
    return sequence[0] if sequence else 0


# -- the loss and the gradient as a whole


def _clip(case: CuredCase) -> CureOffer:
    norm = setting(case.after.cures.clip_norm)
    why = f"A gradient that is longer than {norm} is shortened to {norm}"
    start = case.measured.start
    if rates.is_adaptive(case.exp):
        kind = rates.in_words(case.exp)
        why += (
            f". {kind} divides the gradient by its usual size anyway, so this only limits single gradients "
            "that are far longer"
        )
    else:
        why += ", so no step is long"
    if case.measured.steep:
        by = f", {times(start)} times from the last to the first," if start >= EXPLODING_DECADES else ""
        lags = any(group.block in RECURRENT for group in case.exp.net)
        why += f". The ratio between the {'steps back in time' if lags else f'layers{by}'} does not change"
    price = (
        "a threshold to choose; where every step is clipped, the rate alone decides the size of the steps."
    )
    return replace(
        case.offer, why=f"{why}.", price="a threshold to choose." if rates.is_adaptive(case.exp) else price
    )


def _mean_loss(case: CuredCase) -> CureOffer:
    if rates.is_adaptive(case.exp):
        return replace(case.offer, price="none.")
    size = case.exp.data.batch_size
    return replace(case.offer, price=f"steps become {size} times smaller; the rate may have to grow again.")


def _smaller_batch(case: CuredCase) -> CureOffer:
    before, after = case.exp.data.batch_size, case.after.data.batch_size
    why = (
        f"A loss summed over the batch has a gradient that grows with the batch: with {after} examples "
        f"instead of {before} it is about {before / after:.2g} times smaller."
    )
    return replace(case.offer, why=why, price="noisier gradients, and more steps per epoch.")


_WRITERS: dict[str, Callable[[CuredCase], CureOffer]] = {
    **dict.fromkeys(("relu", "leaky-relu", "leaky-relu-0.02", "prelu", "elu", "tanh-xavier"), _activation),
    "batch-norm": _norm,
    "layer-norm": _norm,
    "shortcuts": _shortcuts,
    "pre-norm": _shortcuts,
    "fewer-layers": _fewer_layers,
    "lstm": _lstm,
    "lstm-memory": _lstm,
    "gru": _gru,
    "orthogonal": _orthogonal,
    "clip-norm": _clip,
    "mean-loss": _mean_loss,
    "smaller-batch": _smaller_batch,
}
