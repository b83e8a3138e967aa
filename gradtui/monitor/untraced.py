"""Keep gradtui's hooks out of what torch.compile traces: a compiled step runs them, but does not compile them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch

P = ParamSpec("P")
R = TypeVar("R")


def _nothing() -> None:
    return None


_eval_frame: Any = getattr(getattr(torch._C, "_dynamo", None), "eval_frame", None)
_active_callback: Callable[[], Any] = getattr(_eval_frame, "get_eval_frame_callback", _nothing)


def untraced(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a hook so that torch.compile neither traces it nor compiles what it calls.

    `torch.compiler.disable` does the same, but costs every call of a training that compiles nothing some microseconds.
    """

    @wraps(function)
    def outside(*args: P.args, **kwargs: P.kwargs) -> R:
        if _active_callback() is None:
            return function(*args, **kwargs)
        result: R = torch.compiler.disable(function)(*args, **kwargs)  # type: ignore[no-untyped-call]
        return result

    return left_alone(outside)


def left_alone(function: Callable[P, R]) -> Callable[P, R]:
    """Let torch.compile end its graph before a call of this function, and not compile its frame.

    What it calls may be compiled as without it.
    """
    function._torchdynamo_disable = True  # type: ignore[attr-defined]
    with contextlib.suppress(Exception):
        skip, usual = _eval_frame._FrameAction.SKIP, _eval_frame._FrameAction.DEFAULT
        _eval_frame.set_code_exec_strategy(function.__code__, _eval_frame._FrameExecStrategy(skip, usual))
    return function
