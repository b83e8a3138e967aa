"""Say in words what a cure changes in the structure of the experiment at hand."""

from __future__ import annotations

from collections.abc import Mapping

from gradtui.experiment.overrides import set_fields
from gradtui.experiment.spec import Experiment


def blocks_text(exp: Experiment, changes: Mapping[str, object]) -> str:
    """Return what the changes do to the blocks, as the end of a sentence; "" where blocks stay as they are."""
    cured = set_fields(exp, dict(changes))
    parts = []
    for before, after in zip(exp.net, cured.net, strict=True):
        if (before.repeat, before.layers) != (after.repeat, after.layers):
            parts.append(
                f"{_blocks(before.repeat, before.layers)} become {_blocks(after.repeat, after.layers)}"
            )
        if before.order != after.order and after.order == "pre":
            parts.append("norm and activation move before the weights")
        if before.branch_gain != after.branch_gain and after.branch_gain == "depth":
            parts.append("each branch starts at 1/√blocks")
    return "; ".join(dict.fromkeys(parts))


def _blocks(repeat: int, layers: int) -> str:
    return f"{repeat} block{'' if repeat == 1 else 's'} of {layers} layer{'' if layers == 1 else 's'}"
