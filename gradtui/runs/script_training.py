"""A ScriptTraining says how a watched script names what it trains, so that advice can be given in its own words."""

from __future__ import annotations

from typing import Any

import msgspec

from gradtui.runs.meta import RunMeta

KEY = "training"
"""The key in the data of run.json."""


class ScriptTraining(msgspec.Struct, frozen=True, omit_defaults=True):
    """A ScriptTraining holds the names of a script's models, optimizers and modules."""

    models: dict[str, str] = {}
    """The variable of each model, by the name under which it is watched; "" is the only one."""
    optimizers: dict[str, str] = {}
    """The variable of each optimizer, in the same way."""
    modules: tuple[tuple[str, str], ...] = ()
    """The name and the class of each module that owns parameters, as its model has them; of several models, with the
    model's name in front."""
    functions: tuple[str, ...] = ()
    """The classes of the modules that own none, such as ReLU."""
    groups: int = 1
    """The number of parameter groups of the first optimizer."""
    scaler: str = ""
    """The variable of the gradient scaler that calls the optimizer; empty where there is none."""
    device: str = "cpu"
    """The kind of device on which it trains."""

    @property
    def model(self) -> str:
        """Return the variable of the first model."""
        return next(iter(self.models.values()), "") or "model"

    @property
    def optimizer(self) -> str:
        """Return the variable of the first optimizer."""
        return next(iter(self.optimizers.values()), "") or "optimizer"


def training_of(meta: RunMeta | None) -> ScriptTraining | None:
    """Return what run.json says of a script's training, as far as it does; None where the run is no script's."""
    if meta is None or meta.kind != "script":
        return None
    raw: Any = meta.data.get(KEY)
    try:
        known = msgspec.convert(raw if isinstance(raw, dict) else {}, ScriptTraining)
    except msgspec.ValidationError:
        known = ScriptTraining()
    return msgspec.structs.replace(known, device=meta.device.partition(":")[0] or "cpu")
