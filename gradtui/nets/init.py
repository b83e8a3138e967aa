"""How weights start, from the experiment's own random numbers.

The numbers come from one generator in the order in which the layers are built, so a net depends on its
experiment alone, and torch's global generator is neither read nor moved.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from gradtui.experiment.activations import ACTIVATIONS
from gradtui.experiment.spec import Experiment, Group, Init, RecurrentInit

GATE_BIAS = -1.0
"""A highway gate's bias: it carries its input at first (Srivastava, Greff, Schmidhuber 2015: −1 to −3)."""


def deviation(init: Init, fan_in: int, fan_out: int, negative_slope: float = 0.0) -> float:
    """Standard deviation of the weights, before ``gain``.

    xavier √(2/(fan_in + fan_out)) (Glorot and Bengio 2010, normal); he, fixup √(2/((1 + slope²)·fan_in))
    (He et al. 2015), where slope is the activation's below zero: 0 for all but leaky_relu and prelu. The
    smooth ones (ELU, GELU, SiLU) take ReLU's 2, as is usual; SELU wants lecun. lecun and normal 1/√fan_in
    (LeCun et al. 1998). torch is a uniform number in ±1/√fan_in, thus 1/√(3·fan_in). orthogonal: an
    orthogonal matrix's numbers, 1/√of its longer side.
    """
    match init:
        case "xavier":
            return math.sqrt(2.0 / (fan_in + fan_out))
        case "he" | "fixup":
            return math.sqrt(2.0 / ((1.0 + negative_slope**2) * fan_in))
        case "torch":
            return math.sqrt(1.0 / (3.0 * fan_in))
        case "orthogonal":
            return 1.0 / math.sqrt(max(fan_in, fan_out))
    return 1.0 / math.sqrt(fan_in)


def negative_slope(group: Group) -> float:
    """The activation's slope below zero, where He's variance takes it into account."""
    return ACTIVATIONS[group.activation].he_slope(group.slope)


class Start:
    """Fills the weights of one net."""

    def __init__(self, exp: Experiment, generator: torch.Generator) -> None:
        self.generator = generator
        self.shortcut_blocks = sum(group.repeat for group in exp.net if group.shortcut != "none")

    @torch.no_grad()
    def weight(self, weight: Tensor, init: Init, factor: float, slope: float = 0.0) -> None:
        """Fills a matrix (fan_out, fan_in) or a kernel (out, in, k, k); ``factor`` multiplies the
        deviation."""
        places = math.prod(weight.shape[2:])
        fan_in, fan_out = weight.shape[1] * places, weight.shape[0] * places
        if factor == 0.0:
            weight.zero_()
        elif init == "orthogonal":
            # Saxe, McClelland, Ganguli 2013; a kernel as the matrix (out, in·k·k).
            nn.init.orthogonal_(weight, gain=factor, generator=self.generator)
        else:
            spread = factor * deviation(init, fan_in, fan_out, slope)
            if init == "torch":
                bound = math.sqrt(3.0) * spread
                weight.uniform_(-bound, bound, generator=self.generator)
            else:
                weight.normal_(0.0, spread, generator=self.generator)

    @torch.no_grad()
    def recurrent(self, weight: Tensor, init: RecurrentInit, gain: float) -> None:
        """Fills the hidden-to-hidden matrix (n, n) of one gate.

        torch: uniform in ±1/√n. orthogonal: Saxe 2013. identity: Le, Jaitly, Hinton 2015. normal: deviation
        gain/√n, whose spectral radius is ``gain`` for large n (Girko's circular law).
        """
        size = weight.shape[0]
        match init:
            case "torch":
                bound = gain / math.sqrt(size)
                weight.uniform_(-bound, bound, generator=self.generator)
            case "orthogonal":
                nn.init.orthogonal_(weight, gain=gain, generator=self.generator)
            case "identity":
                weight.copy_(torch.eye(size) * gain)
            case "normal":
                weight.normal_(0.0, gain / math.sqrt(size), generator=self.generator)

    @torch.no_grad()
    def bias(self, bias: Tensor, group: Group, scale: float = 1.0) -> None:
        """Normal numbers of the group's mean and deviation, with every ``init``, after the layer's
        ``scale``."""
        if group.bias_std:
            bias.normal_(group.bias_mean / scale, group.bias_std / scale, generator=self.generator)
        else:
            bias.fill_(group.bias_mean / scale)

    def factor(self, group: Group, *, last: bool, length: int) -> float:
        """What multiplies the deviation of a weight layer in a block: ``gain``.

        fixup (Zhang, Dauphin, Ma 2019): a branch's last layer is 0, the ``length − 1`` before it are scaled
        by L^(−1/(2·length − 2)), L the number of blocks with a shortcut in the net. Its scalar biases and
        multipliers are left out: the layers' own biases stand in their place.
        """
        if last and self.branch_gain(group) == 0.0:
            return 0.0
        if group.init != "fixup":
            return group.gain
        return 0.0 if last else group.gain * self.shortcut_blocks ** (-1.0 / (2 * length - 2))

    def branch_gain(self, group: Group) -> float:
        """What the branch beside a shortcut is multiplied by; 1 without a shortcut."""
        if group.shortcut == "none":
            return 1.0
        return 1.0 / math.sqrt(self.shortcut_blocks) if group.branch_gain == "depth" else group.branch_gain

    def scale(self, group: Group, *, last: bool) -> float:
        """The factor that the last layer of a branch keeps for good; 1 for all other layers.

        It could be given to the first weights and left there. But then each of a thousand blocks would
        answer a step of the optimizer in full, and only a rate a thousand times smaller would train them:
        with the factor kept, the gradient of every branch carries it too. (Szegedy et al. 2017,
        "Inception-v4", scale branches by 0.1 to 0.3; Hayou et al. 2021, "Stable ResNet", by 1/√blocks.) A
        ``branch_gain`` of 0, which would leave nothing to learn, is a last layer that starts at 0 (Goyal et
        al. 2017).
        """
        return (self.branch_gain(group) or 1.0) if last else 1.0
