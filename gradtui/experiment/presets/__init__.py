"""Load the experiments that ship with gradtui, one TOML file each."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from gradtui.experiment.errors import ExperimentError, nearest
from gradtui.experiment.short_string import from_short_string, is_short_string
from gradtui.experiment.spec import Experiment
from gradtui.experiment.toml import load, loads
from gradtui.ordinary_files import read_shipped

ORDER = (
    "sigmoid-20",
    "vanish-sigmoid-10",
    "vanish-sigmoid-xavier",
    "vanish-tanh-20",
    "vanish-relu-20",
    "cure-shallow",
    "cure-batchnorm",
    "cure-shortcut",
    "cure-tanh-xavier",
    "cure-relu-he",
    "cure-leaky",
    "cure-leaky-02",
    "cure-prelu",
    "cure-elu",
    "relu-20",
    "batchnorm-20",
    "spirals-sigmoid",
    "spirals-residual",
    "explode-relu-gain",
    "cure-explode-lr",
    "cure-explode-shallow",
    "cure-explode-clip",
    "cure-explode-gain",
    "explode-batch",
    "cure-explode-batch",
    "explode-tanh-stuck",
    "explode-tanh-swings",
    "explode-tanh-slow",
    "cure-l2",
    "cure-l1",
    "explode-pixels",
    "cure-pixels-clip",
    "explode-pixels-radius",
    "dead-bias",
    "cure-dead-prelu",
    "cure-dead-elu",
    "dead-adam",
    "cure-dead-leaky",
    "dead-one-layer",
    "cure-dead-one-leaky",
    "cure-dead-one-elu",
    "plain-5",
    "plain-21",
    "plain-57",
    "residual-5",
    "residual-21",
    "residual-57",
    "plain-batchnorm-5",
    "plain-batchnorm-21",
    "plain-batchnorm-57",
    "residual-batchnorm-5",
    "residual-batchnorm-21",
    "residual-batchnorm-57",
    "plain-1001",
    "residual-1001",
    "convnet-20",
    "convnet-56",
    "convnet-110",
    "resnet-20",
    "resnet-56",
    "resnet-110",
    "resnet-1202",
    "adding-rnn",
    "adding-lstm",
    "adding-gru",
    "attention-post",
    "attention-pre",
    "pretrain-none",
    "pretrain-xavier",
    "pretrain-autoencoder",
    "pretrain-rbm",
    "pretrain-adam",
    "underflow-fp16",
    "underflow-fp16-1024",
    "cure-underflow-scale",
    "cure-underflow-bf16",
)
"""The names, the default first, by subject: vanishing and exploding gradients with their cures, dead units, depth,
time, pretraining, precision."""


def names() -> tuple[str, ...]:
    """Return the names of all presets, the default first."""
    return ORDER


def describe(name: str) -> str:
    """Return one line on what the preset shows."""
    return load_preset(name).description


@cache
def load_preset(name: str) -> Experiment:
    """Return the preset of this name. Raises ExperimentError, with the nearest name, where there is none."""
    if name not in ORDER:
        raise ExperimentError(name, name, problem=f"no such preset{nearest(name, ORDER)}")
    file = f"{name}.toml"
    return loads(read_shipped(__name__, file).decode(), file)


def resolve(name_or_path: str | Path) -> Experiment:
    """Return a preset by its name, an experiment from a TOML file, or one from its short string.

    Raises ExperimentError where the argument is none of these, or the file or string is not a valid experiment.
    """
    text = str(name_or_path)
    if text in ORDER:
        return load_preset(text)
    if text.endswith(".toml") or "/" in text or os.path.exists(text):
        return load(name_or_path)
    if is_short_string(text):
        return from_short_string(text)
    raise ExperimentError(text, text, problem=f"no such preset or file{nearest(text, ORDER)}")
