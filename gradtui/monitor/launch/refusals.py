"""Find out, at the first step of a training, which changes cannot be made in it."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from gradtui.monitor.launch.changes import ChangePart
from gradtui.monitor.launch.loss_scale import gradient_scalers
from gradtui.monitor.launch.new_weights import layers_to_initialise
from gradtui.monitor.launch.process_objects import ProcessObjects, parameters_of

GRADIENT_SETTINGS = ("clip", "clip_value", "skip_nonfinite")


def refusals(
    parts: Sequence[ChangePart],
    optimizers: Sequence[Optimizer],
    *,
    first: Optimizer | None = None,
    closure: bool,
) -> list[str]:
    """Return for each part in a few words why it cannot be made; an empty text if it can.

    Args:
        parts: the parts of a change.
        optimizers: the optimizers in which the change is to be made.
        first: the optimizer that takes the first step of the process. If it is given, `optimizers` are all that exist,
            and it is enough that the change can be made in one of them.
        closure: whether the optimizer gets a function that computes the gradient within the step.
    """
    if not parts:
        return []
    survey = ProcessObjects()
    if first is not None:
        optimizers = [first, *(one for one in survey.optimizers if one is not first)]
    found = []
    for part in parts:
        problems = [_problem(part, one, survey, closure=closure) for one in optimizers]
        found.append("" if "" in problems else problems[0])
    return found


def _problem(part: ChangePart, optimizer: Optimizer, survey: ProcessObjects, *, closure: bool) -> str:
    name, setting = type(optimizer).__name__, part.setting
    parameters = parameters_of(optimizer)
    if setting in GRADIENT_SETTINGS and closure:
        return f"{name} computes its gradient within its step"
    if any(hasattr(p, "placements") for p in parameters) and setting in (
        "init",
        "loss_scale",
        "clip_value",
        "skip_nonfinite",
    ):
        return "each process holds only a part of each parameter"
    if setting == "init":
        layers = layers_to_initialise(survey.modules, parameters)
        return "" if layers else f"{name} moves no linear, convolutional or recurrent layer"
    if setting == "loss_scale":
        half = any(p.dtype == torch.float16 for p in parameters)
        return "the weights themselves are float16" if half and not gradient_scalers() else ""
    if setting in GRADIENT_SETTINGS:
        return ""
    return _problem_of_setting(part, optimizer, "lr" if setting == "warmup" else setting)


def _problem_of_setting(part: ChangePart, optimizer: Optimizer, setting: str) -> str:
    name = type(optimizer).__name__
    values: list[Any] = [group.get(setting) for group in optimizer.param_groups]
    if setting == "betas":
        pairs = all(isinstance(value, tuple | list) and len(value) == 2 for value in values)
        if not pairs:
            return f"{name} has no betas"
        return f"{name} has them already" if all(tuple(value) == part.numbers for value in values) else ""
    if not all(isinstance(value, Real | Tensor) for value in values):
        return f"{name} has no {setting}"
    if part.setting == "warmup":
        return ""
    if setting != "lr" and part.factor and not any(map(float, values)):
        return f"its {setting} is 0 in {name}"
    if setting != "lr" and not part.factor and all(float(value) == part.number for value in values):
        return f"{name} has it already"
    return ""
