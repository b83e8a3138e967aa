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


def has_price(price: str) -> bool:
    """Return whether the words for a price name any."""
    return price.rstrip(".") not in ("", "none")


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
        "Like ReLU, but with a small slope where a unit is inactive, so the unit can come back: no unit dies for good.",
        "one more number to choose; it takes almost no time, and inactive units learn slowly.",
        cure_edits.use_leaky_relu,
    ),
    Cure(
        "leaky-relu-0.02",
        "leaky ReLU 0.02",
        "Like ReLU, but with a small slope where a unit is inactive, so the unit can come back: no unit dies for good.",
        "one more number to choose; it takes almost no time, and inactive units learn slowly.",
        partial(cure_edits.use_leaky_relu, slope=0.02),
    ),
    Cure(
        "prelu",
        "learned slope (PReLU)",
        "Like leaky ReLU, but each layer learns its slope, so no unit dies and no slope has to be chosen.",
        "one parameter per layer, and the activation takes about seven times as long as leaky ReLU on a CPU.",
        cure_edits.use_prelu,
    ),
    Cure(
        "elu",
        "ELU + LeCun initialisation",
        "ELU is smooth and never flat near zero, and the mean of its outputs is nearer to zero than ReLU's.",
        "an exponential for every unit: on large layers about five times the time of leaky ReLU.",
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
        "Each unit is scaled to mean 0 and standard deviation 1 over the batch, so signals keep their "
        "size from layer to layer, whatever the weights are.",
        "it needs batches that are not small, and behaves differently in training and inference.",
        cure_edits.batch_norm,
    ),
    Cure(
        "layer-norm",
        "layer normalisation",
        "Each example is scaled to mean 0 and standard deviation 1 over a layer's units, so signals "
        "keep their size, whatever the weights are.",
        "two more parameters per unit, and a little time at every layer.",
        cure_edits.layer_norm,
    ),
    Cure(
        "shortcuts",
        "residual shortcuts",
        (
            "The input of each block is added to its output, so the gradient reaches every block on a "
            "path that does not multiply it."
        ),
        "the signal grows a little with every block.",
        cure_edits.shortcuts,
    ),
    Cure(
        "pre-norm",
        "pre-norm blocks",
        "Layer normalisation comes before the weights, and a shortcut goes around them, so the "
        "gradient reaches every attention block on a path that does not multiply it.",
        "the signal grows a little with every block, so the last blocks change it only a little.",
        cure_edits.pre_norm,
    ),
    Cure(
        "fewer-layers",
        "fewer layers",
        "The gradient is a product of one factor per layer, so fewer layers mean fewer factors.",
        "a shallow net computes less with the same width; hard tasks need the depth.",
        cure_edits.fewer_layers,
    ),
    Cure(
        "smaller-lr",
        "smaller learning rate",
        "At a twentieth of the rate, each step stays nearer to the weights at which its gradient was computed.",
        "layers whose steps were not too large learn twenty times more slowly.",
        cure_edits.smaller_lr,
    ),
    Cure(
        "smaller-batch",
        "smaller batch",
        "A loss summed over the batch has a gradient that grows with the batch: with an eighth of the "
        "examples it is an eighth as large.",
        "noisier gradients and more steps per epoch; with a mean loss it changes only the noise.",
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
        "A gradient that is longer than 1 is shortened to 1, so no step is long. The direction does "
        "not change, so a profile that is steep from the start stays steep.",
        "a threshold to choose; where every step is clipped, the rate alone decides the size of the steps.",
        cure_edits.clip_norm,
    ),
    Cure(
        "clip-value",
        "clip the gradient's values",
        "No number in the gradient may exceed 0.5 in size, so a few exploding weights cannot move all "
        "others far away.",
        "wherever it acts, it changes the direction of the gradient.",
        cure_edits.clip_value,
    ),
    Cure(
        "l2",
        "L2 penalty",
        "Over a long training a penalty on the squared weights keeps them from growing, and smaller weights multiply "
        "the gradient by less.",
        "slow (each step shrinks the weights by the fraction rate × penalty), and it biases the "
        "solution; too much of it makes the gradient vanish.",
        cure_edits.l2,
    ),
    Cure(
        "l1",
        "L1 penalty",
        "Over a long training a penalty on the size of the weights pulls them to zero, and smaller weights multiply "
        "the gradient by less.",
        "slow, and it biases the solution: many weights end at exactly 0; too much of it makes the "
        "gradient vanish.",
        cure_edits.l1,
    ),
    Cure(
        "gain-one",
        "gain 1",
        "It resets a gain above 1 to the size that the initialisation rule gives. A gain of g "
        "multiplies the gradient by g at every layer, and a recurrent gain does so at every time "
        "step.",
        "the rate may have to grow with it; it only takes effect from a fresh start.",
        cure_edits.gain_one,
    ),
    Cure(
        "lstm",
        "LSTM",
        "An LSTM carries its cell state on by addition, so only the forget gate multiplies the "
        "gradient, and a bias of ln T keeps this gate open for the T steps of the sequence.",
        "four times the weights and time of a plain recurrent net of the same width.",
        cure_edits.use_lstm,
    ),
    Cure(
        "lstm-memory",
        "forget gate open for the whole sequence",
        "A forget bias of ln T keeps a factor of T / (T + 1) at every step, so over T steps a third "
        "of the gradient is left; with a bias of 1 each step keeps only 0.73.",
        "at first the cell forgets slowly, even what it does not need.",
        cure_edits.lstm_memory,
    ),
    Cure(
        "gru",
        "GRU",
        "A GRU's update gate can learn to copy the state unchanged over many steps, and with it the "
        "gradient; at the start half of the state passes at every step.",
        "three times the weights and time of a plain recurrent net of the same width.",
        cure_edits.use_gru,
    ),
    Cure(
        "orthogonal",
        "orthogonal recurrence",
        "An orthogonal matrix neither stretches nor shrinks a vector, so the gradient keeps its "
        "length over many steps.",
        "this holds only at the start, and the cell's activation still shrinks the gradient at every step.",
        cure_edits.orthogonal_recurrence,
    ),
    Cure(
        "pretrain-autoencoder",
        "pretraining by autoencoders",
        "Each layer first learns to reconstruct the output of the layer below, so no gradient has to "
        "cross the depth.",
        "extra epochs for every layer before the training itself; with Adam, ReLU or normalisation it "
        "is rarely needed today.",
        cure_edits.pretrain_autoencoder,
    ),
    Cure(
        "pretrain-rbm",
        "pretraining by Boltzmann machines",
        "Each layer first learns the statistics of the layer below as a restricted Boltzmann machine, "
        "without any gradient through the depth (contrastive divergence).",
        (
            "extra epochs for every layer before the training itself; it works only for sigmoid units, "
            "with inputs between 0 and 1."
        ),
        cure_edits.pretrain_rbm,
    ),
    Cure(
        "scale-loss",
        "loss scaling",
        "fp16 has no number below 6e-8. The loss is multiplied before the backward pass, so that "
        "small gradients survive, and the gradient is divided again before the step.",
        "one step is skipped each time the scale is too large; it adapts automatically.",
        cure_edits.scale_loss,
    ),
    Cure(
        "bf16",
        "bf16",
        "bf16 reaches as far down as fp32, to 1e-38, so no gradient is lost, and the loss needs no scaling.",
        "only 8 bits of precision instead of the 11 of fp16, and only newer devices are fast with it.",
        cure_edits.use_bf16,
    ),
)
"""Every cure, in the order in which they are listed."""

_BY_KEY = {cure.key: cure for cure in CURES}
