"""Find out from the graph behind a loss whether 0 is its least value, and what the losses of guessing and of the best
constant answer are."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from gradtui.monitor.graph import shape_of

ERRORS = frozenset(
    {
        "MseLossBackward0",
        "SmoothL1LossBackward0",
        "HuberLossBackward0",
        "BinaryCrossEntropyBackward0",
        "BinaryCrossEntropyWithLogitsBackward0",
        "AbsBackward0",
    }
)
"""The operations whose result is an error that cannot fall below 0."""
NUMBER_ERRORS = frozenset({"MseLossBackward0", "SmoothL1LossBackward0", "HuberLossBackward0"})
"""The errors of numbers: they grow with their targets."""
TWO_CLASS_ERRORS = frozenset({"BinaryCrossEntropyBackward0", "BinaryCrossEntropyWithLogitsBackward0"})
CLASS_ERRORS = frozenset({"NllLossBackward0", "NllLoss2DBackward0"})
REDUCTIONS = ("MeanBackward0", "MeanBackward1", "SumBackward0", "SumBackward1", "NegBackward0")
SAME_NUMBERS = (
    "ViewBackward0", "UnsafeViewBackward0", "ReshapeAliasBackward0", "UnsqueezeBackward0", "SqueezeBackward0",
    "SqueezeBackward1", "AliasBackward0", "CloneBackward0",
)  # fmt: skip
"""Operations that give the same numbers in the same order."""
SAVED_RESULTS = ("SigmoidBackward0", "TanhBackward0", "ExpBackward0", "ReluBackward0", "SoftmaxBackward0")
"""Operations that keep what they gave."""
LOGARITHMS = ("LogBackward0", "Log1PBackward0", "LogSigmoidBackward0")
SAME_SUM = 1e-3
"""The shares of two classes add up to 1 within this."""
MOST_TERMS = 64
"""The most nodes that are looked at to count the terms of a loss."""
MEAN_OF_BATCH = 1
"""The number that torch gives to the reduction "mean"."""
MOST_TARGETS = 2**16
"""Targets of a batch that are looked at, at most: more would cost more than the rest of a step's record."""
FEWEST_OF_A_CLASS = 10
"""Examples for each class that occurs, on average: with fewer, their shares say less than the true ones."""
MOST_FACTORS = 8
"""The most means and constant factors between the root and the operation."""


@dataclass(frozen=True)
class KnownLoss:
    """A KnownLoss holds what is known of a loss from its graph."""

    kind: Literal["", "bounded", "free"] = ""
    """The kind of the loss, as in `diagnosis.evidence.Evidence.loss_kind`."""
    chance: float = math.nan
    """The loss of guessing, with the constant factors of the root; NaN where it is not known."""
    constant: Tensor | None = None
    """The least loss that answers reach which are the same for all examples: of a squared error the variance of the
    targets, of a class the entropy of their shares. On a device it was not waited for; None where it is not known."""
    examples: int = 0
    """Examples from which that was taken."""
    targets: tuple[Tensor, Tensor] | None = None
    """The mean and the variance of the targets of an error of numbers in the batch; None where they are not known."""
    terms: int = 1
    """The number of terms that add up to the loss: beyond one, its kind is not known."""


def known_loss(root: Tensor) -> KnownLoss:
    """Return what the graph behind a root says; to be called before the backward pass, which frees it.

    It looks through means, sums over axes, and factors that are numbers on the host, and knows an error also where a
    script writes it by hand: a square, an absolute value, the cross-entropy of two classes. Of a sum of several terms
    only their number is known.
    """
    node, factor, share, outside = root.grad_fn, 1.0, 1.0, math.nan
    for _ in range(MOST_FACTORS):
        name = type(node).__name__
        if name in ("MeanBackward0", "MeanBackward1"):
            following = _only_following(node)
            share *= _count(node) / max(1, _count(following)) if following is not None else math.nan
        elif name in ("MulBackward0", "DivBackward0"):
            constant = _constant(node, first_only=name == "DivBackward0")
            if constant is None or constant == 0:
                break
            factor = factor / constant if name == "DivBackward0" else factor * constant
        elif name == "NegBackward0":
            factor = -factor
        elif name == "SqrtBackward0" and math.isnan(outside) and factor > 0:
            outside, factor, share = factor * share, 1.0, 1.0
        elif name not in ("SumBackward0", "SumBackward1"):
            break
        node = _only_following(node)
    entropy = _entropy_by_hand(node, factor)
    if entropy is not None:
        best, examples = entropy
        known = KnownLoss("bounded", constant=_times(best, abs(factor) * share), examples=examples)
    else:
        known = _known(node, factor, share)
    if not math.isnan(outside):
        # The root of an error has no known loss of guessing.
        best = None if known.constant is None else known.constant.clamp(min=0).sqrt() * outside
        known = replace(known, chance=math.nan, constant=best)
    return known if known.kind else replace(known, terms=_terms(root.grad_fn))


def _times(best: Tensor | None, factor: float) -> Tensor | None:
    return None if best is None else best * factor


def _terms(node: Any) -> int:
    """Return the number of terms that add up to a loss."""
    waiting, terms = [node], 0
    for one in waiting:
        name = type(one).__name__
        inner = [following for following, _ in one.next_functions if following is not None]
        scales = name in ("MulBackward0", "DivBackward0") and len(inner) == 1
        if len(waiting) > MOST_TERMS:
            break
        if name in ("AddBackward0", "SubBackward0", "StackBackward0", *REDUCTIONS) or scales:
            waiting += inner
        else:
            terms += 1
    return terms


def _known(node: Any, factor: float, share: float) -> KnownLoss:
    name = type(node).__name__
    even_power = _is_square(node)
    if name not in ERRORS | CLASS_ERRORS and not even_power:
        return KnownLoss()
    if name in CLASS_ERRORS and type(node.next_functions[0][0]).__name__ != "LogSoftmaxBackward0":
        # The operation's input may be anything.
        return KnownLoss()
    if factor < 0:
        return KnownLoss("free")
    if even_power or name == "AbsBackward0":
        best, examples, mean = _constant_by_hand(node, absolute=not even_power)
        targets = None if best is None or mean is None else (mean, best / max(1, _count(node)))
        return KnownLoss("bounded", math.nan, _times(best, factor * share), examples, targets)
    targets = _targets(node) if name in NUMBER_ERRORS else None
    if _saved(node, "_saved_reduction") != MEAN_OF_BATCH:
        return KnownLoss("bounded", targets=targets)
    constant, examples = _constant_answer(node, name, targets)
    best = _times(constant, factor)
    if name not in CLASS_ERRORS:
        return KnownLoss("bounded", math.nan, best, examples, targets)
    # The saved tensor is not used: in a checkpoint, unpacking it would run the forward pass again.
    shape = node.next_functions[0][0]._input_metadata[0].shape
    classes = shape[1] if len(shape) > 1 else shape[0]
    return KnownLoss("bounded", factor * math.log(classes) if classes > 1 else math.nan, best, examples)


def _constant_answer(
    node: Any, name: str, targets: tuple[Tensor, Tensor] | None
) -> tuple[Tensor | None, int]:
    """Return the loss of the best constant answer to this batch and the number of its examples; None where the targets
    are too few or too many, have weights, or are not at hand."""
    target = _data(node, "target")
    if (
        target is None
        or target.ndim == 0
        or len(target) < 2
        or _data(node, "weight") is not None
        or _data(node, "pos_weight") is not None
    ):
        return None, 0
    if name == "MseLossBackward0":
        # What the mean leaves of the squares is the variance.
        return None if targets is None else targets[1], len(target)
    if name in TWO_CLASS_ERRORS:
        return _least_entropy(target)
    if name not in CLASS_ERRORS or target.device.type != "cpu":
        # To count classes would wait for a device.
        return None, 0
    counts = torch.unique(target[target >= 0], return_counts=True)[1].double()
    examples = int(counts.sum())
    if examples < FEWEST_OF_A_CLASS * max(1, len(counts)):
        return None, 0
    shares = counts / examples
    # Shares of few examples have too little entropy, by this much (Miller and Madow 1955).
    return -(shares * shares.log()).sum() + (len(counts) - 1) / (2 * examples), examples


def _targets(node: Any) -> tuple[Tensor, Tensor] | None:
    """Return the mean and the variance of the targets of an error of numbers; None where they are too few or not at
    hand."""
    target = _data(node, "target")
    if target is None or target.ndim == 0 or len(target) < 2:
        return None
    # An answer of another shape was spread over the targets where the graph expands it.
    spread = type(_following(node)).__name__ == "ExpandBackward0"
    return target.float().mean(), _least_square(target, spread)


def _least_square(target: Tensor, spread: bool) -> Tensor:
    """Return the mean square that the best constant answer leaves.

    `spread`: an answer of another shape was spread over the targets, so that one number is compared with all of them.
    """
    target = target.float()
    return target.var() if spread else target.var(0).mean()


def _least_entropy(target: Tensor) -> tuple[Tensor, int]:
    """Return the cross-entropy of two classes that the best constant answer leaves, and the number of examples."""
    rate = target.float().mean(0)
    return -(torch.xlogy(rate, rate) + torch.xlogy(1 - rate, 1 - rate)).mean(), len(target)


# -- losses that a script writes by hand


def _constant_by_hand(node: Any, *, absolute: bool) -> tuple[Tensor | None, int, Tensor | None]:
    """Return the summed error of the best constant answer where a script squares a difference, or takes its size, with
    the number of examples and, of squares, the mean of the targets.

    The graph keeps only the difference, so the targets are known where the answer can be computed again cheaply.
    """
    difference = _data(node, "self")
    before = _following(node)
    if difference is None or type(before).__name__ not in ("SubBackward0", "RsubBackward1"):
        return None, 0, None
    sides = [following for following, _ in before.next_functions]
    answers = [one for one in sides if one is not None]
    if len(answers) != 1 or _saved(before, "_saved_alpha") != 1:
        return None, 0, None
    answer = _value(answers[0])
    if answer is None:
        return None, 0, None
    first = sides[0] is not None and type(before).__name__ == "SubBackward0"
    target = (answer - difference if first else answer + difference).float()
    if target.ndim == 0 or len(target) < 2:
        return None, 0, None
    spread = answer.shape != difference.shape
    if absolute:
        middle = target.median() if spread else target.median(0).values
        return (target - middle).abs().sum(), len(target), None
    return _least_square(target, spread) * target.numel(), len(target), target.mean()


def _value(node: Any) -> Tensor | None:
    """Return what an operation gave, where it was saved or is computed again within one small product."""
    along = []
    for _ in range(MOST_FACTORS):
        if type(node).__name__ not in (*SAME_NUMBERS, "SelectBackward0", "GatherBackward0"):
            break
        along.append(node)
        node = _only_following(node)
    name = type(node).__name__
    if name in SAVED_RESULTS:
        value = _data(node, "result")
    elif name == "AddmmBackward0":
        rows, weight = _data(node, "mat1"), _last_weight(node)
        bias = getattr(_following(node), "variable", None)
        if rows is None or weight is None or not isinstance(bias, Tensor):
            return None
        value = torch.addmm(bias.detach(), rows, weight)
    else:
        value = None
    for one in reversed(along if value is not None else ()):
        dim = _signed(_saved(one, "_saved_dim"))
        if type(one).__name__ == "GatherBackward0":
            chosen = _data(one, "index")
            if chosen is None or dim is None:
                return None
            value = value.gather(dim, chosen)  # type: ignore[union-attr]
        elif type(one).__name__ == "SelectBackward0":
            index = _signed(_saved(one, "_saved_index"))
            if dim is None or index is None:
                return None
            value = value.select(dim, index)  # type: ignore[union-attr]
        else:
            value = value.reshape(shape_of(one))  # type: ignore[union-attr]
    return value


def _signed(number: Any) -> int | None:
    """Return a number that an operation has saved; torch keeps a negative one as a positive one of 64 bits."""
    return number - 2**64 if isinstance(number, int) and number >= 2**63 else number


def _last_weight(node: Any) -> Tensor | None:
    """Return the weight of a product: saved, or, where its input takes no gradient, behind its transposition."""
    weight = _data(node, "mat2")
    if (
        weight is None
        and len(node.next_functions) > 2
        and type(node.next_functions[2][0]).__name__ == "TBackward0"
    ):
        leaf = getattr(_following(node.next_functions[2][0]), "variable", None)
        weight = leaf.detach().t() if isinstance(leaf, Tensor) else None
    return weight


def _entropy_by_hand(node: Any, factor: float) -> tuple[Tensor | None, int] | None:
    """Return the cross-entropy, summed over the examples, that the best constant answer leaves, where a script writes
    that of two classes by hand; None where it is something else.

    It is y·log(p) + (1 - y)·log(1 - p) with a negative sign before it, or before both terms.
    """
    if type(node).__name__ not in ("AddBackward0", "SubBackward0"):
        return None
    sign = 1.0 if factor > 0 else -1.0
    signs = (sign, -sign if type(node).__name__ == "SubBackward0" else sign)
    weights = []
    for (term, _), one in zip(node.next_functions, signs, strict=True):
        while type(term).__name__ == "NegBackward0":
            term, one = _only_following(term), -one
        weight, inner = _weighted(term)
        if weight is None or type(inner).__name__ not in LOGARITHMS:
            return None
        weights.append(-one * weight)
    first, second = weights
    total = first + second
    if first.shape != second.shape or first.ndim == 0 or not bool((total - 1).abs().max() < SAME_SUM):
        return None
    best, examples = _least_entropy(first)
    return (best * first.numel(), examples) if len(first) > 1 else (None, 0)


def _weighted(node: Any) -> tuple[Tensor | None, Any]:
    """Return the numbers by which a product weighs its other side, and that side; None where both have gradients."""
    if type(node).__name__ != "MulBackward0":
        return None, None
    sides = [following for following, _ in node.next_functions]
    if sum(one is not None for one in sides) != 1:
        return None, None
    weight = _data(node, "other" if sides[0] is not None else "self")
    if weight is None or weight.device.type != "cpu":
        # To compare them would wait for a device.
        return None, None
    return weight.float(), next(one for one in sides if one is not None)


# -- parts of a graph


def _data(node: Any, name: str) -> Tensor | None:
    """Return a tensor that an operation has saved, where it is a plain one of a size that is worth looking at.

    Anything else (one that is spread over processes, a wrapper) may do more than count.
    """
    data = getattr(getattr(node, f"_raw_saved_{name}", None), "data", None)
    if type(data) is not Tensor and type(data) is not torch.nn.Parameter:
        return None
    return None if data.is_complex() or not 1 < data.numel() <= MOST_TARGETS else data.detach()


def _is_square(node: Any) -> bool:
    """Return whether an operation squares: x ** 2, or x * x."""
    if type(node).__name__ == "PowBackward0":
        return bool(_saved(node, "_saved_exponent") == 2)
    sides = [following for following, _ in getattr(node, "next_functions", ())]
    return type(node).__name__ == "MulBackward0" and sides[0] is not None and sides[0] is sides[1]


def _following(node: Any) -> Any:
    return node.next_functions[0][0] if node.next_functions else None


def _only_following(node: Any) -> Any:
    """Return the one operation before this one; None where there is none."""
    return next((one for one, _ in node.next_functions if one is not None), None)


def _count(node: Any) -> int:
    return math.prod(shape_of(node))


def _constant(node: Any, *, first_only: bool) -> float | None:
    """Return the other operand of a product, or the divisor; None if it has a gradient or no value on the host."""
    following = [one for one, _ in node.next_functions]
    if sum(one is not None for one in following) != 1 or (first_only and following[0] is None):
        return None
    value = _saved(node, "_saved_other" if following[0] is not None else "_saved_self")
    if not isinstance(value, Tensor):
        return float(value) if isinstance(value, int | float) else None
    return float(value.item()) if value.device.type == "cpu" and value.numel() == 1 else None


def _saved(node: Any, name: str) -> Any:
    try:
        return getattr(node, name, None)
    except RuntimeError:
        return None
