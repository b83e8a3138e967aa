"""Record the names that a watched script uses for its models and optimizers, so that advice can use them."""

from __future__ import annotations

from typing import Any

import msgspec

from gradtui.runs.meta import RunMeta

KEY = "training"
"""The key in the data of run.json."""


class ScriptTraining(msgspec.Struct, frozen=True, omit_defaults=True):
    """A ScriptTraining holds the names of a script's models, optimizers and modules."""

    models: dict[str, str] = {}
    """The variable of each model, by the name under which it is watched; a single model has the name ""."""
    optimizers: dict[str, str] = {}
    """The variable of each optimizer, by its name; a single optimizer has the name ""."""
    modules: tuple[tuple[str, str], ...] = ()
    """The class of each module with parameters, by its name in the model; with several models, the model's name comes
    first."""
    functions: tuple[str, ...] = ()
    """The classes of the modules without parameters, such as ReLU."""
    post_norm: str = ""
    """How its blocks are made if each norm follows the sum of a shortcut and its branch: "torch" for the blocks of
    torch.nn, "own" for other ones."""
    groups: int = 1
    """The number of parameter groups of the first optimizer."""
    scaler: str = ""
    """The variable of the gradient scaler that calls the optimizer; empty where there is none."""
    device: str = "cpu"
    """The kind of device on which the script trains."""

    @property
    def model(self) -> str:
        """Return the variable of the first model."""
        return next(iter(self.models.values()), "") or "model"

    @property
    def optimizer(self) -> str:
        """Return the variable of the first optimizer."""
        return next(iter(self.optimizers.values()), "") or "optimizer"


def training_of(meta: RunMeta | None) -> ScriptTraining | None:
    """Return the part of run.json on a script's training; None where the run is not a script's."""
    if meta is None or meta.kind != "script":
        return None
    raw: Any = meta.data.get(KEY)
    try:
        known = msgspec.convert(raw if isinstance(raw, dict) else {}, ScriptTraining)
    except msgspec.ValidationError:
        known = ScriptTraining()
    return msgspec.structs.replace(known, device=meta.device.partition(":")[0] or "cpu")
