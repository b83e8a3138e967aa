"""Recognise events without the fields that their readers need, so that a malformed event does not hide its run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

LATEST_TIME = 1e11
"""The latest time, in seconds since the epoch, in the year 5138; later times cannot be shown as a date."""
LARGEST_STEP = 2**63 - 1

Check = Callable[[Any], bool]


def is_usable(event: Mapping[str, Any]) -> bool:
    """Return whether an object of events.jsonl has its kind, and the fields that its kind needs, in the right types.

    Events of unknown kinds need no particular fields.
    """
    kind = event.get("event")
    if not isinstance(kind, str) or not _is_time(event.get("time", 0.0)):
        return False
    step = event.get("step")
    if step is not None and not _is_step(step):
        return False
    if kind == "phase" and event.get("phase") == "pretraining":
        kind = "pretraining"
    if not all(check(event.get(name)) for name, check in _NEEDED.get(kind, {}).items()):
        return False
    return kind != "broke" or _tells_divergence(event)


def _tells_divergence(event: Mapping[str, Any]) -> bool:
    if not _is_number(event.get(event["measure"])):
        return False
    if event["reason"] == "blow-up":
        return _is_number(event.get("usual"))
    return isinstance(event.get("part"), str) and (
        event["measure"] != "loss" or _is_number(event.get("before"))
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, float) or (_is_int(value) and abs(value) <= LARGEST_STEP)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_step(value: Any) -> bool:
    return _is_int(value) and 0 <= value <= LARGEST_STEP


def _is_time(value: Any) -> bool:
    return _is_number(value) and math.isfinite(value) and abs(value) <= LATEST_TIME


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_figure(value: Any) -> bool:
    return value is None or _is_number(value)


_FIGURES = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")

_NEEDED: dict[str, dict[str, Check]] = {
    "evaluation": {"step": _is_step, **dict.fromkeys(_FIGURES, _is_figure)},
    "rewound": {"step": _is_step},
    "broke": {
        "step": _is_step,
        "reason": _is_text,
        "measure": lambda value: value in ("loss", "grad_norm"),
        "layer": _is_text,
        "batch": lambda value: isinstance(value, list),
    },
    "finding": {"code": _is_text},
    "diagnosed": {"codes": lambda value: isinstance(value, list)},
    "pretraining": dict.fromkeys(("layer", "layers", "epoch", "epochs"), _is_step),
    "pretrain": {"reconstruction_error": _is_number},
    "cost": {"overhead": _is_number},
    "control": {"set": lambda value: value is None or isinstance(value, dict)},
}
