"""Draw small experiments at random over the whole space; many of them fail, most with two or three faults at once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import count
from random import Random
from typing import Any

from gradtui.experiment import Experiment, from_dict
from gradtui.experiment.activations import ACTIVATIONS
from gradtui.experiment.optimizers import OPTIMIZERS

BLOCKS = ("dense", "dense", "conv", "rnn", "lstm", "gru", "attention")
"""Dense nets twice, since they are what most people begin with."""
INITS = ("torch", "xavier", "he", "lecun", "orthogonal", "normal")
STEPS = (100, 150)
REPORTING = 20000
"""No net from this seed on was looked at when the rules were set; they come from sets that begin at 2000, 5000, 8000,
9000, 12000 and 14000."""


def draw(seed: int) -> Experiment:
    """Return the experiment of this seed."""
    random = Random(seed)
    block = random.choice(BLOCKS)
    activation = random.choice(tuple(ACTIVATIONS))
    groups = [_group(random, block, activation)]
    if block in ("dense", "conv") and random.random() < 0.3:
        # A stem whose width and activation differ from the blocks'.
        groups.insert(0, {"block": block, "width": random.choice((8, 16)), "init": random.choice(INITS)})
    return from_dict(
        {
            "name": f"drawn-{seed}",
            "seed": seed % 1000,
            "data": _data(random, block),
            "net": groups,
            "optimizer": _optimizer(random),
            "cures": _cures(random),
            "run": {"steps": random.choice(STEPS), "device": "cpu", "eval_every": 0},
        }
    )


def drawn(first: int) -> Iterator[Experiment]:
    """Yield the experiments of this seed and those after it, without end."""
    return map(draw, count(first))


def _log_uniform(random: Random, low: float, high: float) -> float:
    return float(f"{math.exp(random.uniform(math.log(low), math.log(high))):.2g}")


def _group(random: Random, block: str, activation: str) -> dict[str, Any]:
    group: dict[str, Any] = {"block": block, "activation": activation, "init": random.choice(INITS)}
    if random.random() < 0.5:
        group["gain"] = _log_uniform(random, 0.3, 4.0)
    if random.random() < 0.2:
        group["bias_mean"] = random.choice((-4.0, -2.0, -1.0, 1.0, 3.0))
    if random.random() < 0.2:
        group["norm"] = random.choice(("batch", "layer")) if block in ("dense", "conv") else "layer"
    if block in ("dense", "conv"):
        deepest = 40 if block == "dense" else 12
        group |= {"width": random.choice((16, 32)) if block == "dense" else 4}
        group["repeat"] = round(_log_uniform(random, 2, deepest))
        if random.random() < 0.25:
            group |= {"shortcut": random.choice(("identity", "rezero")), "layers": 2}
            group["repeat"] = max(1, group["repeat"] // 2)
    elif block == "attention":
        group |= {"width": 16, "heads": 2, "repeat": random.choice((1, 2, 4, 6))}
        if random.random() < 0.4:
            group |= {"shortcut": "identity", "order": random.choice(("pre", "post"))}
    else:
        group |= {"width": random.choice((12, 24)), "repeat": random.choice((1, 1, 2))}
        if random.random() < 0.6:
            group["recurrent_init"] = random.choice(("orthogonal", "normal", "identity"))
            group["recurrent_gain"] = _log_uniform(random, 0.3, 2.5)
    return group


def _data(random: Random, block: str) -> dict[str, Any]:
    batch_size = random.choice((16, 32, 64, 128))
    if block in ("dense", "conv"):
        source = "spirals" if block == "dense" and random.random() < 0.2 else "digits"
        return {"source": source, "batch_size": batch_size}
    rows = "rows" if block == "attention" or random.random() < 0.8 else "pixels"
    return {"source": "digits", "sequence": rows, "batch_size": batch_size}


def _optimizer(random: Random) -> dict[str, Any]:
    kind = random.choice(("sgd", *OPTIMIZERS))
    low, high = (1e-5, 3.0) if kind == "sgd" else (1e-6, 0.3)
    optimizer: dict[str, Any] = {"kind": kind, "lr": _log_uniform(random, low, high)}
    if OPTIMIZERS[kind].takes_momentum and random.random() < 0.5:
        optimizer["momentum"] = 0.9
    if random.random() < 0.1:
        optimizer["loss"] = "sum"
    if random.random() < 0.1:
        optimizer["schedule"] = random.choice(("cosine", "step"))
    if kind == "adamw" and random.random() < 0.5:
        optimizer["weight_decay"] = random.choice((0.01, 0.5))
    return optimizer


def _cures(random: Random) -> dict[str, Any]:
    cures: dict[str, Any] = {}
    if random.random() < 0.15:
        cures["clip_norm"] = random.choice((1e-6, 1e-3, 0.1, 1.0, 10.0))
    if random.random() < 0.1:
        cures[random.choice(("l1", "l2"))] = random.choice((1e-4, 0.01, 0.1))
    return cures
