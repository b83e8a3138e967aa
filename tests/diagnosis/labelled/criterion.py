"""The meaning of each label. Two things must come together, and neither asks the diagnosis:

- what was done: one thing makes the experiment fail, and its `control`, the same without that thing, is healthy;
- what came of it: figures of the finished training, by plain code (`figures.py`), with every seed.

The bounds lie apart from each other: a net between them has no label, for two researchers would name it differently.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.diagnosis.labelled.figures import Figures

EXPLODED = 1000.0
"""Times the loss of guessing: a net that went through that exploded, whatever became of it later."""

Check = Callable[[Figures], bool]

CRITERIA: dict[str, tuple[str, Check]] = {
    "healthy": ("it learns", lambda f: f.learned),
    "uneven": (
        "it learns, though at the first step the gradient at the input is below 1/16 or above 5 times that at the "
        "output, or below 1/1000 over the time lags",
        lambda f: f.learned and (f.drop <= -1.2 or f.drop >= 0.7 or f.lag <= -3.0),
    ),
    "vanishing": (
        "it stays at guessing, the gradient at the input is below 1/100 (over time lags 1/1000) of that at the output, "
        "and units live",
        lambda f: (
            f.stuck
            and not f.broke
            and f.dead < 0.55
            and f.saturated < 0.9
            and min(f.drop, f.last_drop, f.lag + 1.0) <= -2.0
        ),
    ),
    "exploding": (
        "it does not learn, and its numbers break, or its loss goes to 1.5 times that of guessing and of its start (or "
        "once to 1000 times), or the gradient at the input is 10 times that at the output",
        lambda f: (
            not f.learned
            and bool(
                f.broke
                or f.worst_loss >= 1.5 * max(f.first_loss, 1.0)
                or f.highest_loss >= EXPLODED
                or max(f.drop, f.lag) >= 1.0
            )
        ),
    ),
    "dead-units": (
        "55 % of the units that can die are dead at the end, or all of a layer, and the loss never was 1000 times that "
        "of guessing",
        lambda f: (f.dead >= 0.55 or f.dead_layer >= 0.999) and not f.broke and f.highest_loss < EXPLODED,
    ),
    "saturated": (
        "it stays at guessing, with 90 % of a layer's outputs at the flat ends, and the loss never swung",
        lambda f: f.stuck and f.saturated >= 0.9 and not f.broke and f.worst_loss < 1.5,
    ),
    "overclipped": (
        "it stays at guessing, clipped to a tenth or less of its gradient, and a step moves no more than 1/10,000",
        lambda f: f.stuck and f.clipped <= 0.1 and f.update < 1e-4 and -2.0 < f.drop < 1.0,
    ),
    "underflow": (
        "in half of the steps and more the first layer's gradient is exactly 0",
        lambda f: f.silent >= 0.5,
    ),
    "no-gradient": (
        "it stays at guessing, and layers got a gradient of exactly 0 in every step",
        lambda f: f.stuck and f.cut_off > 0,
    ),
    "not-learning": (
        "it stays at guessing, and nothing of the above is so",
        lambda f: (
            f.stuck
            and not f.broke
            and -1.9 < f.drop < 0.95
            and -2.9 < f.lag < 0.95
            and f.dead < 0.5
            and f.dead_layer < 0.999
            and f.saturated < 0.9
            and f.clipped > 0.1
            and not f.cut_off
            and f.worst_loss < 1.5 * max(f.first_loss, 1.0)
        ),
    ),
    "degradation": (
        "no hidden layer's gradient is a tenth of another's at the first step, the loss never swung, and the same net "
        "with a tenth of the layers is right on a tenth more of the training data, at least",
        lambda f: not f.broke and f.spread < 1.0 and f.worst_loss < 1.5,
    ),
}


def confirmed(label: str, figures: Figures) -> bool:
    """Return whether the figures of a training are what its label says."""
    return CRITERIA[label][1](figures)


def undone(label: str, figures: Figures, control: Figures) -> bool:
    """Return whether the control does not have the problem of the other run."""
    match label:
        case "underflow":
            return control.silent == 0.0
        case "dead-units":
            return control.loss <= figures.loss - 0.1 and control.dead < 0.55 and control.dead_layer < 0.999
        case "degradation":
            return control.learned and control.answers - figures.answers >= 0.1
    return control.learned and not control.cut_off
