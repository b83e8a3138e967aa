"""Tell what a name in a log means. There is no standard, so this file lists the conventions of common programs.

`grad_norm/LAYER` and `gradients/LAYER` (gradtui, Keras, wandb.watch), `grad_2.0_norm/LAYER` (Lightning),
`grad_norm_LAYER`, `LAYER/grad`, `LAYER.grad_norm`; the parameters of a layer are one layer.
"""

from __future__ import annotations

import re

from gradtui import metrics

_NORM = r"(?:(?:grad(?:ient)?s?)(?:_l2)?(?:_norms?)?|grad_2(?:\.0)?_norm)"
_BEFORE = re.compile(rf"(?:\w+/)?{_NORM}[/.:](?P<layer>.+)", re.IGNORECASE)
_JOINED = re.compile(r"(?:\w+/)?grad(?:ient)?_norm_(?P<layer>.+)", re.IGNORECASE)
_AFTER = re.compile(rf"(?P<layer>.+?)[/.]{_NORM}", re.IGNORECASE)
_OF_ALL = re.compile(
    r"total|all|global|overall|un?clipped|clipped|(pre|post|before|after)_clip(ping)?|step|epoch|mean|avg|max|min|norm|"
    r"train(ing)?|val(id(ation)?)?|model|loss|optim(izer)?",
    re.IGNORECASE,
)
"""Words that may be where a layer's name is expected and are not one."""

_PARAMETER = re.compile(
    r"[./](in_proj_)?(weight|bias|kernel|scale|gamma|beta)(_[ih][hr]_l\d+(_reverse)?|_g|_v)?(:\d+)?",
)

_SCALARS = {
    "loss": re.compile(
        r"((train(ing)?|batch)[/_ .])?loss([/_ .](train(ing)?|batch|step|total))*", re.IGNORECASE
    ),
    "accuracy": re.compile(
        r"((train(ing)?|batch)[/_ .])?acc(uracy)?([/_ .](train(ing)?|batch|step))*", re.IGNORECASE
    ),
    "lr": re.compile(r"(.*[/_ .])?(lr|learning_rate)([-/_ .].*)?", re.IGNORECASE),
    "grad_norm": re.compile(
        r"(\w+[/.])?grad(ient)?(_2(\.0)?)?_norm([/_](total|all|global|step))*|(total|global)_grad(ient)?_norm",
        re.IGNORECASE,
    ),
}

_TEST = r"(val(id(ation)?)?|test|eval(uation)?)"
_EVALUATIONS = {
    "test_loss": re.compile(rf"{_TEST}[/_ .](test_)?loss(_epoch)?|loss[/_ .]{_TEST}", re.IGNORECASE),
    "test_accuracy": re.compile(
        rf"{_TEST}[/_ .](test_)?acc(uracy)?(_epoch)?|acc(uracy)?[/_ .]{_TEST}", re.IGNORECASE
    ),
    "train_loss": re.compile(r"evaluation/train_loss"),
    "train_accuracy": re.compile(r"evaluation/train_accuracy"),
}


def measured(tag: str) -> tuple[str, str] | None:
    """Return (metric, layer or parameter) for a number about one layer, and None for any other."""
    name, _, layer = tag.partition("/")
    metric = metrics.find(name)
    # The gradient's norm has many spellings, which gradient_of knows.
    if layer and metric is not None and metric.axis == "layer" and name != "grad_norm":
        return name, layer
    parameter = gradient_of(tag)
    return None if parameter is None else ("grad_norm", parameter)


def gradient_of(tag: str) -> str | None:
    """Return the layer or parameter whose gradient a name means; None if it means no single one's."""
    for pattern in (_BEFORE, _JOINED, _AFTER):
        found = pattern.fullmatch(tag)
        if found and not _OF_ALL.fullmatch(found["layer"]):
            return found["layer"]
    return None


def layer_of(parameter: str) -> str:
    """Return the layer to which a parameter belongs: `h.0.attn` for `h.0.attn.weight`."""
    found = re.search(rf"{_PARAMETER.pattern}\Z", parameter)
    return parameter[: found.start()] if found else parameter


def scalar_of(tag: str) -> str | None:
    """Return loss, accuracy, lr or grad_norm (of all parameters); None if the name means none of them."""
    return _first(_SCALARS, tag)


def evaluation_of(tag: str) -> str | None:
    """Return the evaluation's name, such as test_loss or test_accuracy; None if the name means none of them."""
    return _first(_EVALUATIONS, tag)


def _first(patterns: dict[str, re.Pattern[str]], tag: str) -> str | None:
    return next((name for name, pattern in patterns.items() if pattern.fullmatch(tag)), None)


_FIRST = re.compile(r"(.*\.)?(embed\w*|wte|wpe|stem|patch_embed|input|tok_embeddings)\b.*", re.IGNORECASE)
_LAST = re.compile(r"(.*\.)?(head|lm_head|classifier|fc|out|output|logits)\b.*", re.IGNORECASE)
_LAST_BUT_ONE = re.compile(r"(\w+\.)?(ln_f|(final_)?(layer_?)?norm)", re.IGNORECASE)


def forward_order(layers: list[str]) -> list[str]:
    """Return layers in their most likely forward order, for logs that keep no order.

    Embeddings come first, heads last, and the others by the numbers in their names.
    """

    def place(layer: str) -> tuple[int, list[tuple[int, int, str]]]:
        ends = {-1: _FIRST, 2: _LAST, 1: _LAST_BUT_ONE}
        end = next((rank for rank, pattern in ends.items() if pattern.fullmatch(layer)), 0)
        # Of numbers without leading zeros, the longer is larger; Python makes no integer of thousands of digits.
        words = [word.lstrip("0") if word[:1].isdecimal() else word for word in re.split(r"(\d+)", layer)]
        numbers = range(1, len(words), 2)
        return end, [(0, len(word), word) if at in numbers else (1, 0, word) for at, word in enumerate(words)]

    return sorted(layers, key=place)
