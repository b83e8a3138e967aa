"""Notice each call of PyTorch's clipping functions, also of those that a script has imported by name.

The gradient before clipping is then known even if the script wrote it by hand, and clipping at a place where it changes
nothing is noticed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from types import CellType
from typing import Any

import torch
import torch.nn.utils.clip_grad as clipping
from torch import Tensor

from gradtui.monitor.compiled import has_compiled_steps

FUNCTIONS = ("clip_grad_norm_", "clip_grad_value_")

Listener = Callable[[list[Tensor]], None]
"""A function that takes the parameters whose gradients are about to be clipped."""

_listeners: list[Listener] = []
_lock = threading.Lock()
_replaced: list[tuple[CellType, Any, Any]] = []
"""The cells that hold PyTorch's functions, with what stands in them and what stood there before."""


def listen_to_clips(listener: Listener) -> None:
    """Call a function before each clipping of gradients."""
    with _lock:
        _listeners.append(listener)
        # A step that was compiled before would be compiled again.
        if not _replaced and not has_compiled_steps():
            for name in FUNCTIONS:
                if (cell := _cell_of(name)) is not None:
                    original = cell.cell_contents
                    cell.cell_contents = _noticed(original)
                    _replaced.append((cell, cell.cell_contents, original))


def ignore_clips(listener: Listener) -> None:
    """Undo `listen_to_clips`; the last call restores PyTorch's own functions."""
    with _lock:
        if listener in _listeners:
            _listeners.remove(listener)
        if not _listeners:
            for cell, ours, original in _replaced:
                if cell.cell_contents is ours:
                    cell.cell_contents = original
            _replaced.clear()


def _cell_of(name: str) -> CellType | None:
    """Return the cell in which the exposed function, a wrapper that stops autograd, holds the function that clips."""
    exposed = getattr(clipping, name, None)
    inner = getattr(exposed, "__wrapped__", None)
    cells = getattr(exposed, "__closure__", None) or ()
    return next((cell for cell in cells if inner is not None and cell.cell_contents is inner), None)


def _noticed(original: Callable[..., Any]) -> Callable[..., Any]:
    def clip(parameters: Any, *args: Any, **kwargs: Any) -> Any:
        # A compiled step leaves this out.
        if not torch.compiler.is_compiling():
            if not isinstance(parameters, Tensor | list):
                # PyTorch warns of a generator that is empty, but not of an empty list.
                parameters = list(parameters) or _nothing()
            given = [parameters] if isinstance(parameters, Tensor) else parameters
            if isinstance(given, list):
                for listener in _listeners.copy():
                    listener(given)
        return original(parameters, *args, **kwargs)

    return clip


def _nothing() -> Iterator[Tensor]:
    yield from ()
