"""`gradtui.watch`: one line that records somebody's own training."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import nn
from torch.optim import Optimizer

from gradtui.monitor.distributed.joining import parts_of
from gradtui.monitor.distributed.unwritten import Unwritten
from gradtui.monitor.guard import Guard, reason_of, warn
from gradtui.monitor.journal import Journal
from gradtui.monitor.layers import class_name
from gradtui.monitor.probe import Probe
from gradtui.monitor.subject import Subject


def watch(
    model: nn.Module | Mapping[str, nn.Module],
    optimizer: Optimizer | Iterable[Optimizer] | Mapping[str, Optimizer] | None = None,
    *,
    name: str | None = None,
    runs: str | os.PathLike[str] | None = None,
    budget: float | None = 0.01,
    activations: bool = False,
    layers: str = "",
    fold: bool = True,
) -> Probe:
    """Record a training into a run that `gradtui attach` shows, now or later, from any terminal.

    With an optimizer each of its steps is recorded by itself; without one call `probe.step()` after backward.
    Several models, by name, with their optimizers, are named parts of one run; a row of it is then complete
    when every optimizer has taken a step, or one takes its second.

    Layers are the modules that own parameters, in the order in which the first forward pass calls them. In
    blocks that repeat, what belongs together is one layer: `h.0.attn` (`fold=False`: every module by itself).
    A parameter that several layers share belongs to the first.

    Args:
        name: What the run is called; else by the script and the model's class.
        runs: The folder that the run is made in; else where gradtui keeps all of them.
        budget: Share of the training's time that recording may take, by leaving out steps; None records every
            step, whatever it costs.
        activations: Record also, at some of the steps, statistics of activations: mean, deviation, dead and
            saturated units, and gradients with respect to layers' outputs. Not of models that are compiled. On a
            GPU this waits for it at those steps.
        layers: A regular expression: only layers in whose name it is found are shown.
        fold: See above.

    Of several processes (DDP, torchrun) process 0 alone writes, and the probes of the others do nothing. Where they
    hold parts of the parameters (fully_shard) each has to call this, after the model was sharded.

    Never raises and never changes a number of the training. Where something goes wrong it warns once
    (WatchWarning), and from then on does nothing.
    """
    guard = Guard()
    try:
        return Probe(_subject(model, optimizer, name, runs, budget, activations, layers, fold, guard))
    except Exception as error:
        warn(f"gradtui cannot watch this training: {reason_of(error)}", level=3)
        return Probe()


def _subject(
    model: Any,
    optimizer: Any,
    name: str | None,
    runs: str | os.PathLike[str] | None,
    budget: float | None,
    activations: bool,
    pattern: str,
    fold: bool,
    guard: Guard,
) -> Subject | None:
    """None where another process does all there is to do."""
    models = _named(model, nn.Module, "model")
    parts = parts_of(models.values())
    if parts is None:
        return None
    optimizers = _named(optimizer, Optimizer, "optimizer")
    if len(optimizers) > 1 and not isinstance(optimizer, Mapping):
        optimizers = _by_model(models, list(optimizers.values()))
    about = {
        "model": {label: class_name(one) for label, one in models.items()},
        "optimizer": {label: type(one).__name__ for label, one in optimizers.items()},
        "script": sys.argv[0] if sys.argv else "",
    }
    root = None if runs is None else Path(runs).expanduser()
    journal = Journal(name or _name_of(models), root, about) if parts.writes else Unwritten()
    try:
        return Subject(
            models,
            optimizers,
            journal,
            guard,
            parts,
            budget=budget,
            pattern=pattern,
            fold=fold,
            activations=activations,
        )
    except Exception as error:
        journal.end(0, "failed", reason_of(error))
        raise


def _named(given: Any, kind: type, what: str) -> dict[str, Any]:
    """What was given, by name: of one the name is empty."""
    if given is None:
        return {}
    if isinstance(given, kind):
        return {"": given}
    named = dict(given) if isinstance(given, Mapping) else dict(enumerate(given, 1))
    wrong = next((one for one in named.values() if not isinstance(one, kind)), None)
    if wrong is not None or not named:
        raise TypeError(f"watch({what}=…): expected {kind.__name__}, not {type(wrong).__name__}")
    return {str(label): one for label, one in named.items()}


def _by_model(models: Mapping[str, nn.Module], optimizers: list[Optimizer]) -> dict[str, Optimizer]:
    """Optimizers by the name of the model that each moves; by number where one moves several, or several one."""
    owners = {id(p): label for label, model in models.items() for p in model.parameters()}
    moved = [
        {owners.get(id(p), "") for group in optimizer.param_groups for p in group["params"]}
        for optimizer in optimizers
    ]
    labels = [next(iter(names)) for names in moved if len(names) == 1]
    if len(set(labels)) < len(optimizers):
        labels = [str(number) for number in range(1, len(optimizers) + 1)]
    return dict(zip(labels, optimizers, strict=True))


def _name_of(models: Mapping[str, nn.Module]) -> str:
    script = Path(sys.argv[0]).stem if sys.argv and sys.argv[0] not in ("", "-c", "-m") else ""
    classes = " and ".join(class_name(model) for model in models.values())
    return f"{script} · {classes}" if script else classes
