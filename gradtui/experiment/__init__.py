"""Describe what to train as plain frozen data, which is parsed, checked, changed and counted without torch."""

from __future__ import annotations

from gradtui.experiment.data_shapes import data_shape
from gradtui.experiment.errors import ExperimentError
from gradtui.experiment.layers import LayerShape, NetShape
from gradtui.experiment.net_plan import net_shape
from gradtui.experiment.overrides import parse_assignments, set_fields
from gradtui.experiment.presets import resolve
from gradtui.experiment.recorded_shape import DataShape
from gradtui.experiment.spec import Cures, Data, Experiment, Group, Optimizer, Pretrain, RunSettings
from gradtui.experiment.toml import dumps, from_dict, load, loads, to_dict

__all__ = [
    "Cures",
    "Data",
    "DataShape",
    "Experiment",
    "ExperimentError",
    "Group",
    "LayerShape",
    "NetShape",
    "Optimizer",
    "Pretrain",
    "RunSettings",
    "data_shape",
    "dumps",
    "from_dict",
    "load",
    "loads",
    "net_shape",
    "parse_assignments",
    "resolve",
    "set_fields",
    "to_dict",
]
