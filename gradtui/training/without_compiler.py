"""Train without importing torch's compiler, which the first optimizer would import.

`torch.optim` imports `torch._dynamo` to mark the parts that the compiler should skip. That import takes as long as
torch's own and 60 MB, and the trainer compiles nothing.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

COMPILER = "torch._dynamo"


class _Compiler(ModuleType):
    """A _Compiler replaces the compiler's functions that an optimizer calls; any other name imports the compiler."""

    def __init__(self) -> None:
        super().__init__(COMPILER)

    @staticmethod
    def graph_break(*_: object, **__: object) -> None:
        """Do nothing, because there is no graph."""

    @staticmethod
    def disable(function: Callable[..., Any], *_: object, **__: object) -> Callable[..., Any]:
        """Return the function unchanged, because it is not compiled."""
        return function

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(COMPILER) is self:
            del sys.modules[COMPILER]
        return getattr(importlib.import_module(COMPILER), name)


def postpone_compiler() -> None:
    """Let this process import torch's compiler only when code other than an optimizer uses it.

    It does nothing where the compiler is imported already.
    """
    import torch

    if COMPILER not in sys.modules:
        torch._dynamo = sys.modules[COMPILER] = _Compiler()
