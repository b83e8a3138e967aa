"""Register every per-layer metric in one row that says how it is measured, drawn and judged.

A metric is one number per layer (or per time lag of a recurrent net) at a step, and the name of the run folder's table
that holds it. To add one, write its row here and its computation in `gradtui.probe.layer_stats`. The trainer, the
monitor of other people's scripts, the charts, the layer page, the figures of the lab and the import of other programs'
logs read this registry. It imports neither torch nor numpy nor textual, so that all of them can import it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gradtui.headlines import (
    EVEN_DECADES,
    MakeHeadline,
    extremes_headline,
    gain_headline,
    gradient_headline,
    lag_headline,
    update_headline,
)

Source = Literal[
    "gradients",
    "outputs",
    "output gradients",
    "gradient flow",
    "activations",
    "weights",
    "slopes",
    "optimizer",
    "hidden states",
]
"""What a metric is computed from, and for which nets:

gradients: the gradients of the layers' parameters before clipping, of all nets;
outputs: the layers' outputs, of all nets;
output gradients: the gradients of the loss with respect to the layers' outputs, of all nets;
gradient flow: the gradients that enter and leave the layers in the backward pass, of the nets that gradtui builds;
activations: the outputs of the layers' activation functions, of all nets;
weights: the weights before and after an optimizer's step, of all nets;
slopes: the learned slopes, of nets with PReLU;
optimizer: the moving means that the optimizer of a watched script keeps: Adam and its family, momentum SGD;
hidden states: the hidden states over time, of recurrent nets.
"""

CurveChart = Literal["gradient", "activation", "weights"]
"""The charts of curves on the page of one layer."""

HEALTHY_UPDATE_RATIO = (1e-4, 1e-2)
"""Update ÷ weight of one step in nets that learn well (RECIPES.md)."""


@dataclass(frozen=True)
class Figure:
    """A Figure is a metric's line among the figures of the lab, which shows the layer farthest from zero."""

    format: str
    finding: str = ""
    """The code of the finding that marks it as bad, so that figures and findings agree; "" if no rule judges it."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A Metric is one per-layer quantity: how it is recorded, what it means, and how it is drawn."""

    name: str
    """The name of the table in the run folder. It is part of the format on disk, so it never changes."""
    title: str
    """The title of its chart over the layers."""
    unit: str
    source: Source
    headline: MakeHeadline
    drawn: bool = True
    """This is true if it has a chart over the layers, which a key leads to."""
    scale: Literal["log", "linear"] = "log"
    low: float | None = None
    high: float | None = None
    """The initial ends of a linear axis, which grows when values lie outside."""
    axis: Literal["layer", "lag"] = "layer"
    """The columns of the table stand for one of these: the layers in forward order, or time lags from 0."""
    baseline: Literal["last hidden layer"] | None = None
    """The layer whose value is the baseline of the healthy range; None where the range is absolute."""
    healthy: tuple[float, float] | None = None
    """The lowest and the highest healthy value, as factors of the baseline where there is one."""
    grows_with_parameters: bool = False
    """This is true if healthy values grow with the root of a layer's number of parameters."""
    predicted: bool = False
    """This is true if theory predicts its shape before training."""
    label: str = ""
    """The name in the line of figures on a layer's page; empty leaves it out."""
    format: str = "{:.3g}"
    curve: tuple[CurveChart, str] | None = None
    """The chart of a layer's page that draws its curve, and the name of the curve there."""
    figure: Figure | None = None
    """The line among the lab's figures; None leaves the metric out."""
    every_step: bool = False
    """This is true if the metric is recorded at every step, rather than at sampled steps only."""
    json: Literal["first and last", "last"] | None = None
    """The steps whose values `--json` prints for each layer; None leaves the metric out."""


_WITHIN = (10.0**-EVEN_DECADES, 10.0**EVEN_DECADES)

_RECORDED = (
    Metric(
        name="grad_norm",
        title="Gradient of each layer",
        unit="L2 norm of the gradient of the layer's parameters, before clipping",
        source="gradients",
        every_step=True,
        headline=gradient_headline,
        baseline="last hidden layer",
        healthy=_WITHIN,
        grows_with_parameters=True,
        label="gradient",
        format="{:.2e}",
        curve=("gradient", "of the weights"),
        json="first and last",
    ),
    Metric(
        name="output_grad_rms",
        title="Gradient of each layer's output",
        unit="RMS of the gradient of the loss with respect to the layer's output, before the activation",
        source="output gradients",
        headline=gradient_headline,
        baseline="last hidden layer",
        healthy=_WITHIN,
        predicted=True,
        label="output gradient",
        format="{:.2e}",
        curve=("gradient", "of the output"),
        json="first and last",
    ),
    Metric(
        name="grad_max",
        title="Largest number in each layer's gradient",
        unit="largest absolute number in the gradient of the layer's parameters, before clipping",
        source="gradients",
        headline=extremes_headline(".2e", "largest |g|"),
        label="largest |g|",
        format="{:.2e}",
    ),
    Metric(
        name="grad_zeros",
        title="Zeros in each layer's gradient",
        unit="share of the numbers in the gradient of the layer's parameters that are exactly 0",
        source="gradients",
        headline=extremes_headline(".1%", "zeros in the gradient"),
        scale="linear",
        low=0.0,
        high=1.0,
        label="zero gradients",
        format="{:.1%}",
    ),
    Metric(
        name="update_ratio",
        title="Update ÷ weight of each layer",
        unit="norm of a step's change divided by the norm of the weights before it; NaN if that is 0",
        source="weights",
        headline=update_headline,
        healthy=HEALTHY_UPDATE_RATIO,
        label="update ÷ weight",
        format="{:.1e}",
        curve=("weights", "update ÷ weight"),
        json="last",
    ),
    Metric(
        name="update_norm",
        title="Update of each layer",
        unit="L2 norm of a step's change of the weights",
        source="weights",
        headline=extremes_headline(".2e", "update"),
        label="update",
        format="{:.2e}",
    ),
    Metric(
        name="first_moment",
        title="First moment of each layer",
        unit="RMS of the optimizer's moving mean of the gradient, after the step",
        source="optimizer",
        headline=extremes_headline(".2e", "first moment"),
        label="first moment",
        format="{:.2e}",
    ),
    Metric(
        name="second_moment",
        title="Second moment of each layer",
        unit="RMS of the optimizer's moving mean of the squared gradient, after the step",
        source="optimizer",
        headline=extremes_headline(".2e", "second moment"),
        label="second moment",
        format="{:.2e}",
    ),
    Metric(
        name="moment_cosine",
        title="First moment against gradient of each layer",
        unit="cosine between the optimizer's moving mean and the gradient that it received",
        source="optimizer",
        headline=extremes_headline("+.2f", "cosine"),
        scale="linear",
        low=-1.0,
        high=1.0,
        label="cosine to gradient",
        format="{:+.2f}",
    ),
    Metric(
        name="weight_norm",
        title="Weight norm of each layer",
        unit="L2 norm of the weights before the step",
        source="weights",
        headline=extremes_headline(".3g", "weight norm"),
        label="weight norm",
        curve=("weights", "norm"),
    ),
    Metric(
        name="activation_mean",
        title="Mean activation of each layer",
        unit="mean of the activation's output (of the layer's own output if it has no activation)",
        source="activations",
        headline=extremes_headline("+.3f", "mean"),
        scale="linear",
        low=-1.0,
        high=1.0,
        label="mean",
        format="{:+.3f}",
        curve=("activation", "mean"),
        figure=Figure("{:+.2f}"),
    ),
    Metric(
        name="activation_std",
        title="Spread of each layer's activation",
        unit="standard deviation of the activation's output",
        source="activations",
        headline=extremes_headline(".2e", "spread"),
        label="spread",
        curve=("activation", "spread"),
    ),
    Metric(
        name="dead_fraction",
        title="Dead units of each layer",
        unit="share of units whose activation has derivative 0 for every example; NaN if no unit can die",
        source="activations",
        headline=extremes_headline(".0%", "dead units"),
        scale="linear",
        low=0.0,
        high=1.0,
        label="dead",
        format="{:.0%}",
        curve=("activation", "dead"),
        figure=Figure("{:.0%}", finding="dead-units"),
        json="last",
    ),
    Metric(
        name="saturated_fraction",
        title="Saturated units of each layer",
        unit="share of outputs at the flat ends of sigmoid or tanh; NaN for other activations",
        source="activations",
        headline=extremes_headline(".0%", "saturated units"),
        scale="linear",
        low=0.0,
        high=1.0,
        label="saturated",
        format="{:.0%}",
        curve=("activation", "saturated"),
        figure=Figure("{:.0%}", finding="saturated"),
    ),
    Metric(
        name="activation_slope",
        title="Derivative of each layer's activation",
        unit="RMS of the activation's derivative; NaN if the layer has no activation or the derivative is unknown",
        source="activations",
        headline=extremes_headline(".3g", "derivative"),
        label="derivative",
        curve=("activation", "derivative"),
    ),
    Metric(
        name="backward_gain",
        title="Backward gain of each layer",
        unit=(
            "RMS of the gradient at the layer's input divided by that at its output; NaN if no gradient "
            "enters or leaves"
        ),
        source="gradient flow",
        headline=gain_headline,
        label="backward gain",
    ),
    Metric(
        name="nonfinite",
        title="NaN and infinity in each layer",
        unit="how many numbers in the layer's output are NaN or infinite",
        source="outputs",
        headline=extremes_headline(".0f", "numbers that are not finite"),
        drawn=False,
    ),
    Metric(
        name="slope",
        title="Learned slope of each layer",
        unit="mean of the slopes that PReLU has learned; NaN for other layers",
        source="slopes",
        headline=extremes_headline(".3f", "slope"),
        scale="linear",
        low=0.0,
        high=0.5,
        label="slope",
        format="{:.3f}",
        figure=Figure("{:.3f}"),
    ),
    Metric(
        name="hidden_grad",
        title="Gradient of the hidden state by time lag",
        unit="RMS of the gradient with respect to the last recurrent layer's hidden state",
        source="hidden states",
        headline=lag_headline,
        axis="lag",
        predicted=True,
    ),
)

_metrics = {metric.name: metric for metric in _RECORDED}


def register(metric: Metric) -> Metric:
    """Add a metric after the others and return it; raise ValueError where its name is taken."""
    if metric.name in _metrics:
        raise ValueError(f"a metric named {metric.name!r} is registered already")
    _metrics[metric.name] = metric
    return metric


def unregister(name: str) -> None:
    """Remove a metric; a test does this after it has added one."""
    del _metrics[name]


def registered() -> tuple[Metric, ...]:
    """Return all metrics, in the order in which a key goes through them."""
    return tuple(_metrics.values())


def find(name: str) -> Metric | None:
    """Return the metric of a table, or None where no metric has that name."""
    return _metrics.get(name)


def get(name: str) -> Metric:
    """Return the metric of a table; raise KeyError where no metric has that name."""
    return _metrics[name]


def with_figure() -> tuple[Metric, ...]:
    """Return the metrics that the lab's figures show, in their order there: those that can be bad come first."""
    shown = [metric for metric in _metrics.values() if metric.figure is not None]
    return tuple(sorted(shown, key=lambda metric: metric.figure is None or not metric.figure.finding))


def in_json() -> tuple[Metric, ...]:
    """Return the metrics that `gradtui run --json` prints of each layer, in the order of the registry."""
    return tuple(metric for metric in _metrics.values() if metric.json is not None)


def next_drawn(name: str, recorded: Sequence[str], forward: bool = True) -> Metric:
    """Return the metric after (or before) one, among those that have a chart and that a run has recorded."""
    shown = [metric for metric in _metrics.values() if metric.drawn and metric.name in recorded]
    shown = shown or [get("grad_norm")]
    here = next((index for index, metric in enumerate(shown) if metric.name == name), -1)
    return shown[(here + (1 if forward else -1)) % len(shown)]
