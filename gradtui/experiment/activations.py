"""Define the table of activation functions with all facts about each of them.

To add an activation, write its row in `ROWS`. Where torch.nn has the module, that is all; else add a factory of the
module in `gradtui/nets/activations.py`, the only other file to change.

Code outside this package adds a row with `register`, and the module with `gradtui.nets.activations.register`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

SELU_SCALE = 1.0507009873554805
SELU_ALPHA = 1.6732632423543772
"""SELU's two constants (Klambauer et al. 2017), as torch.nn.SELU has them."""


class Activation(Struct, frozen=True, kw_only=True):
    """An Activation holds the facts about one activation function f."""

    name: str
    """The name in experiment files."""
    value: Callable[[float, float], float]
    """f(x) for any finite number x, also a large one, without an OverflowError. The second argument is the group's
    `slope`, which most ignore."""
    modules: tuple[str, ...] = ()
    """The classes of torch.nn that compute it. A net is built with the first, which is called without arguments unless
    `gradtui.nets.activations` has a factory; watched scripts may use any of them."""
    init: str = "he"
    """The rule of initialisation that suits the activation."""
    piecewise_linear: bool = False
    """This is true if f is linear on each side of 0, with slope 1 above."""
    derivative_vanishes: bool = True
    """This is true if the derivative comes near 0 somewhere, so that a unit can be dead."""
    saturates: bool = False
    """This is true if the output has a bound on both sides, near which the derivative is small."""
    steepest: float = 1.0
    """The largest derivative, as 1 where it exceeds 1 only a little. A unit is dead or saturated when its derivative
    is a small share of this."""
    kept_for_backward: Literal["input", "output", "nothing"] = "input"
    """The tensor that torch keeps from the forward pass for the backward pass."""
    takes_slope: bool = False
    """This is true if f uses the group's `slope`, the slope below 0."""
    parameters: int = 0
    """The number of learned parameters of one module."""

    def in_words(self) -> str:
        """Return the name for texts: that of torch's class where it is an abbreviation, such as ReLU."""
        return self.modules[0] if self.modules and self.name.endswith("lu") else self.name

    def negative_slope(self, slope: float) -> float:
        """Return the slope below 0 of a piecewise linear activation whose group has this `slope`."""
        return 0.0 - self.value(-1.0, slope)

    def he_slope(self, slope: float) -> float:
        """Return the slope below 0 in He's rule of initialisation, which is 0 unless the group sets it."""
        return slope if self.takes_slope else 0.0


def _sigmoid(x: float) -> float:
    return 0.5 * (1.0 + math.tanh(0.5 * x))


def _elu(x: float) -> float:
    return x if x > 0 else math.expm1(x)


def _leaky_relu(x: float, slope: float) -> float:
    return x if x > 0 else slope * x


ROWS = (
    Activation(
        name="identity",
        value=lambda x, _: x,
        modules=("Identity",),
        init="lecun",
        piecewise_linear=True,
        derivative_vanishes=False,
        kept_for_backward="nothing",
    ),
    Activation(
        name="sigmoid",
        value=lambda x, _: _sigmoid(x),
        modules=("Sigmoid",),
        init="xavier",
        saturates=True,
        steepest=0.25,
        kept_for_backward="output",
    ),
    Activation(
        name="tanh",
        value=lambda x, _: math.tanh(x),
        modules=("Tanh",),
        init="xavier",
        saturates=True,
        kept_for_backward="output",
    ),
    Activation(
        name="relu",
        value=lambda x, _: max(0.0, x),
        modules=("ReLU", "ReLU6"),
        piecewise_linear=True,
        kept_for_backward="output",
    ),
    Activation(
        name="leaky_relu",
        value=_leaky_relu,
        modules=("LeakyReLU",),
        piecewise_linear=True,
        derivative_vanishes=False,
        takes_slope=True,
    ),
    Activation(
        name="prelu",
        value=_leaky_relu,
        modules=("PReLU",),
        piecewise_linear=True,
        derivative_vanishes=False,
        takes_slope=True,
        parameters=1,
    ),
    Activation(name="elu", value=lambda x, _: _elu(x), modules=("ELU",), init="lecun"),
    Activation(
        name="selu",
        value=lambda x, _: SELU_SCALE * (x if x > 0 else SELU_ALPHA * math.expm1(x)),
        modules=("SELU",),
        init="lecun",
        steepest=SELU_SCALE * SELU_ALPHA,
    ),
    # The derivatives of these two slightly exceed 1, but they are compared with 1.
    Activation(name="gelu", value=lambda x, _: x / 2 * (1 + math.erf(x / math.sqrt(2))), modules=("GELU",)),
    Activation(name="silu", value=lambda x, _: x * _sigmoid(x), modules=("SiLU",)),
)

ACTIVATIONS: dict[str, Activation] = {row.name: row for row in ROWS}
"""The activations by name, in the order in which the screens list them."""


def register(activation: Activation) -> None:
    """Add an activation to the table. Raises ValueError where the name is taken."""
    if activation.name in ACTIVATIONS:
        raise ValueError(f"the activation {activation.name!r} is registered already")
    ACTIVATIONS[activation.name] = activation
