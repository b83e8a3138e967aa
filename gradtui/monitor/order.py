"""The order in which a model's modules are called, learned at its first forward pass."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn


class CallOrder:
    """Hooks on every module that go away when the first forward pass is over.

    A model that is compiled gets none: tracing would take them in for good.
    """

    def __init__(self, models: Iterable[nn.Module]) -> None:
        self.called: dict[int, None] = {}
        """ids of the modules, in the order of their first calls."""
        self._handles: list[Any] = []
        for model in models:
            modules = list(model.modules())
            if is_compiled(model):
                continue
            begun, ended = _Noting(self), _Leaving(self, len(self._handles), 0)
            first = len(self._handles)
            self._handles += [module.register_forward_pre_hook(begun) for module in modules]
            self._handles.append(model.register_forward_hook(ended))
            ended.first, ended.last = first, len(self._handles)

    def note(self, module: nn.Module) -> None:
        """A module is being called."""
        self.called.setdefault(id(module))

    def leave(self, first: int = 0, last: int | None = None) -> None:
        """Take hooks off."""
        for handle in self._handles[first:last]:
            handle.remove()


def is_compiled(model: nn.Module) -> bool:
    """Whether any module in it is compiled, or handed to torch.compile to be."""
    return any(
        isinstance(module, torch.jit.ScriptModule)
        or hasattr(module, "_orig_mod")
        or getattr(module, "_compiled_call_impl", None) is not None
        for module in model.modules()
    )


class _Hook:
    """A hook that a copied or pickled model takes along as one that does nothing."""

    def __init__(self, order: CallOrder | None = None) -> None:
        self.order = order

    def __deepcopy__(self, memo: Any) -> _Hook:
        return type(self)()

    def __reduce__(self) -> tuple[type[_Hook], tuple[()]]:
        return type(self), ()


class _Noting(_Hook):
    def __call__(self, module: nn.Module, inputs: Any) -> None:
        # Under tracing this is known to be true, and nothing of the hook is left in what is compiled.
        if torch.compiler.is_compiling():
            return
        if self.order is not None:
            self.order.note(module)


class _Leaving(_Hook):
    def __init__(self, order: CallOrder | None = None, first: int = 0, last: int = 0) -> None:
        super().__init__(order)
        self.first, self.last = first, last

    def __call__(self, module: nn.Module, inputs: Any, output: Any) -> None:
        if torch.compiler.is_compiling():
            return
        if self.order is not None:
            self.order.leave(self.first, self.last)
