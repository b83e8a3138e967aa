"""What can be drawn over the layers: each measure's title, its scale, and what its two ends say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from gradtui.diagnosis.contrast import Contrast, contrast


@dataclass(frozen=True)
class Measure:
    """A table of the run folder with one column a layer (or time lag)."""

    name: str
    title: str
    scale: Literal["log", "linear"]
    headline: Callable[[Sequence[str], Sequence[float]], Contrast]
    axis: str = "layer"
    low: float | None = None
    """Ends of a linear scale to begin with."""
    high: float | None = None


def _extremes(format_: str, what: str) -> Callable[[Sequence[str], Sequence[float]], Contrast]:
    """A headline that names the layers with the least and the most."""

    def headline(names: Sequence[str], values: Sequence[float]) -> Contrast:
        finite = [(value, name) for value, name in zip(values, names, strict=True) if value == value]
        if not finite:
            return Contrast(f"no {what} measured", "none")
        least, most = min(finite), max(finite)
        return Contrast(
            f"{what} from {format(least[0], format_)} ({least[1]}) to {format(most[0], format_)} ({most[1]})",
            "none",
        )

    return headline


def _movement(names: Sequence[str], values: Sequence[float]) -> Contrast:
    """How far one step moves the first layer's weights (SCIENCE: healthy is 1e-4 to 1e-2)."""
    if not values or values[0] != values[0]:
        return Contrast("no update measured", "none")
    said = f"a step moves the weights of {names[0]} by {values[0]:.1e} of their size"
    if values[0] < 1e-6:
        return Contrast(f"{said}: they stand still", "weak")
    return Contrast(
        f"{said}: they jump" if values[0] > 0.1 else said, "strong" if values[0] > 0.1 else "even"
    )


def _memory(names: Sequence[str], values: Sequence[float]) -> Contrast:
    """The gradient at the longest time lag beside the one at the shortest."""
    found = contrast(names[::-1], list(values)[::-1])
    return Contrast(found.text.replace("at the input", f"{names[-1]} steps back"), found.tone)


MEASURES: tuple[Measure, ...] = (
    Measure("grad_norm", "Gradient of each layer", "log", contrast),
    Measure("output_grad_rms", "Gradient of each layer's output", "log", contrast),
    Measure("update_ratio", "Update ÷ weight of each layer", "log", _movement),
    Measure("weight_norm", "Weight norm of each layer", "log", _extremes(".3g", "weight norm")),
    Measure(
        "activation_mean",
        "Mean activation of each layer",
        "linear",
        _extremes("+.3f", "mean"),
        low=-1.0,
        high=1.0,
    ),
    Measure("activation_std", "Spread of each layer's activation", "log", _extremes(".2e", "spread")),
    Measure(
        "dead_fraction",
        "Dead units of each layer",
        "linear",
        _extremes(".0%", "dead units"),
        low=0.0,
        high=1.0,
    ),
    Measure(
        "saturated_fraction",
        "Saturated units of each layer",
        "linear",
        _extremes(".0%", "saturated"),
        low=0.0,
        high=1.0,
    ),
    Measure("slope", "Learned slope of each layer", "linear", _extremes(".3f", "slope"), low=0, high=0.5),
    Measure("hidden_grad", "Gradient of the hidden state by time lag", "log", _memory, axis="lag"),
)
"""In the order in which a key goes through them."""


def following(name: str, recorded: Sequence[str], forward: bool) -> Measure:
    """The measure after (before) one, among those that a run has recorded."""
    there = [measure for measure in MEASURES if measure.name in recorded] or [MEASURES[0]]
    here = next((i for i, measure in enumerate(there) if measure.name == name), -1)
    return there[(here + (1 if forward else -1)) % len(there)]


def measure_named(name: str) -> Measure:
    """A measure by the name of its table."""
    return next(measure for measure in MEASURES if measure.name == name)
