"""Cures that change the net: its depth, activations, normalisation, shortcuts and initial weights.

Each is a pure function of an experiment. The first paragraph of its docstring is why it helps, the line
``Price:`` what it costs; the screens and the diagnosis show these texts. Groups that a cure does not
concern are left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from gradtui.experiment.activations import ACTIVATIONS
from gradtui.experiment.net_plan import RECURRENT

if TYPE_CHECKING:
    from gradtui.experiment.spec import Block, Experiment, Group

STACKED: frozenset[Block] = frozenset({"dense", "conv"})
"""Blocks whose activation stands between weights; a recurrent cell's is part of the cell."""


def fewer_layers(exp: Experiment, keep: int = 2) -> Experiment:
    """The gradient is a product of one factor a layer: with fewer factors it cannot get far from 1.

    Price: a shallow net computes less with the same width; hard tasks need the depth.
    """
    blocks = sum(group.repeat for group in exp.net)
    if blocks <= keep:
        return exp
    net = tuple(replace(group, repeat=max(1, group.repeat * keep // blocks)) for group in exp.net)
    return replace(exp, net=net)


def use_relu(exp: Experiment) -> Experiment:
    """ReLU's slope is 1 wherever a unit is active, so with He's weights the gradient keeps its size on
    average.

    Price: a unit that is never active gets no gradient and may stay dead; outputs are not centred on zero.
    """
    return _activate(exp, "relu")


def use_leaky_relu(exp: Experiment, slope: float = 0.01) -> Experiment:
    """Like ReLU, but a small slope where a unit is inactive lets it come back: no unit dies for good.

    Price: one more number to choose, and almost nothing in time; inactive units learn slowly.
    """
    return _activate(exp, "leaky_relu", slope=slope)


def use_prelu(exp: Experiment) -> Experiment:
    """Like leaky ReLU, but each layer learns its slope, so no unit dies and nobody has to choose.

    Price: one parameter a layer, and the activation takes about seven times as long as leaky ReLU on a CPU.
    """
    # 0.25 is where its authors start (He et al. 2015); from 0.01 dead layers stay dead.
    return _activate(exp, "prelu", slope=0.25)


def use_elu(exp: Experiment) -> Experiment:
    """ELU is smooth, never flat near zero, and its outputs are nearer to a mean of zero than ReLU's.

    Price: an exponential for every unit: about five times the time of leaky ReLU on large layers.
    """
    return _activate(exp, "elu")


def use_tanh_xavier(exp: Experiment) -> Experiment:
    """tanh has slope 1 at zero, where sigmoid has 1/4, and Xavier's weights keep its inputs near zero.

    Price: it still saturates: very deep nets lose the gradient more slowly, but they lose it.
    """
    return _activate(exp, "tanh")


def use_lstm(exp: Experiment) -> Experiment:
    """An LSTM's cell state is carried on by addition, and with an open forget gate its gradient by a factor
    near 1.

    Price: four times the weights and time of a plain recurrent net of the same width.
    """
    return _recurrent(exp, block="lstm", forget_bias=1.0)


def use_gru(exp: Experiment) -> Experiment:
    """A GRU's update gate can copy the state unchanged over many steps, and with it the gradient.

    Price: three times the weights and time of a plain recurrent net of the same width.
    """
    return _recurrent(exp, block="gru")


def batch_norm(exp: Experiment) -> Experiment:
    """Each unit is brought to mean 0 and deviation 1 over the batch, so activations stay where slopes are
    healthy.

    Price: needs batches of some size, acts differently in training and use, and a plain batch-normed ReLU
    net still gains 0.083 decades a layer towards the input: very deep ones explode at the start.
    """
    return _each(exp, STACKED, norm="batch")


def layer_norm(exp: Experiment) -> Experiment:
    """Each example is brought to mean 0 and deviation 1 over a layer's units, whatever the batch or the
    time step.

    Price: two numbers a unit and a little time at every layer; on conv nets mostly worse than batch
    normalisation.
    """
    return replace(exp, net=tuple(replace(group, norm="layer") for group in exp.net))


def shortcuts(exp: Experiment) -> Experiment:
    """The input of a block is added to its output, so the gradient has a path without any factor to every
    block.

    Price: signals add up with depth, so branches must start small (here 1/√blocks), and widths must agree.
    """
    return replace(exp, net=tuple(map(_residual, exp.net)))


def orthogonal_recurrence(exp: Experiment) -> Experiment:
    """An orthogonal matrix neither stretches nor shrinks: the gradient through its powers keeps its length.

    Price: only a start: training may leave it, and the cell's activation still takes its share at every step.
    """
    net = tuple(
        replace(group, recurrent_init="orthogonal", recurrent_gain=1.0) if group.block in RECURRENT else group
        for group in exp.net
    )
    return replace(exp, net=net)


def gain_one(exp: Experiment) -> Experiment:
    """Weights back to the size that their rule of initialisation gives: a gain of g multiplies the gradient
    by g at every layer, and the same recurrent gain at every step of time.

    Price: none at the start of a training; it does nothing for one that is under way.
    """
    return replace(exp, net=tuple(replace(group, gain=1.0, recurrent_gain=1.0) for group in exp.net))


def _activate(exp: Experiment, name: str, **more: Any) -> Experiment:
    """Return the experiment with this activation and the weights that fit it."""
    return _each(exp, STACKED, activation=name, init=ACTIVATIONS[name].init, gain=1.0, **more)


def _recurrent(exp: Experiment, **changes: Any) -> Experiment:
    return _each(exp, frozenset({"rnn"}), **changes)


def _each(exp: Experiment, blocks: frozenset[Block], **changes: Any) -> Experiment:
    net = tuple(replace(group, **changes) if group.block in blocks else group for group in exp.net)
    return replace(exp, net=net)


def _residual(group: Group) -> Group:
    if group.block == "attention":
        return replace(group, shortcut="identity", order="pre")
    if group.block not in STACKED or group.shortcut in ("rezero", "highway"):
        return group
    if group.repeat * group.layers == 1:
        # The stem of a residual net: nothing to go around.
        return group
    if group.layers == 1:
        # As many weight layers as before, two to a block; an odd one more.
        group = replace(group, layers=2, repeat=(group.repeat + 1) // 2)
    return replace(group, shortcut="identity", order="pre", branch_gain="depth")
