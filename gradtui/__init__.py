"""gradtui: see where the gradient of a deep net vanishes or explodes, learn why, and prove the cure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["__version__", "open_run", "watch"]

if TYPE_CHECKING:
    from gradtui.monitor.watch import watch as watch
    from gradtui.runs.reader import open_run as open_run

# Imported at first use, so that `import gradtui` costs scripts nothing and the command line starts in milliseconds.
_MODULES = {"open_run": "gradtui.runs.reader", "watch": "gradtui.monitor.watch"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'gradtui' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_MODULES[name]), name)
