"""Build the reference net of an experiment: the same task, depth and steps with what trains such nets best.

It tells what can be learned within the steps at all. It was written down before any net was trained with it, and no
rule of the diagnosis is asked for it.
"""

from __future__ import annotations

from typing import Any

from gradtui.experiment import Experiment, from_dict, to_dict
from gradtui.experiment.activations import ACTIVATIONS

DEEP = 8
"""The number of layers above which the reference has shortcuts."""


def reference(experiment: Experiment) -> Experiment:
    """Return the experiment with usual weights, a norm, shortcuts where it is deep, and Adam at a usual rate."""
    raw: dict[str, Any] = to_dict(experiment)
    layers = sum(group.repeat * group.layers for group in experiment.net)
    for group in raw["net"]:
        group |= {"gain": 1.0, "bias_mean": 0.0, "bias_std": 0.0}
        if group["block"] in ("dense", "conv"):
            group |= {"init": ACTIVATIONS[group["activation"]].init}
            if group["repeat"] * group["layers"] > 1:
                group["norm"] = "layer" if group["block"] == "dense" else "batch"
                if layers > DEEP and group["shortcut"] == "none":
                    if group["layers"] == 1:
                        group |= {"layers": 2, "repeat": (group["repeat"] + 1) // 2}
                    group |= {"shortcut": "identity", "order": "pre", "branch_gain": "depth"}
        elif group["block"] == "attention":
            group |= {"init": "torch", "norm": "layer", "order": "pre", "shortcut": "identity"}
        else:
            group |= {"block": "gru", "init": "xavier", "norm": "layer"}
            group |= {"recurrent_init": "orthogonal", "recurrent_gain": 1.0}
    raw["optimizer"] = {"kind": "adam", "lr": 0.001 if layers > 12 else 0.003}
    raw["cures"] = {"clip_norm": 1.0}
    return from_dict(raw)
