"""Find the names that a script gives to its models, optimizers and modules, so that advice can use them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn
from torch.optim import Optimizer

from gradtui.monitor.layers import plain_name, unwrapped
from gradtui.monitor.variable_names import variable_name
from gradtui.monitor.watched import WatchedOptimizer

BLOCKS = (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)
MOST_MODULES = 500
"""The most modules that are listed by name."""


def variables_of(models: Mapping[str, nn.Module], optimizers: Mapping[str, Optimizer]) -> dict[str, Any]:
    """Return the names of the script's variables that hold its models and optimizers, if there are any."""
    found: dict[str, Any] = {}
    for key, things in (("models", models), ("optimizers", optimizers)):
        named = {label: variable_name(one) for label, one in things.items()}
        found[key] = {label: name for label, name in named.items() if name.isidentifier()}
    return found


def modules_of(
    models: Mapping[str, nn.Module], optimizers: Sequence[WatchedOptimizer], *, post_norm: bool
) -> dict[str, Any]:
    """Return the modules of the models by name and class. Call this within the step of an optimizer.

    `post_norm` says whether the graph of a model has norms behind its shortcuts.
    """
    owners: list[tuple[str, str]] = []
    functions: dict[str, None] = {}
    for label, model in models.items():
        for name, module in unwrapped(model).named_modules():
            if next(module.parameters(recurse=False), None) is not None:
                path = ".".join(filter(None, (label, plain_name(name))))
                owners.append((path, type(module).__name__))
            elif next(module.children(), None) is None:
                functions[type(module).__name__] = None
    for optimizer in optimizers:
        optimizer.scaler.search()
    scalers = [scaler for optimizer in optimizers if (scaler := optimizer.scaler.get()) is not None]
    variable = variable_name(scalers[0]) if scalers else ""
    blocks = [one for model in models.values() for one in model.modules() if isinstance(one, BLOCKS)]
    torch_blocks = len(blocks) > 1 and not any(block.norm_first for block in blocks)
    return {
        "post_norm": "torch" if torch_blocks else "own" if post_norm and not blocks else "",
        "modules": owners[:MOST_MODULES],
        "functions": list(functions)[:MOST_MODULES],
        "groups": optimizers[0].groups if optimizers else 1,
        "scaler": (variable if variable.isidentifier() else "scaler") if scalers else "",
    }
