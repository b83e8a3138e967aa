"""Print a net before its first step on one page of text: its gradient over depth, measured and predicted by theory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.text import Text

from gradtui.absent import log10_of
from gradtui.headlines import gradient_headline
from gradtui.report.output import Paper, print_sections, prose, stdout_paper
from gradtui.report.run_charts import factor_chart, profile_chart
from gradtui.report.run_json import shortest
from gradtui.words import compare_decades, figure, percent, ratio, several

if TYPE_CHECKING:
    from gradtui.diagnosis.theory import Prediction
    from gradtui.runs.reader import Run

METRICS = (
    "grad_norm",
    "output_grad_rms",
    "activation_mean",
    "activation_std",
    "dead_fraction",
    "activation_slope",
    "backward_gain",
)
MAY_BE_NONE = {"dead_fraction", "activation_slope", "backward_gain"}
"""The metrics that some layers do not have."""
DEAD_FRACTION_SHOWN = 0.05
"""The share of dead units of a layer at initialisation that no healthy net reaches."""


def preflight_object(run: Run, prediction: dict[str, Any]) -> dict[str, Any]:
    """Return the measured net as one JSON object.

    A metric is None where a layer has no such value: no unit that can die, no activation, no gradient that leaves
    towards the input. prediction: the object that `gradtui predict --json` prints.
    """
    rows = {metric: _row(run, metric) for metric in METRICS}
    meta = run.meta
    return {
        "layers": [
            {"name": name, **{metric: _value(metric, row[index]) for metric, row in rows.items()}}
            for index, name in enumerate(run.layer_names)
        ],
        "loss": shortest(run.scalars("loss")[1][-1]),
        "chance_loss": meta.chance_loss if meta else None,
        "prediction": prediction,
    }


def print_preflight(run: Run, prediction: Prediction) -> None:
    """Print the page of a measured net to stdout."""
    paper = stdout_paper()
    print_sections(
        paper,
        _headline(run),
        _depth(run, prediction, paper),
        _norms(run, paper),
        _signals(run, prediction, paper),
        _factors(run, paper),
        _figures(run),
    )


def _headline(run: Run) -> Iterator[Text]:
    meta = run.meta
    layers, parameters = len(run.layer_names), meta.parameters if meta else 0
    yield Text(f"{run.name} · {several(layers, 'layer')} · {several(parameters, 'parameter')}", "bold")
    experiment = run.experiment
    pretrained = experiment is not None and experiment.cures.pretrain.kind in ("autoencoder", "rbm")
    when = "before pretraining" if pretrained else "no step was taken"
    yield Text(f"measured at initialisation, on one batch; {when}", "dim")


def _depth(run: Run, prediction: Prediction, paper: Paper) -> Iterator[Text]:
    """Yield how the gradient changes over depth and over time, in words and figures, compared with theory."""
    from gradtui.diagnosis import evidence_of
    from gradtui.diagnosis.profile import over_depth, over_lags

    evidence = evidence_of(run)
    depth, time = over_depth(evidence), over_lags(evidence.hidden_grad)
    if len(depth.indices) > 1 and not math.isnan(depth.start):
        first, last = (evidence.layers[depth.indices[end]] for end in (0, -1))
        yield Text(f"Over depth the gradient is {_compared(depth.start, 'at the input')}", "bold")
        yield _figure_of(depth.start, f"{first} ÷ {last}", prediction.log10_profile)
    if len(time.indices) > 1 and not math.isnan(time.start):
        farthest = f"lag {time.indices[0]}"
        yield Text(f"Over time the gradient is {_compared(time.start, f'at {farthest}')}", "bold")
        yield _figure_of(time.start, f"{farthest} ÷ lag 0", prediction.log10_lags[::-1])
    if not prediction.applies:
        yield from prose(f"No prediction: {prediction.why}.", paper, "dim")


def _compared(decades: float, where: str) -> str:
    return (
        f"nothing {where}" if math.isinf(decades) else compare_decades(decades).replace("at the input", where)
    )


def _figure_of(measured: float, between: str, expected: Sequence[float]) -> Text:
    theory = f"; theory {ratio(expected[0] - expected[-1])}" if len(expected) > 1 else ""
    return Text(f"{between}: {ratio(measured)}{theory}")


def _norms(run: Run, paper: Paper) -> Iterator[Text]:
    norms = _row(run, "grad_norm")
    yield Text("Gradient of each layer at initialisation (norm)", "bold")
    yield Text(gradient_headline(run.layer_names, norms.tolist()).text)
    yield from profile_chart(log10_of(norms), paper)


def _signals(run: Run, prediction: Prediction, paper: Paper) -> Iterator[Text]:
    """Yield the gradient of the outputs where theory predicts it; elsewhere the norms above show the same shape."""
    values = log10_of(_row(run, "output_grad_rms"))
    theory = _theory(run.layer_names, values, prediction)
    if theory is None:
        return
    title = "RMS gradient with respect to each layer's output, with the line that theory predicts"
    yield from prose(title, paper, "bold")
    yield from profile_chart(values, paper, theory=theory)


def _factors(run: Run, paper: Paper) -> Iterator[Text]:
    """Yield the factors that backpropagation multiplies and their product, compared with theory."""
    from gradtui.diagnosis.factors import factors_of_run

    factors = factors_of_run(run, None)
    if factors is None or factors.headline.tone == "none":
        return
    over = "time steps, by lag" if factors.over_time else "layers, output to input"
    yield Text(f"Factors of the gradient over the {over}", "bold")
    yield Text(factors.headline.text)
    yield from factor_chart(factors, paper)


def _theory(names: list[str], values: np.ndarray, prediction: Prediction) -> np.ndarray | None:
    """Return the predicted values, scaled to the last hidden layer's; None where theory predicts nothing."""
    decades, start = prediction.decades_of(names)
    if start < 0 or len(prediction.log10_profile) < 2 or not np.isfinite(values[start]):
        return None
    return np.asarray(decades + values[start])


def _figures(run: Run) -> Iterator[Text]:
    chance = run.meta.chance_loss if run.meta else None
    loss, spread = float(run.scalars("loss")[1][-1]), _row(run, "activation_std").tolist()
    yield Text(f"{'loss':<12}{figure(loss)} (guessing gives {figure(chance)})")
    ends = f"{figure(spread[0])} in the first layer, {figure(spread[-1])} in the last"
    yield Text(f"{'activations':<12}standard deviation {ends}")
    dead = _row(run, "dead_fraction")
    if np.nanmax(dead, initial=0.0) >= DEAD_FRACTION_SHOWN:
        worst = int(np.nanargmax(dead))
        yield Text(f"{'dead units':<12}{percent(float(dead[worst]))} of {run.layer_names[worst]}", "yellow")


def _row(run: Run, metric: str) -> np.ndarray:
    values: np.ndarray = run.layers(metric)[1][-1]
    return values


def _value(metric: str, value: np.float32) -> float | None:
    return None if metric in MAY_BE_NONE and np.isnan(value) else shortest(value)
