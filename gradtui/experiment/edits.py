"""Every cure of the subject, as the diagnosis offers it and studies compare it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from gradtui.experiment import edits_net as net
from gradtui.experiment import edits_training as training
from gradtui.experiment.errors import ExperimentError
from gradtui.experiment.overrides import diff
from gradtui.experiment.parse import from_dict, to_dict
from gradtui.experiment.spec import Experiment

Edit = Callable[[Experiment], Experiment]


@dataclass(frozen=True)
class Cure:
    """A change that helps against a sick gradient.

    ``key`` is its word in files and on the command line, ``name`` what people call it.
    """

    key: str
    name: str
    edit: Edit

    @cached_property
    def why(self) -> str:
        """Why it helps: the first paragraph of the edit's docstring."""
        return self._text()[0]

    @cached_property
    def price(self) -> str:
        """What it costs: the docstring's line ``Price:``."""
        return self._text()[1]

    def apply(self, exp: Experiment) -> Experiment:
        """The cured experiment; the same one where the cure does not concern it or cannot be."""
        try:
            return from_dict(to_dict(self.edit(exp)))
        except ExperimentError:
            return exp

    def set_of(self, exp: Experiment) -> dict[str, object]:
        """What the cure changes in this experiment, as dotted paths; empty where it changes nothing."""
        return diff(exp, self.apply(exp))

    def _text(self) -> tuple[str, str]:
        why, _, price = (self.edit.__doc__ or "").partition("Price:")
        return " ".join(why.split()), " ".join(price.split())


def _leaky_two_percent(exp: Experiment) -> Experiment:
    return net.use_leaky_relu(exp, slope=0.02)


_leaky_two_percent.__doc__ = net.use_leaky_relu.__doc__

CURES: tuple[Cure, ...] = (
    Cure("relu", "ReLU and He's weights", net.use_relu),
    Cure("leaky-relu", "leaky ReLU 0.01", net.use_leaky_relu),
    Cure("leaky-relu-0.02", "leaky ReLU 0.02", _leaky_two_percent),
    Cure("prelu", "learned slope (PReLU)", net.use_prelu),
    Cure("elu", "ELU and LeCun's weights", net.use_elu),
    Cure("tanh-xavier", "tanh and Xavier's weights", net.use_tanh_xavier),
    Cure("batch-norm", "batch normalisation", net.batch_norm),
    Cure("layer-norm", "layer normalisation", net.layer_norm),
    Cure("shortcuts", "residual shortcuts", net.shortcuts),
    Cure("fewer-layers", "fewer layers", net.fewer_layers),
    Cure("smaller-lr", "smaller learning rate", training.smaller_lr),
    Cure("smaller-batch", "smaller batch", training.smaller_batch),
    Cure("mean-loss", "mean loss", training.mean_loss),
    Cure("clip-norm", "clip the gradient's norm", training.clip_norm),
    Cure("clip-value", "clip the gradient's values", training.clip_value),
    Cure("l2", "L2 penalty", training.l2),
    Cure("l1", "L1 penalty", training.l1),
    Cure("gain-one", "gain 1", net.gain_one),
    Cure("lstm", "LSTM", net.use_lstm),
    Cure("gru", "GRU", net.use_gru),
    Cure("orthogonal", "orthogonal recurrence", net.orthogonal_recurrence),
    Cure("pretrain-autoencoder", "pretraining by autoencoders", training.pretrain_autoencoder),
    Cure("pretrain-rbm", "pretraining by Boltzmann machines", training.pretrain_rbm),
    Cure("scale-loss", "loss scaling", training.scale_loss),
    Cure("bf16", "bf16", training.use_bf16),
)


def cure(key: str) -> Cure:
    """The cure of this key. Raises KeyError."""
    return _BY_KEY[key]


_BY_KEY = {cure.key: cure for cure in CURES}
