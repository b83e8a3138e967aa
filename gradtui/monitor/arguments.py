"""Read the arguments of `gradtui.watch`: models and optimizers by name, the configuration, the note, the run's name."""

from __future__ import annotations

import operator
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn
from torch.optim import Optimizer

from gradtui.monitor.config import config_fields
from gradtui.monitor.guard import reason_of, warn
from gradtui.monitor.inner_optimizer import optimizers_in
from gradtui.monitor.layers import class_name
from gradtui.runs.event_check import LARGEST_STEP
from gradtui.runs.label import LONGEST_NOTE, note_of


def by_name(given: Any, kind: type, argument: str) -> dict[str, Any]:
    """Return the given objects by name; a single one has an empty name."""
    if given is None:
        return {}
    if kind is Optimizer:
        given = optimizers_in(given)
    if isinstance(given, kind):
        return {"": given}
    named = dict(given) if isinstance(given, Mapping) else dict(enumerate(given, 1))
    wrong = next((one for one in named.values() if not isinstance(one, kind)), None)
    if wrong is not None or not named:
        raise TypeError(f"watch({argument}=…): expected {kind.__name__}, not {type(wrong).__name__}")
    return {str(label): one for label, one in named.items()}


def named_by_model(models: Mapping[str, nn.Module], optimizers: list[Optimizer]) -> dict[str, Optimizer]:
    """Return optimizers by the name of the model that each moves.

    The names are numbers if an optimizer moves several models, or if several move the same.
    """
    owners = {id(p): label for label, model in models.items() for p in model.parameters()}
    moved = [
        {owners.get(id(p), "") for group in optimizer.param_groups for p in group["params"]}
        for optimizer in optimizers
    ]
    labels = [next(iter(names)) for names in moved if len(names) == 1]
    if len(set(labels)) < len(optimizers):
        labels = [str(number) for number in range(1, len(optimizers) + 1)]
    return dict(zip(labels, optimizers, strict=True))


def fields_of(config: object) -> dict[str, Any]:
    """Return the fields of a configuration; one that cannot be read is left out, with a warning."""
    try:
        return config_fields(config)
    except Exception as error:
        warn(f"gradtui leaves the configuration out: {reason_of(error)}", level=4)
        return {}


def note_text(text: object) -> str:
    """Return a note; one that is too long is cut, with a warning."""
    given = str(text or "")
    if len(given) > LONGEST_NOTE:
        warn(
            f"gradtui cuts the note: it has {len(given):,} characters, and {LONGEST_NOTE:,} are kept", level=4
        )
    return note_of(given[:LONGEST_NOTE])


def step_of(given: object, argument: str = "step") -> int | None:
    """Return a number of steps; None where none is given. Raises TypeError on anything else."""
    if given is None:
        return None
    try:
        step = operator.index(given)  # type: ignore[arg-type]
    except TypeError:
        step = -1
    if isinstance(given, bool) or not 0 <= step <= LARGEST_STEP:
        raise TypeError(f"watch({argument}=…): expected a number of steps, not {given!r}")
    return step


def default_name(models: Mapping[str, nn.Module]) -> str:
    """Return the name of a run that was given none: those of the script and of the models' classes."""
    script = Path(sys.argv[0]).stem if sys.argv and sys.argv[0] not in ("", "-c", "-m") else ""
    classes = " and ".join(class_name(model) for model in models.values())
    return f"{script} · {classes}" if script else classes
