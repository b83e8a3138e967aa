"""Define the edits of the cures as pure functions that return an experiment with one change.

An edit does not change groups that it does not concern.
"""

from __future__ import annotations

import math
from typing import Any, Literal

from msgspec.structs import replace

from gradtui.experiment.activations import ACTIVATIONS
from gradtui.experiment.data_shapes import data_shape, sequence_of
from gradtui.experiment.errors import ExperimentError
from gradtui.experiment.net_plan import RECURRENT
from gradtui.experiment.spec import Block, Experiment, Group

STACKED: frozenset[Block] = frozenset({"dense", "conv"})
"""Blocks with a separate activation; the activation of a recurrent cell is part of the cell."""


def fewer_layers(exp: Experiment, keep: int = 2) -> Experiment:
    """Return the experiment with about ``keep`` blocks, and at least one in each group."""
    blocks = sum(group.repeat for group in exp.net)
    if blocks <= keep:
        return exp
    net = tuple(replace(group, repeat=max(1, group.repeat * keep // blocks)) for group in exp.net)
    return replace(exp, net=net)


def use_relu(exp: Experiment) -> Experiment:
    """Return the experiment with ReLU and He initialisation."""
    return _activate(exp, "relu")


def use_leaky_relu(exp: Experiment, slope: float = 0.01) -> Experiment:
    """Return the experiment with leaky ReLU of this slope and He initialisation."""
    return _activate(exp, "leaky_relu", slope=slope)


def use_prelu(exp: Experiment) -> Experiment:
    """Return the experiment with a learned slope and He initialisation."""
    # The authors start at 0.25 (He et al. 2015); with 0.01, dead layers stay dead.
    return _activate(exp, "prelu", slope=0.25)


def use_elu(exp: Experiment) -> Experiment:
    """Return the experiment with ELU and LeCun initialisation."""
    return _activate(exp, "elu")


def use_tanh_xavier(exp: Experiment) -> Experiment:
    """Return the experiment with tanh and Xavier initialisation."""
    return _activate(exp, "tanh")


def _activate(exp: Experiment, name: str, **more: Any) -> Experiment:
    """Return the experiment with this activation and the weights that fit it; a linear stem stays linear."""
    net = tuple(
        group
        if group.block not in STACKED or _is_stem(group, exp)
        else replace(group, activation=name, init=ACTIVATIONS[name].init, gain=1.0, **more)
        for group in exp.net
    )
    return replace(exp, net=net)


def _is_stem(group: Group, exp: Experiment) -> bool:
    """Return whether a group is a single linear layer that only brings the input to the width of the others."""
    single = group.repeat * group.layers == 1 and group.activation == "identity"
    return single and any(other.activation != "identity" for other in exp.net)


def use_lstm(exp: Experiment) -> Experiment:
    """Return the experiment with LSTMs, whose forget gates start open, instead of plain recurrent layers."""
    return _each(exp, frozenset({"rnn"}), block="lstm", forget_bias=_memory(exp))


def lstm_memory(exp: Experiment) -> Experiment:
    """Return the experiment with the forget gates of its LSTMs open for as long as the sequence."""
    bias = _memory(exp)
    net = tuple(
        replace(group, forget_bias=max(group.forget_bias, bias)) if group.block == "lstm" else group
        for group in exp.net
    )
    return replace(exp, net=net)


def _memory(exp: Experiment) -> float:
    """Return the forget bias ln T: its gate sigmoid(ln T) = T / (T + 1) leaves a factor of 1/e after T steps."""
    try:
        sequence = sequence_of(exp.data, data_shape(exp.data))
    except (ExperimentError, OSError):
        return 1.0
    return max(1.0, round(math.log(sequence[0]), 2)) if sequence else 1.0


def use_gru(exp: Experiment) -> Experiment:
    """Return the experiment with GRUs instead of other recurrent layers."""
    return _each(exp, frozenset({"rnn", "lstm"}), block="gru")


def batch_norm(exp: Experiment) -> Experiment:
    """Return the experiment with batch normalisation in its stacked blocks."""
    return _each(exp, STACKED, norm="batch")


def layer_norm(exp: Experiment) -> Experiment:
    """Return the experiment with layer normalisation in every group."""
    return replace(exp, net=tuple(replace(group, norm="layer") for group in exp.net))


def gain_one(exp: Experiment) -> Experiment:
    """Return the experiment with gains above 1 set to 1; smaller ones stay as they are."""
    net = tuple(
        replace(group, gain=min(group.gain, 1.0), recurrent_gain=min(group.recurrent_gain, 1.0))
        for group in exp.net
    )
    return replace(exp, net=net)


def orthogonal_recurrence(exp: Experiment) -> Experiment:
    """Return the experiment with orthogonal recurrent weights."""
    return _each(exp, RECURRENT, recurrent_init="orthogonal", recurrent_gain=1.0)


def _each(exp: Experiment, blocks: frozenset[Block], **changes: Any) -> Experiment:
    """Return the experiment with changes in every group of these blocks."""
    net = tuple(replace(group, **changes) if group.block in blocks else group for group in exp.net)
    return replace(exp, net=net)


def pre_norm(exp: Experiment) -> Experiment:
    """Return the experiment with pre-norm blocks of attention.

    They have the norm before the weights, a shortcut around them, and branches that start small if there are several.
    """
    norms = {"none": "layer", "batch": "layer"}
    net = tuple(
        replace(
            group,
            norm=norms.get(group.norm, group.norm),
            order="pre",
            shortcut="identity",
            branch_gain="depth" if group.repeat > 1 else group.branch_gain,
        )
        if group.block == "attention"
        else group
        for group in exp.net
    )
    return replace(exp, net=net)


def shortcuts(exp: Experiment) -> Experiment:
    """Return the experiment with shortcuts around its blocks."""
    return replace(exp, net=tuple(map(_residual, exp.net)))


def _residual(group: Group) -> Group:
    """Return the group with shortcuts around its blocks, if blocks of its kind can have them."""
    if group.block not in STACKED or group.shortcut in ("rezero", "highway"):
        return group
    if group.repeat * group.layers == 1:
        # This is the stem of a residual net, which has no shortcut.
        return group
    if group.layers == 1:
        # The number of weight layers stays, with two per block; it grows by one if it was odd.
        group = replace(group, layers=2, repeat=(group.repeat + 1) // 2)
    # Without a norm and an activation there is nothing to put before the weights.
    bare = group.norm == "none" and group.activation == "identity"
    return replace(group, shortcut="identity", order=group.order if bare else "pre", branch_gain="depth")


def smaller_batch(exp: Experiment) -> Experiment:
    """Return the experiment with an eighth of the batch size."""
    return replace(exp, data=replace(exp.data, batch_size=max(1, exp.data.batch_size // 8)))


def smaller_lr(exp: Experiment) -> Experiment:
    """Return the experiment with a twentieth of the learning rate."""
    return replace(exp, optimizer=replace(exp.optimizer, lr=float(f"{exp.optimizer.lr / 20:.6g}")))


def mean_loss(exp: Experiment) -> Experiment:
    """Return the experiment with the mean as its loss."""
    return replace(exp, optimizer=replace(exp.optimizer, loss="mean"))


def clip_norm(exp: Experiment) -> Experiment:
    """Return the experiment with the gradient's norm clipped at 1, or at its own lower limit."""
    return replace(exp, cures=replace(exp.cures, clip_norm=min(exp.cures.clip_norm or 1.0, 1.0)))


def clip_value(exp: Experiment) -> Experiment:
    """Return the experiment with the gradient's values clipped at 0.5, or at its own lower limit."""
    return replace(exp, cures=replace(exp.cures, clip_value=min(exp.cures.clip_value or 0.5, 0.5)))


def l1(exp: Experiment) -> Experiment:
    """Return the experiment with an L1 penalty."""
    return replace(exp, cures=replace(exp.cures, l1=max(exp.cures.l1, 0.01)))


def l2(exp: Experiment) -> Experiment:
    """Return the experiment with an L2 penalty."""
    return replace(exp, cures=replace(exp.cures, l2=max(exp.cures.l2, 0.05)))


def pretrain_autoencoder(exp: Experiment) -> Experiment:
    """Return the experiment with pretraining by autoencoders."""
    return _pretrain(exp, "autoencoder")


def pretrain_rbm(exp: Experiment) -> Experiment:
    """Return the experiment with pretraining by Boltzmann machines."""
    exp = _pretrain(exp, "rbm")
    return replace(exp, data=replace(exp.data, scaling="unit"))


def _pretrain(exp: Experiment, kind: Literal["autoencoder", "rbm"]) -> Experiment:
    pretrain = replace(exp.cures.pretrain, kind=kind, epochs=8, lr=0.0, path="", freeze=0)
    return replace(exp, cures=replace(exp.cures, pretrain=pretrain))


def scale_loss(exp: Experiment) -> Experiment:
    """Return the experiment with an adaptive loss scale, if it trains in fp16."""
    return replace(exp, run=replace(exp.run, loss_scale=0.0)) if exp.run.precision == "fp16" else exp


def use_bf16(exp: Experiment) -> Experiment:
    """Return the experiment with bf16 instead of fp16."""
    return replace(exp, run=replace(exp.run, precision="bf16")) if exp.run.precision == "fp16" else exp
