"""List the cures: changes of an experiment that help against a vanishing or exploding gradient.

The diagnosis offers them and studies compare them. Their reasons and prices are data, not docstrings, so that
``python -OO`` and a zipped install still show them. Each edit is a pure function of an experiment, and does not change
groups that the cure does not concern.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from gradtui.experiment import cure_edits
from gradtui.experiment.errors import ExperimentError
from gradtui.experiment.overrides import diff
from gradtui.experiment.spec import Experiment
from gradtui.experiment.toml import from_dict, to_dict


@dataclass(frozen=True)
class Cure:
    """A Cure is a change of an experiment, with its reason and its price."""

    key: str
    """The cure's name in files and on the command line."""
    name: str
    """The cure's name on the screen."""
    why: str
    """The reason why it helps, in one sentence."""
    price: str
    """The cost of the cure."""
    edit: Callable[[Experiment], Experiment]

    def apply(self, exp: Experiment) -> Experiment:
        """Return the changed experiment; the same one if the cure does not concern it or cannot be applied."""
        try:
            return from_dict(to_dict(self.edit(exp)))
        except ExperimentError:
            return exp

    def set_of(self, exp: Experiment) -> dict[str, object]:
        """Return the cure's changes of this experiment as dotted paths with values; empty if it changes nothing."""
        return diff(exp, self.apply(exp))


def cure(key: str) -> Cure:
    """Return the cure with this key. Raises KeyError."""
    return _BY_KEY[key]


CURES: tuple[Cure, ...] = (
    Cure(
        "relu",
        "ReLU + He initialisation",
        "ReLU's slope is 1 wherever a unit is active, so with He initialisation and biases at 0 the gradient keeps its "
        "size on average at the start.",
        "a unit that is never active gets no gradient and may stay dead.",
        cure_edits.use_relu,
    ),
    Cure(
        "leaky-relu",
        "leaky ReLU 0.01",
        "Like ReLU, but a small slope where a unit is inactive lets it come back: no unit dies for good.",
        "one more number to choose, and almost nothing in time; inactive units learn slowly.",
        cure_edits.use_leaky_relu,
    ),
    Cure(
        "leaky-relu-0.02",
        "leaky ReLU 0.02",
        "Like ReLU, but a small slope where a unit is inactive lets it come back: no unit dies for good.",
        "one more number to choose, and almost nothing in time; inactive units learn slowly.",
        partial(cure_edits.use_leaky_relu, slope=0.02),
    ),
    Cure(
        "prelu",
        "learned slope (PReLU)",
        "Like leaky ReLU, but each layer learns its slope, so no unit dies and no slope has to be chosen.",
        "one parameter a layer, and the activation takes about seven times as long as leaky ReLU on a CPU.",
        cure_edits.use_prelu,
    ),
    Cure(
        "elu",
        "ELU + LeCun initialisation",
        "ELU is smooth, never flat near zero, and its outputs are nearer to a mean of zero than ReLU's.",
        "an exponential for every unit: about five times the time of leaky ReLU on large layers.",
        cure_edits.use_elu,
    ),
    Cure(
        "tanh-xavier",
        "tanh + Xavier initialisation",
        "tanh has slope 1 at zero, and Xavier initialisation keeps its inputs near zero.",
        "it still saturates: in very deep nets the gradient vanishes all the same.",
        cure_edits.use_tanh_xavier,
    ),
    Cure(
        "batch-norm",
        "batch normalisation",
        "Each unit is brought to mean 0 and deviation 1 over the batch, so signals keep their size from layer to "
        "layer, whatever the weights.",
        "it needs batches of some size, and behaves differently in training and in use.",
        cure_edits.batch_norm,
    ),
    Cure(
        "layer-norm",
        "layer normalisation",
        "Each example is brought to mean 0 and deviation 1 over a layer's units, so signals keep their size, whatever "
        "the weights.",
        "two numbers a unit, and a little time at every layer.",
        cure_edits.layer_norm,
    ),
    Cure(
        "shortcuts",
        "residual shortcuts",
        "The input of each block is added to its output, so the gradient has a path without any factor to every block.",
        "the sum grows a little with every block.",
        cure_edits.shortcuts,
    ),
    Cure(
        "pre-norm",
        "pre-norm blocks",
        "Layer normalisation before the weights and a shortcut around them: the gradient has a path without any "
        "factor to every block of attention.",
        "the sum grows a little with every block, and the last blocks change it by little.",
        cure_edits.pre_norm,
    ),
    Cure(
        "fewer-layers",
        "fewer layers",
        "The gradient is a product of one factor a layer, and fewer layers are fewer factors.",
        "a shallow net computes less with the same width; hard tasks need the depth.",
        cure_edits.fewer_layers,
    ),
    Cure(
        "smaller-lr",
        "smaller learning rate",
        "At a twentieth of the rate, steps stay nearer to the weights for which their gradient is right.",
        "everything that was not too fast trains twenty times slower.",
        cure_edits.smaller_lr,
    ),
    Cure(
        "smaller-batch",
        "smaller batch",
        "A loss summed over the batch has a gradient that grows with the batch: an eighth of it is an "
        "eighth as large.",
        "noisier gradients, more steps for an epoch; of a mean loss it changes only the noise.",
        cure_edits.smaller_batch,
    ),
    Cure(
        "mean-loss",
        "mean loss",
        "The mean over the batch makes the gradient's size independent of the batch, so one rate suits "
        "all of them.",
        "steps become smaller by the batch size; the rate may have to grow again.",
        cure_edits.mean_loss,
    ),
    Cure(
        "clip-norm",
        "clip the gradient's norm",
        "The gradient is scaled down to norm 1 where it is longer, so no step is long. The ratio between the layers "
        "stays, and with it a profile that is steep from the start.",
        "a threshold to choose; where every step is clipped, the rate alone decides the size of the steps.",
        cure_edits.clip_norm,
    ),
    Cure(
        "clip-value",
        "clip the gradient's values",
        "No number of the gradient may exceed 0.5 in size: a few exploding weights cannot carry the "
        "others away.",
        "it turns the gradient's direction towards the diagonal wherever it acts.",
        cure_edits.clip_value,
    ),
    Cure(
        "l2",
        "L2 penalty",
        "Over a long training a penalty on the squared weights keeps them from growing, and smaller weights multiply "
        "the gradient by less.",
        "slow (a fraction rate × penalty a step), and a bias in the solution; too much of it makes the gradient "
        "vanish.",
        cure_edits.l2,
    ),
    Cure(
        "l1",
        "L1 penalty",
        "Over a long training a penalty on the size of the weights pulls them to zero, and smaller weights multiply "
        "the gradient by less.",
        "slow, a bias in the solution, and many weights end at exactly nothing; too much of it makes the gradient "
        "vanish.",
        cure_edits.l1,
    ),
    Cure(
        "gain-one",
        "gain 1",
        "A gain above 1 back to the size that the rule of initialisation gives: a gain of g multiplies the "
        "gradient by g at every layer, and a recurrent gain does so at every step of time.",
        "the rate may have to grow with it; it only takes effect from a fresh start.",
        cure_edits.gain_one,
    ),
    Cure(
        "lstm",
        "LSTM",
        "An LSTM's cell state is carried on by addition, and its gradient by the forget gate, whose bias of ln T opens "
        "it for the T steps of the sequence.",
        "four times the weights and time of a plain recurrent net of the same width.",
        cure_edits.use_lstm,
    ),
    Cure(
        "lstm-memory",
        "forget gates open for the whole sequence",
        "A forget bias of ln T keeps a factor of T / (T + 1) at every step, so over T steps a third of the gradient "
        "is left; at a bias of 1 a step keeps 0.73.",
        "the cell forgets slowly at first, also what it need not keep.",
        cure_edits.lstm_memory,
    ),
    Cure(
        "gru",
        "GRU",
        "A GRU's update gate can learn to copy the state unchanged over many steps, and with it the gradient; at its "
        "start half of the state passes at every step.",
        "three times the weights and time of a plain recurrent net of the same width.",
        cure_edits.use_gru,
    ),
    Cure(
        "orthogonal",
        "orthogonal recurrence",
        "An orthogonal matrix neither stretches nor shrinks: the gradient through its powers keeps its "
        "length.",
        "only a start: training may leave it, and the cell's activation still takes its share at every step.",
        cure_edits.orthogonal_recurrence,
    ),
    Cure(
        "pretrain-autoencoder",
        "pretraining by autoencoders",
        "Each layer first learns to reconstruct the output of the layer below: no gradient has to cross "
        "the depth.",
        "epochs for every layer before the training proper; Adam, ReLU or a norm mostly make it needless "
        "today.",
        cure_edits.pretrain_autoencoder,
    ),
    Cure(
        "pretrain-rbm",
        "pretraining by Boltzmann machines",
        "Each layer first learns the statistics of the layer below as a restricted Boltzmann machine, "
        "without any gradient through the depth (contrastive divergence).",
        "as for autoencoders; and only for sigmoid units, with inputs scaled to between 0 and 1.",
        cure_edits.pretrain_rbm,
    ),
    Cure(
        "scale-loss",
        "loss scaling",
        "fp16 has no number below 6e-8: the loss is multiplied before the backward pass, so that small "
        "gradients survive, and the gradient divided again before the step.",
        "a step is lost each time the scale proves too large; it adapts by itself.",
        cure_edits.scale_loss,
    ),
    Cure(
        "bf16",
        "bf16",
        "bf16 reaches as far down as fp32, to 1e-38, so no gradient is lost and no loss needs scaling.",
        "only 8 bits of precision instead of fp16's 11, and only newer devices compute it fast.",
        cure_edits.use_bf16,
    ),
)
"""Every cure, in the order in which they are listed."""

_BY_KEY = {cure.key: cure for cure in CURES}
