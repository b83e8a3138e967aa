"""Find out whether a watched model is compiled: then it must have no hooks of gradtui while it is called.

torch.compile traces the hooks of a model, and compiles again when hooks are added or removed.
"""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any

import torch
from torch import nn

STEP_NAMES = {"backward", "step", "clip_grad_norm_", "clip_grad_value_"}
"""What the code of a training step calls."""


def is_compiled(models: Iterable[nn.Module]) -> bool:
    """Return whether any module of some models is compiled, or was given to torch.compile."""
    modules = [module for model in models for module in model.modules()]
    return any(
        hasattr(module, "_orig_mod") or getattr(module, "_compiled_call_impl", None) is not None
        for module in modules
    ) or _compiled_from_outside(modules)


def _compiled_from_outside(modules: Sequence[nn.Module]) -> bool:
    """Return whether torch.compile has wrapped one of these modules, which the modules themselves do not record."""
    if "torch._dynamo" not in sys.modules:
        return False
    inside = {id(module) for module in modules}
    owners = gc.get_referrers(*modules)
    return any(isinstance(owner, dict) and id(owner.get("_orig_mod")) in inside for owner in owners)


def has_compiled_steps() -> bool:
    """Return whether code that calls a backward pass, a step or clipping has been compiled in this process."""
    frames = sys.modules.get("torch._dynamo.convert_frame")
    if frames is None:
        return False
    try:
        codes = [reference() for reference in frames.input_codes.seen]
    except AttributeError:
        return _graphs_so_far() > 0
    return any(code is not None and not STEP_NAMES.isdisjoint(code.co_names) for code in codes)


def is_scripted(models: Iterable[nn.Module]) -> bool:
    """Return whether some model is TorchScript as a whole, so that none of its modules is called from Python."""
    return all(isinstance(model, torch.jit.ScriptModule) for model in models)


def is_traced() -> bool:
    """Return whether the running pass is not a training pass: it is compiled, exported, traced or transformed."""
    return bool(
        torch.compiler.is_compiling()
        or torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        or torch._C._functorch.peek_interpreter_stack() is not None
    )


class CompileWatch:
    """A CompileWatch records whether anything has been compiled since it was created, or is about to be."""

    def __init__(self, on_compile: Callable[[], None]) -> None:
        """`on_compile` is called before `torch.compile` does anything."""
        self._graphs = _graphs_so_far()
        self._on_compile = on_compile
        _watches.add(self)
        _install()

    @property
    def compiles(self) -> bool:
        """Return whether torch.compile has made a graph."""
        return _graphs_so_far() > self._graphs

    def note(self) -> None:
        """Note that torch.compile is called."""
        self._on_compile()

    def end(self) -> None:
        """Stop recording; the last CompileWatch removes the wrapper around `torch.compile`."""
        _watches.discard(self)
        _uninstall()


_watches: weakref.WeakSet[CompileWatch] = weakref.WeakSet()
_wrapper: Any = None
_original: Any = None


def _install() -> None:
    global _wrapper, _original
    if torch.compile is _wrapper:
        return
    _original = original = torch.compile

    @wraps(original)
    def compile(*args: Any, **kwargs: Any) -> Any:
        for watch in list(_watches):
            watch.note()
        return original(*args, **kwargs)

    torch.compile = _wrapper = compile


def _uninstall() -> None:
    global _wrapper, _original
    if not _watches and _wrapper is not None and torch.compile is _wrapper:
        torch.compile = _original
        _wrapper = _original = None


def _graphs_so_far() -> int:
    utils = sys.modules.get("torch._dynamo.utils")
    try:
        return int(utils.counters["stats"]["unique_graphs"]) if utils is not None else 0
    except (AttributeError, KeyError, TypeError):
        return 0
