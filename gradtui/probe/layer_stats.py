"""Compute the metrics that are sampled at single steps, with one function per metric.

To add a metric, write its row in `gradtui/metrics.py` and a function with its name here:

    @sampler("dead_fraction")
    def dead_fraction(group: ActivationGroup) -> np.ndarray: ...

The trainer then records it, and so does `gradtui.watch` where it samples tensors of that source. The argument of a
function depends on the metric's source:

outputs: the outputs of some layers, a list of tensors;
output gradients: the gradients of the loss with respect to some layers' outputs, a list of tensors;
gradient flow: a `gradtui.probe.gradient_flow.GradientFlow`, with the RMS of the gradients that enter and leave layers;
activations: an `ActivationGroup`, the activations of layers with the same function and shape;
gradients: the gradients of each layer's parameters before clipping, a list of lists of tensors;
weights, slopes: a `WeightUpdate` of all layers;
optimizer: a `gradtui.probe.gradient_sizes.OptimizerMoments` of all layers.

It returns one number per layer, in float64 on the host; for weights, None where there is nothing to record; for
gradients and optimizers also a tensor on their device, which is not waited for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from gradtui import metrics
from gradtui.absent import ABSENT
from gradtui.experiment.activations import ACTIVATIONS, SELU_ALPHA, SELU_SCALE
from gradtui.metrics import Source
from gradtui.probe.norms import wide_norms, wide_row_norms

HELD_BYTES = 32 << 20
"""The most bytes of tensors that are kept in order to measure them together."""

DEAD = 1e-3
"""A unit (a column of a dense layer, a channel of an image) is dead in a batch when the derivative of its activation
is below this share of its largest value for every example, place and step; a ReLU unit is dead when its input is
nowhere above 0."""
SATURATED = 0.05
"""An output of sigmoid or tanh is saturated when the derivative there is below this share of its largest value: at |x|
above 4.4 for sigmoid and 2.2 for tanh."""


DERIVATIVES_FROM_OUTPUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": lambda outputs: outputs.sign(),
    "sigmoid": lambda outputs: 4 * torch.addcmul(outputs, outputs, outputs, value=-1),
    "tanh": lambda outputs: torch.addcmul(torch.ones_like(outputs), outputs, outputs, value=-1),
    "elu": lambda outputs: outputs.add(1).clamp_(max=1),
    "selu": lambda outputs: (
        # Below 0 the derivative rises to more than the slope above 0.
        torch.where(outputs > 0, SELU_SCALE, outputs + SELU_SCALE * SELU_ALPHA) / (SELU_SCALE * SELU_ALPHA)
    ),
}
"""The derivative over its largest value, computed in float32 from the output, of the activations for which that is
possible. For all others torch computes it from the input, which takes longer."""


class MetricSampler(NamedTuple):
    """A MetricSampler computes one metric of the registry at sampled steps."""

    name: str
    source: Source
    compute: Callable[..., Any]
    scales_with_loss: bool
    """This is true if the metric is proportional to the loss; it is then divided by fp16's loss scale."""


SAMPLERS: dict[str, MetricSampler] = {}
"""The samplers by metric, in the order of the tables of a run."""

Compute = TypeVar("Compute", bound=Callable[..., Any])


def sampler(name: str, *, scales_with_loss: bool = False) -> Callable[[Compute], Compute]:
    """Register the decorated function as the computation of a metric.

    Raises KeyError where `gradtui.metrics` has no metric of that name.
    """
    source = metrics.get(name).source

    def register(compute: Compute) -> Compute:
        SAMPLERS[name] = MetricSampler(name, source, compute, scales_with_loss)
        return compute

    return register


def samplers(*sources: Source) -> list[MetricSampler]:
    """Return the samplers that compute from one of these sources."""
    return [one for one in SAMPLERS.values() if one.source in sources]


FORWARD_SOURCES: tuple[Source, ...] = ("output gradients", "activations", "outputs")
"""The sources that need the tensors of the forward and backward pass."""


def forward_metrics() -> tuple[str, ...]:
    """Return the names of the metrics that a `LayerStats` computes."""
    return tuple(one.name for one in samplers(*FORWARD_SOURCES))


@dataclass
class ActivationGroup:
    """An ActivationGroup holds the activations of layers with the same function and shape."""

    function: str
    """The name of the activation function."""
    module: nn.Module | None
    """A module of the activation, which computes the derivative where that does not follow from the output."""
    inputs: list[Tensor] = field(default_factory=list)
    """Inputs of the activation; may be empty where the derivative follows from the output."""
    outputs: list[Tensor] = field(default_factory=list)
    """Outputs of the activation, all of one shape (batch, …)."""

    @cached_property
    def stack(self) -> Tensor:
        """Return the outputs (layers, batch, …) in float32."""
        return torch.stack(self.outputs).float()

    @cached_property
    def means(self) -> Tensor:
        """Return the mean of each layer's outputs (layers, 1)."""
        return self.stack.flatten(1).mean(1, keepdim=True)

    @cached_property
    def derivatives(self) -> Tensor | None:
        """Return the size of the activation's derivative over its largest value (layers, batch, …).

        None where it never vanishes (identity, learned and leaky slopes) or is not known.
        """
        if from_outputs := DERIVATIVES_FROM_OUTPUTS.get(self.function):
            return from_outputs(self.stack)
        if self.module is None or not self.inputs or not needs_inputs(self.function):
            return None
        with torch.enable_grad():
            x = torch.stack(self.inputs).float().detach().requires_grad_()
            # module(x) would call our own hooks.
            (derivative,) = torch.autograd.grad(self.module.forward(x).sum(), x)
        return derivative.abs() / ACTIVATIONS[self.function].steepest

    @cached_property
    def squared_derivatives(self) -> np.ndarray | None:
        """Return the mean square of the activation's derivative of each layer, None where that is not known."""
        row = ACTIVATIONS.get(self.function)
        if row is None or self.module is None:
            return None
        if row.kept_for_backward == "nothing":
            return np.ones(len(self.outputs))
        if row.takes_slope:
            return self._squared_derivatives_by_module()
        if self.derivatives is None:
            return None
        squares: np.ndarray = self.derivatives.flatten(1).square().mean(1).cpu().double().numpy()
        return squares * row.steepest**2

    def _squared_derivatives_by_module(self) -> np.ndarray | None:
        """Return the mean square of each layer's derivative, computed by its own module, where each has a slope."""
        assert self.module is not None
        if not self.inputs:
            return None
        squares = []
        # In half precision the input and a learned slope differ in format, and autocast is off here.
        slope_of = next(self.module.parameters(), None)
        with torch.enable_grad():
            for one in self.inputs:
                x = one.detach().to(one.dtype if slope_of is None else slope_of.dtype).requires_grad_()
                (derivative,) = torch.autograd.grad(self.module.forward(x).sum(), x)
                squares.append(derivative.float().square().mean())
        result: np.ndarray = torch.stack(squares).cpu().double().numpy()
        return result


def takes_slope(function: str) -> bool:
    """Return whether each module of this activation has its own slope."""
    activation = ACTIVATIONS.get(function)
    return activation is not None and activation.takes_slope


def needs_inputs(function: str) -> bool:
    """Return whether the derivative of this activation can vanish and does not follow from its output."""
    activation = ACTIVATIONS.get(function)
    return (
        activation is not None and activation.derivative_vanishes and function not in DERIVATIVES_FROM_OUTPUTS
    )


def function_of(name: str, module: nn.Module) -> str:
    """Return the name of the effective activation function: a leaky ReLU with a slope near 0 counts as a ReLU."""
    return "relu" if getattr(module, "negative_slope", 1.0) < DEAD else name


@sampler("output_grad_rms", scales_with_loss=True)
def output_grad_rms(gradients: list[Tensor]) -> np.ndarray:
    """Return the RMS of the gradient of the loss with respect to each layer's output."""
    sizes = np.array([gradient.numel() for gradient in gradients])
    result: np.ndarray = wide_norms(gradients) / np.sqrt(sizes)
    return result


@sampler("activation_mean")
def activation_mean(group: ActivationGroup) -> np.ndarray:
    """Return the mean of each layer's activation."""
    result: np.ndarray = group.means.squeeze(1).cpu().double().numpy()
    return result


@sampler("activation_std")
def activation_std(group: ActivationGroup) -> np.ndarray:
    """Return the standard deviation of each layer's activation."""
    flat = group.stack.flatten(1)
    count = max(1, flat.shape[1])
    # The mean is subtracted first, because the activations of some layers differ only in their last digits.
    result: np.ndarray = wide_row_norms(flat - group.means) / count**0.5
    return result


@sampler("dead_fraction")
def dead_fraction(group: ActivationGroup) -> np.ndarray:
    """Return the share of each layer's units that are dead, ABSENT where none can die."""
    slopes = group.derivatives
    if slopes is None:
        return np.full(len(group.outputs), ABSENT)
    unit = 2 if slopes.dim() == 5 else slopes.dim() - 1
    rest = [dim for dim in range(1, slopes.dim()) if dim != unit]
    largest = slopes.amax(rest) if rest else slopes
    result: np.ndarray = (largest < DEAD).float().mean(1).cpu().double().numpy()
    return result


@sampler("saturated_fraction")
def saturated_fraction(group: ActivationGroup) -> np.ndarray:
    """Return the share of each layer's outputs that are saturated, ABSENT where the activation has no two bounds."""
    if group.derivatives is None or not ACTIVATIONS[group.function].saturates:
        return np.full(len(group.outputs), ABSENT)
    flat = group.derivatives.flatten(1)
    # The comparison gives numbers, because on the CPU torch sums booleans several times as slowly.
    below = torch.lt(flat, SATURATED, out=torch.empty_like(flat))
    shares: np.ndarray = below.mean(1).cpu().double().numpy()
    return shares


@sampler("activation_slope")
def activation_slope(group: ActivationGroup) -> np.ndarray:
    """Return the RMS of each layer's derivative of the activation, ABSENT where it has none or none is known."""
    squares = group.squared_derivatives
    return np.full(len(group.outputs), ABSENT) if squares is None else np.sqrt(squares)


@sampler("nonfinite")
def nonfinite(outputs: list[Tensor]) -> np.ndarray:
    """Return how many numbers of each layer's output are NaN or infinite."""
    counts = np.zeros(len(outputs))
    for at in np.flatnonzero(~np.isfinite(wide_norms(outputs))):
        counts[at] = int((~outputs[at].isfinite()).sum())
    return counts


@dataclass(frozen=True)
class WeightUpdate:
    """A WeightUpdate holds the norms of the weights and of their change in an optimizer's step."""

    norms: np.ndarray
    """L2 norms (layers,) of the weights before the step."""
    change: np.ndarray | None
    """L2 norms (layers,) of the change in the step; None where no step was taken."""
    learned_slopes: dict[int, Tensor] = field(default_factory=dict)
    """The learned slopes of activations (PReLU), by the index of their layer."""


@sampler("update_ratio")
def update_ratio(update: WeightUpdate) -> np.ndarray | None:
    """Return the norm of each layer's change over the norm of its weights before it, ABSENT where that is 0."""
    if update.change is None:
        return None
    ratios: np.ndarray = np.full_like(update.change, ABSENT)
    np.divide(update.change, update.norms, out=ratios, where=update.norms != 0)
    return ratios


@sampler("update_norm")
def update_norm(update: WeightUpdate) -> np.ndarray | None:
    """Return the L2 norm of each layer's change in the step."""
    return update.change


@sampler("weight_norm")
def weight_norm(update: WeightUpdate) -> np.ndarray:
    """Return the L2 norm of each layer's weights before the step."""
    return update.norms


@sampler("slope")
def slope(update: WeightUpdate) -> np.ndarray | None:
    """Return the mean of each layer's learned slopes, ABSENT in other layers."""
    learned = update.learned_slopes
    if not learned:
        return None
    slopes = np.full(len(update.norms), ABSENT)
    slopes[list(learned)] = torch.stack([weights.detach().mean() for weights in learned.values()]).tolist()
    return slopes


class LayerStats:
    """A LayerStats collects the tensors that flow through layers at one step, and computes their metrics.

    Tensors of several layers are measured together, which is faster, but before they take much memory. Measuring waits
    for the device.
    """

    def __init__(self, layers: int) -> None:
        self._samplers = {source: samplers(source) for source in FORWARD_SOURCES}
        self.results = {name: np.full(layers, ABSENT) for name in forward_metrics()}
        """The values (layers,) by metric; ABSENT for layers that the step did not use."""
        self._outputs: dict[int, Tensor] = {}
        self._gradients: dict[int, Tensor] = {}
        self._groups: dict[tuple[Any, ...], tuple[list[int], ActivationGroup]] = {}
        self._held = 0

    def add_output(self, layer: int, output: Tensor) -> None:
        """Take a layer's output."""
        self._outputs[layer] = output.detach()
        self._hold(output)

    def add_output_gradient(self, layer: int, gradient: Tensor) -> None:
        """Take the gradient with respect to a layer's output."""
        self._gradients[layer] = gradient
        self._hold(gradient)

    def add_activation(
        self, layer: int, function: str, module: nn.Module | None, inputs: Tensor | None, output: Tensor
    ) -> None:
        """Take the output of a layer's activation function, and its input, which is None where it is not known."""
        own_slope = takes_slope(function)
        key = (function, output.shape, output.dtype, id(module) if own_slope else None)
        layers, group = self._groups.setdefault(key, ([], ActivationGroup(function, module)))
        layers.append(layer)
        group.outputs.append(output.detach())
        if (own_slope or needs_inputs(function)) and inputs is not None:
            group.inputs.append(inputs.detach())
            self._hold(inputs)
        self._hold(output)

    def compute(self) -> None:
        """Measure all tensors that were added since the last call, and drop them."""
        self._compute("outputs", list(self._outputs), list(self._outputs.values()))
        self._outputs.clear()
        self._compute("output gradients", list(self._gradients), list(self._gradients.values()))
        self._gradients.clear()
        while self._groups:
            layers, group = self._groups.pop(next(iter(self._groups)))
            with torch.no_grad():
                self._compute("activations", layers, group)
        self._held = 0

    def unscale(self, scale: float) -> None:
        """Divide the metrics that are proportional to the loss by `scale`."""
        for one in samplers(*FORWARD_SOURCES):
            if one.scales_with_loss:
                self.results[one.name] /= scale

    def _compute(self, source: Source, layers: list[int], tensors: Any) -> None:
        if layers:
            for one in self._samplers[source]:
                self.results[one.name][layers] = one.compute(tensors)

    def _hold(self, tensor: Tensor) -> None:
        self._held += tensor.numel() * tensor.element_size()
        if self._held > HELD_BYTES:
            self.compute()
