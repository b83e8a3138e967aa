"""Find the optimizer inside the objects that libraries wrap around one, by their attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch.optim import Optimizer

MOST_WRAPPERS = 4
"""The most wrappers around each other that are searched."""


def optimizers_in(given: Any) -> Any:
    """Return the given optimizers, with each wrapper replaced by the optimizer that it holds."""
    if hasattr(given, "step") and hasattr(given, "param_groups"):
        return inner_optimizer(given)
    if isinstance(given, Mapping):
        return {label: inner_optimizer(one) for label, one in given.items()}
    return [inner_optimizer(one) for one in given]


def inner_optimizer(wrapper: Any) -> Any:
    """Return the innermost optimizer that a wrapper holds, which takes the steps; return other objects unchanged.

    A wrapper has `step` and `param_groups` itself. Some derive from Optimizer without calling its `__init__`.
    """
    found = _innermost(wrapper, MOST_WRAPPERS)
    return wrapper if found is None else found


def _innermost(one: Any, depth: int) -> Optimizer | None:
    try:
        held = list(vars(one).values())
        wraps = hasattr(one, "step") and hasattr(one, "param_groups")
    except Exception:
        return None
    if not wraps:
        return None
    made = isinstance(one, Optimizer) and "_optimizer_step_pre_hooks" in vars(one)
    for inner in held if depth else ():
        # A wrapper has parameters of the optimizer that it holds; an object that only keeps another optimizer does not.
        found = None if inner is one else _innermost(inner, depth - 1)
        if found is not None and (not made or _moved(found) == _moved(one)):
            return found
    return one if made else None


def _moved(optimizer: Any) -> set[int]:
    return {id(p) for group in optimizer.param_groups for p in group["params"]}
