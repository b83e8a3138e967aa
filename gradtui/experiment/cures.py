"""The cures: changes of an experiment that help against a vanishing or exploding gradient.

The diagnosis offers them and studies compare them. Their reasons and prices are data, not docstrings, so that
``python -OO`` and a zipped install still show them. Each edit is a pure function of an experiment and leaves groups
alone that the cure does not concern.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from msgspec.structs import replace

from gradtui.experiment.activations import ACTIVATIONS
from gradtui.experiment.errors import ExperimentError
from gradtui.experiment.net_plan import RECURRENT
from gradtui.experiment.overrides import diff
from gradtui.experiment.spec import Block, Experiment, Group
from gradtui.experiment.toml import from_dict, to_dict

STACKED: frozenset[Block] = frozenset({"dense", "conv"})
"""Blocks whose activation stands between weights; the activation of a recurrent cell is part of the cell."""


@dataclass(frozen=True)
class Cure:
    """A Cure is a change of an experiment, with its reason and its price."""

    key: str
    """The cure's word in files and on the command line."""
    name: str
    """The cure's name on the screen."""
    why: str
    """The reason why it helps, in one sentence."""
    price: str
    """The cost of the cure."""
    edit: Callable[[Experiment], Experiment]

    def apply(self, exp: Experiment) -> Experiment:
        """Return the cured experiment; the same one if the cure does not concern it or cannot be applied."""
        try:
            return from_dict(to_dict(self.edit(exp)))
        except ExperimentError:
            return exp

    def set_of(self, exp: Experiment) -> dict[str, object]:
        """Return what the cure changes in this experiment, as dotted paths; empty if it changes nothing."""
        return diff(exp, self.apply(exp))


def cure(key: str) -> Cure:
    """Return the cure of this key. Raises KeyError."""
    return _BY_KEY[key]


def fewer_layers(exp: Experiment, keep: int = 2) -> Experiment:
    """Return the experiment with about ``keep`` blocks, and at least one in each group."""
    blocks = sum(group.repeat for group in exp.net)
    if blocks <= keep:
        return exp
    net = tuple(replace(group, repeat=max(1, group.repeat * keep // blocks)) for group in exp.net)
    return replace(exp, net=net)


def _use_relu(exp: Experiment) -> Experiment:
    return _activate(exp, "relu")


def _use_leaky_relu(exp: Experiment, slope: float = 0.01) -> Experiment:
    return _activate(exp, "leaky_relu", slope=slope)


def _use_prelu(exp: Experiment) -> Experiment:
    # 0.25 is where its authors start (He et al. 2015); from 0.01 dead layers stay dead.
    return _activate(exp, "prelu", slope=0.25)


def _use_elu(exp: Experiment) -> Experiment:
    return _activate(exp, "elu")


def _use_tanh_xavier(exp: Experiment) -> Experiment:
    return _activate(exp, "tanh")


def _activate(exp: Experiment, name: str, **more: Any) -> Experiment:
    """Return the experiment with this activation and the weights that fit it."""
    return _each(exp, STACKED, activation=name, init=ACTIVATIONS[name].init, gain=1.0, **more)


def _use_lstm(exp: Experiment) -> Experiment:
    return _each(exp, frozenset({"rnn"}), block="lstm", forget_bias=1.0)


def _use_gru(exp: Experiment) -> Experiment:
    return _each(exp, frozenset({"rnn"}), block="gru")


def _batch_norm(exp: Experiment) -> Experiment:
    return _each(exp, STACKED, norm="batch")


def _layer_norm(exp: Experiment) -> Experiment:
    return replace(exp, net=tuple(replace(group, norm="layer") for group in exp.net))


def _gain_one(exp: Experiment) -> Experiment:
    return replace(exp, net=tuple(replace(group, gain=1.0, recurrent_gain=1.0) for group in exp.net))


def _orthogonal_recurrence(exp: Experiment) -> Experiment:
    return _each(exp, RECURRENT, recurrent_init="orthogonal", recurrent_gain=1.0)


def _each(exp: Experiment, blocks: frozenset[Block], **changes: Any) -> Experiment:
    """Return the experiment with changes in every group of these blocks."""
    net = tuple(replace(group, **changes) if group.block in blocks else group for group in exp.net)
    return replace(exp, net=net)


def _shortcuts(exp: Experiment) -> Experiment:
    return replace(exp, net=tuple(map(_residual, exp.net)))


def _residual(group: Group) -> Group:
    """Return the group with shortcuts around its blocks, as far as its kind of block can have them."""
    if group.block == "attention":
        return replace(group, shortcut="identity", order="pre")
    if group.block not in STACKED or group.shortcut in ("rezero", "highway"):
        return group
    if group.repeat * group.layers == 1:
        # The stem of a residual net: there is nothing to go around.
        return group
    if group.layers == 1:
        # As many weight layers as before, two to a block; one more if their number is odd.
        group = replace(group, layers=2, repeat=(group.repeat + 1) // 2)
    return replace(group, shortcut="identity", order="pre", branch_gain="depth")


def _smaller_batch(exp: Experiment) -> Experiment:
    return replace(exp, data=replace(exp.data, batch_size=max(1, exp.data.batch_size // 8)))


def _smaller_lr(exp: Experiment) -> Experiment:
    return replace(exp, optimizer=replace(exp.optimizer, lr=float(f"{exp.optimizer.lr / 20:.6g}")))


def _mean_loss(exp: Experiment) -> Experiment:
    return replace(exp, optimizer=replace(exp.optimizer, loss="mean"))


def _clip_norm(exp: Experiment) -> Experiment:
    return replace(exp, cures=replace(exp.cures, clip_norm=min(exp.cures.clip_norm or 1.0, 1.0)))


def _clip_value(exp: Experiment) -> Experiment:
    return replace(exp, cures=replace(exp.cures, clip_value=min(exp.cures.clip_value or 0.5, 0.5)))


def _l1(exp: Experiment) -> Experiment:
    return replace(exp, cures=replace(exp.cures, l1=max(exp.cures.l1, 0.01)))


def _l2(exp: Experiment) -> Experiment:
    return replace(exp, cures=replace(exp.cures, l2=max(exp.cures.l2, 0.05)))


def _pretrain_autoencoder(exp: Experiment) -> Experiment:
    return _pretrain(exp, "autoencoder")


def _pretrain_rbm(exp: Experiment) -> Experiment:
    exp = _pretrain(exp, "rbm")
    return replace(exp, data=replace(exp.data, scaling="unit"))


def _pretrain(exp: Experiment, kind: Literal["autoencoder", "rbm"]) -> Experiment:
    pretrain = replace(exp.cures.pretrain, kind=kind, epochs=8, lr=0.0, path="", freeze=0)
    return replace(exp, cures=replace(exp.cures, pretrain=pretrain))


def _scale_loss(exp: Experiment) -> Experiment:
    return replace(exp, run=replace(exp.run, loss_scale=0.0)) if exp.run.precision == "fp16" else exp


def _use_bf16(exp: Experiment) -> Experiment:
    return replace(exp, run=replace(exp.run, precision="bf16")) if exp.run.precision == "fp16" else exp


CURES: tuple[Cure, ...] = (
    Cure(
        "relu",
        "ReLU and He's weights",
        "ReLU's slope is 1 wherever a unit is active, so with He's weights the gradient keeps its size "
        "on average.",
        "a unit that is never active gets no gradient and may stay dead; outputs are not centred on zero.",
        _use_relu,
    ),
    Cure(
        "leaky-relu",
        "leaky ReLU 0.01",
        "Like ReLU, but a small slope where a unit is inactive lets it come back: no unit dies for good.",
        "one more number to choose, and almost nothing in time; inactive units learn slowly.",
        _use_leaky_relu,
    ),
    Cure(
        "leaky-relu-0.02",
        "leaky ReLU 0.02",
        "Like ReLU, but a small slope where a unit is inactive lets it come back: no unit dies for good.",
        "one more number to choose, and almost nothing in time; inactive units learn slowly.",
        partial(_use_leaky_relu, slope=0.02),
    ),
    Cure(
        "prelu",
        "learned slope (PReLU)",
        "Like leaky ReLU, but each layer learns its slope, so no unit dies and nobody has to choose.",
        "one parameter a layer, and the activation takes about seven times as long as leaky ReLU on a CPU.",
        _use_prelu,
    ),
    Cure(
        "elu",
        "ELU and LeCun's weights",
        "ELU is smooth, never flat near zero, and its outputs are nearer to a mean of zero than ReLU's.",
        "an exponential for every unit: about five times the time of leaky ReLU on large layers.",
        _use_elu,
    ),
    Cure(
        "tanh-xavier",
        "tanh and Xavier's weights",
        "tanh has slope 1 at zero, where sigmoid has 1/4, and Xavier's weights keep its inputs near zero.",
        "it still saturates: very deep nets lose the gradient more slowly, but they lose it.",
        _use_tanh_xavier,
    ),
    Cure(
        "batch-norm",
        "batch normalisation",
        "Each unit is brought to mean 0 and deviation 1 over the batch, so activations stay where slopes "
        "are healthy.",
        "needs batches of some size, acts differently in training and use, and a plain batch-normed ReLU "
        "net still gains 0.083 decades a layer towards the input: very deep ones explode at the start.",
        _batch_norm,
    ),
    Cure(
        "layer-norm",
        "layer normalisation",
        "Each example is brought to mean 0 and deviation 1 over a layer's units, whatever the batch or "
        "the time step.",
        "two numbers a unit and a little time at every layer; on conv nets mostly worse than batch "
        "normalisation.",
        _layer_norm,
    ),
    Cure(
        "shortcuts",
        "residual shortcuts",
        "The input of a block is added to its output, so the gradient has a path without any factor to "
        "every block.",
        "signals add up with depth, so branches must start small (here 1/√blocks), and widths must agree.",
        _shortcuts,
    ),
    Cure(
        "fewer-layers",
        "fewer layers",
        "The gradient is a product of one factor a layer: with fewer factors it cannot get far from 1.",
        "a shallow net computes less with the same width; hard tasks need the depth.",
        fewer_layers,
    ),
    Cure(
        "smaller-lr",
        "smaller learning rate",
        "A twentieth of the rate: the same large gradients no longer throw the weights out of the region "
        "they know.",
        "everything that was not too fast becomes twenty times slower.",
        _smaller_lr,
    ),
    Cure(
        "smaller-batch",
        "smaller batch",
        "A loss summed over the batch has a gradient that grows with the batch: an eighth of it is an "
        "eighth as large.",
        "noisier gradients, more steps for an epoch; of a mean loss it changes only the noise.",
        _smaller_batch,
    ),
    Cure(
        "mean-loss",
        "mean loss",
        "The mean over the batch makes the gradient's size independent of the batch, so one rate suits "
        "all of them.",
        "steps become smaller by the batch size; the rate may have to grow again.",
        _mean_loss,
    ),
    Cure(
        "clip-norm",
        "clip the gradient's norm",
        "The gradient is scaled down to norm 1 where it is longer: its direction stays, its explosion goes.",
        "a threshold to choose; where every step is clipped, the rate alone decides the size of the steps.",
        _clip_norm,
    ),
    Cure(
        "clip-value",
        "clip the gradient's values",
        "No number of the gradient may exceed 0.5 in size: a few exploding weights cannot carry the "
        "others away.",
        "it turns the gradient's direction towards the diagonal wherever it acts.",
        _clip_value,
    ),
    Cure(
        "l2",
        "L2 penalty",
        "A penalty on the squared weights shrinks the largest most, and smaller weights multiply the "
        "gradient by less.",
        "slow (a fraction rate × penalty a step), and a bias in the solution; too much of it starves the "
        "net.",
        _l2,
    ),
    Cure(
        "l1",
        "L1 penalty",
        "A penalty on the size of the weights pulls them to zero, and smaller weights multiply the "
        "gradient by less.",
        "slow, a bias in the solution, and many weights end at exactly nothing; too much of it starves "
        "the net.",
        _l1,
    ),
    Cure(
        "gain-one",
        "gain 1",
        "Weights back to the size that their rule of initialisation gives: a gain of g multiplies the "
        "gradient by g at every layer, and the same recurrent gain at every step of time.",
        "none at the start of a training; it does nothing for one that is under way.",
        _gain_one,
    ),
    Cure(
        "lstm",
        "LSTM",
        "An LSTM's cell state is carried on by addition, and with an open forget gate its gradient by a "
        "factor near 1.",
        "four times the weights and time of a plain recurrent net of the same width.",
        _use_lstm,
    ),
    Cure(
        "gru",
        "GRU",
        "A GRU's update gate can copy the state unchanged over many steps, and with it the gradient.",
        "three times the weights and time of a plain recurrent net of the same width.",
        _use_gru,
    ),
    Cure(
        "orthogonal",
        "orthogonal recurrence",
        "An orthogonal matrix neither stretches nor shrinks: the gradient through its powers keeps its "
        "length.",
        "only a start: training may leave it, and the cell's activation still takes its share at every step.",
        _orthogonal_recurrence,
    ),
    Cure(
        "pretrain-autoencoder",
        "pretraining by autoencoders",
        "Each layer first learns to reconstruct the output of the layer below: no gradient has to cross "
        "the depth.",
        "epochs for every layer before the training proper; Adam, ReLU or a norm mostly make it needless "
        "today.",
        _pretrain_autoencoder,
    ),
    Cure(
        "pretrain-rbm",
        "pretraining by Boltzmann machines",
        "Each layer first learns the statistics of the layer below as a restricted Boltzmann machine, "
        "without any gradient through the depth (contrastive divergence).",
        "as for autoencoders; and only for sigmoid units, with inputs between 0 and 1.",
        _pretrain_rbm,
    ),
    Cure(
        "scale-loss",
        "loss scaling",
        "fp16 knows nothing below 6e-8: the loss is multiplied before the backward pass, so that small "
        "gradients survive, and the gradient divided again before the step.",
        "a step is lost each time the scale proves too large; it adapts by itself.",
        _scale_loss,
    ),
    Cure(
        "bf16",
        "bf16",
        "bf16 reaches as far down as fp32, to 1e-38, so no gradient is lost and no loss needs scaling.",
        "only 8 bits of precision instead of fp16's 11, and only newer devices compute it fast.",
        _use_bf16,
    ),
)
"""Every cure, in the order in which they are listed."""

_BY_KEY = {cure.key: cure for cure in CURES}
