"""Check the rules between fields, which single ranges and choices cannot express.

A field that does not concern the chosen kind (``kernel`` of a dense block, ``momentum`` of Adam) is ignored, not
refused, so that a person who switches a block's kind back and forth keeps their values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradtui.experiment.activations import ACTIVATIONS
from gradtui.experiment.data_shapes import TOKEN_SOURCES
from gradtui.experiment.errors import ExperimentError
from gradtui.experiment.net_plan import RECURRENT, SEQUENTIAL, check_flow, depth_of
from gradtui.experiment.optimizers import OPTIMIZERS

if TYPE_CHECKING:
    from collections.abc import Collection

    from gradtui.experiment.spec import Experiment, Group

MOST_LAYERS = 100_000
PICTURES = ("digits", "idx", "cifar10", "npz")
PATHS = {
    "idx": "the folder of MNIST's files, or its file of training images",
    "cifar10": "the folder of CIFAR-10's binary batches",
    "npz": "a .npz file with arrays x and y",
}


def check(exp: Experiment) -> None:
    """Raise ExperimentError for the first rule that the experiment breaks. This opens no file."""
    for index, group in enumerate(exp.net):
        _check_name(f"net.{index}.activation", group.activation, ACTIVATIONS)
    _check_name("optimizer.kind", exp.optimizer.kind, OPTIMIZERS)
    if exp.data.source in PATHS and not exp.data.path:
        raise ExperimentError("data.path", exp.data.path, PATHS[exp.data.source])
    check_flow(exp)
    for index, group in enumerate(exp.net):
        _check_group(f"net.{index}", group)
        if group.norm == "batch" and group.block == "dense" and exp.data.batch_size == 1:
            raise ExperimentError(
                "data.batch_size", 1, "2 or more with norm batch: one example has no deviation to divide by"
            )
    _check_size(exp)
    _check_pretraining(exp)


def _check_name(at: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        raise ExperimentError(at, name, "one of " + ", ".join(known))


def _check_group(at: str, group: Group) -> None:
    block = group.block
    if block in SEQUENTIAL and group.norm == "batch":
        raise ExperimentError(
            f"{at}.norm",
            "batch",
            f"none, layer, group or rms with {block}: the statistics of a batch differ from step to step",
        )
    if block == "conv" and group.kernel % 2 == 0:
        raise ExperimentError(f"{at}.kernel", group.kernel, "an odd number: an even kernel has no centre")
    if block == "attention":
        _check_attention(at, group)
    if block in RECURRENT and group.shortcut in ("rezero", "highway"):
        raise ExperimentError(
            f"{at}.shortcut",
            group.shortcut,
            f"none or identity (adds the block's input to its output at every step) with {block}: "
            "its cells have no branch to scale or gate",
        )
    if group.init == "fixup":
        _check_fixup(at, group)


def _check_attention(at: str, group: Group) -> None:
    if group.width % group.heads:
        fitting = [heads for heads in range(1, 257) if group.width % heads == 0]
        raise ExperimentError(
            f"{at}.heads",
            group.heads,
            f"a divisor of the width {group.width}, such as {_some(fitting, group.heads)}",
        )
    if group.layers != 1:
        raise ExperimentError(
            f"{at}.layers", group.layers, "1 with attention: its block has four weight layers of its own"
        )
    if group.shortcut == "highway":
        raise ExperimentError(
            f"{at}.shortcut",
            "highway",
            "none, identity or rezero with attention: its two branches share no gate",
        )


def _check_fixup(at: str, group: Group) -> None:
    reason = "fixup starts each branch at zero, and only an identity shortcut passes the signal around it"
    if group.block in RECURRENT:
        raise ExperimentError(
            f"{at}.init", "fixup", f"another init with {group.block}: fixup is for branches"
        )
    if group.shortcut != "identity":
        raise ExperimentError(f"{at}.shortcut", group.shortcut, f"identity with init fixup: {reason}")
    if group.norm != "none":
        raise ExperimentError(f"{at}.norm", group.norm, "none with init fixup: it replaces normalisation")


def _check_size(exp: Experiment) -> None:
    if depth_of(exp) > MOST_LAYERS:
        largest = max(range(len(exp.net)), key=lambda index: exp.net[index].repeat)
        raise ExperimentError(
            f"net.{largest}.repeat",
            exp.net[largest].repeat,
            f"at most {MOST_LAYERS} weight layers in the whole net; it has {depth_of(exp)}",
        )


def _check_pretraining(exp: Experiment) -> None:
    pretrain = exp.cures.pretrain
    at = "cures.pretrain"
    if pretrain.kind == "none":
        if pretrain.freeze:
            raise ExperimentError(
                f"{at}.freeze", pretrain.freeze, "0 without pretraining: the frozen layers would stay random"
            )
        return
    if pretrain.freeze >= depth_of(exp):
        raise ExperimentError(
            f"{at}.freeze",
            pretrain.freeze,
            f"fewer than the net's {depth_of(exp)} layers: the last one has to learn",
        )
    if pretrain.kind == "checkpoint":
        if not pretrain.path:
            raise ExperimentError(
                f"{at}.path", "", "a .safetensors file or a run's folder with kind checkpoint"
            )
        return
    if exp.data.source in TOKEN_SOURCES:
        raise ExperimentError(
            f"{at}.kind",
            pretrain.kind,
            f"none or checkpoint on {exp.data.source}: tokens cannot be reconstructed",
        )
    for index, group in enumerate(exp.net):
        _check_layerwise(f"net.{index}", group, pretrain.kind)
    if pretrain.kind == "rbm":
        _check_units(exp)


def _check_layerwise(at: str, group: Group, kind: str) -> None:
    if group.block != "dense":
        raise ExperimentError(f"{at}.block", group.block, f"dense with cures.pretrain.kind {kind}")
    if group.shortcut != "none":
        raise ExperimentError(
            f"{at}.shortcut",
            group.shortcut,
            f"none with cures.pretrain.kind {kind}: it trains one layer on the layer below",
        )
    if group.order != "post":
        raise ExperimentError(
            f"{at}.order",
            group.order,
            f"post with cures.pretrain.kind {kind}: the weights must come before their activation",
        )


def _check_units(exp: Experiment) -> None:
    """Check that all units of a restricted Boltzmann machine, also the visible ones, can be probabilities."""
    for index, group in enumerate(exp.net):
        for name, needed in (("activation", "sigmoid"), ("norm", "none")):
            value = getattr(group, name)
            if value != needed:
                raise ExperimentError(
                    f"net.{index}.{name}",
                    value,
                    f"{needed} with cures.pretrain.kind rbm: its units are probabilities",
                )
    if exp.data.source not in PICTURES:
        raise ExperimentError(
            "data.source",
            exp.data.source,
            "digits, idx, cifar10 or npz with cures.pretrain.kind rbm: inputs in [0, 1]",
        )
    if exp.data.scaling != "unit":
        raise ExperimentError(
            "data.scaling",
            exp.data.scaling,
            "unit with cures.pretrain.kind rbm: it reads its inputs as probabilities",
        )


def _some(numbers: list[int], near: int) -> str:
    nearest = sorted(sorted(numbers, key=lambda number: abs(number - near))[:3])
    return ", ".join(map(str, nearest[:-1])) + f" or {nearest[-1]}" if len(nearest) > 1 else str(nearest[0])
