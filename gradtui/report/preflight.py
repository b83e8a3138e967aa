"""What a net is like before any step: its gradient over depth as measured, and as theory expects it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.text import Text

from gradtui.charts.scale import log10_of
from gradtui.metrics import gradient_headline
from gradtui.report.charts import Paper, profile
from gradtui.report.page import print_sections, stdout_paper
from gradtui.report.summary import shortest
from gradtui.words import compare_decades, figure, share

if TYPE_CHECKING:
    from gradtui.diagnosis.theory import Prediction
    from gradtui.runs.reader import Run

MEASURES = ("grad_norm", "output_grad_rms", "activation_mean", "activation_std", "dead_fraction")
MANY = 0.05
"""Of a layer's units: so many are dead at initialisation in no net that is well."""


def summarise(run: Run, prediction: dict[str, Any]) -> dict[str, Any]:
    """The measured net in one object, with its prediction as `gradtui predict --json` prints it; None where no unit of
    a layer can die."""
    rows = {measure: _row(run, measure) for measure in MEASURES}
    meta = run.meta
    return {
        "layers": [
            {"name": name, **{measure: _value(measure, row[index]) for measure, row in rows.items()}}
            for index, name in enumerate(run.layer_names)
        ],
        "loss": shortest(run.scalars("loss")[1][-1]),
        "chance_loss": meta.chance_loss if meta else None,
        "prediction": prediction,
    }


def print_preflight(run: Run, prediction: Prediction) -> None:
    """Print the page of a net to stdout."""
    paper = stdout_paper()
    print_sections(
        paper,
        _headline(run),
        _depth(run, prediction),
        _norms(run, paper),
        _signals(run, prediction, paper),
        _figures(run),
    )


def _headline(run: Run) -> Iterator[Text]:
    meta = run.meta
    layers, parameters = len(run.layer_names), meta.parameters if meta else 0
    yield Text(f"{run.name} · {layers} layers · {parameters:,} parameters", "bold")
    experiment = run.experiment
    pretrained = experiment is not None and experiment.cures.pretrain.kind in ("autoencoder", "rbm")
    when = "before its pretraining" if pretrained else "no step was taken"
    yield Text(f"at initialisation, on one batch; {when}", "dim")


def _depth(run: Run, prediction: Prediction) -> Iterator[Text]:
    """D0 in words and figures, and what theory says to it."""
    from gradtui.diagnosis import evidence_of
    from gradtui.diagnosis.profile import over_depth, over_lags

    evidence = evidence_of(run)
    depth, time = over_depth(evidence), over_lags(evidence.hidden_grad)
    if len(depth.indices) > 1 and not math.isnan(depth.start):
        first, last = (evidence.layers[depth.indices[end]] for end in (0, -1))
        yield Text(f"Over depth the gradient is {_compared(depth.start, 'at the input')}", "bold")
        yield _figure_of(depth.start, f"{first} … {last}", prediction.log10_profile)
    if len(time.indices) > 1 and not math.isnan(time.start):
        farthest = f"lag {time.indices[0]}"
        yield Text(f"Over time the gradient is {_compared(time.start, f'at {farthest}')}", "bold")
        yield _figure_of(time.start, f"{farthest} … lag 0", prediction.log10_lags[::-1])
    if not prediction.applies:
        yield Text(f"no prediction: {prediction.why}", "dim")


def _compared(decades: float, where: str) -> str:
    return (
        f"nothing {where}" if math.isinf(decades) else compare_decades(decades).replace("at the input", where)
    )


def _figure_of(measured: float, between: str, expected: Sequence[float]) -> Text:
    theory = f"; theory {_decades(expected[0] - expected[-1])}" if len(expected) > 1 else ""
    return Text(f"D0 {_decades(measured)} ({between}){theory}")


def _norms(run: Run, paper: Paper) -> Iterator[Text]:
    norms = _row(run, "grad_norm")
    yield Text("Gradient of each layer at initialisation (norm)", "bold")
    yield Text(gradient_headline(run.layer_names, norms.tolist()).text)
    yield from profile(log10_of(norms), paper)


def _signals(run: Run, prediction: Prediction, paper: Paper) -> Iterator[Text]:
    """Only where there is a theory to hold it against: the norms above show the same shape."""
    values = log10_of(_row(run, "output_grad_rms"))
    theory = _theory(run.layer_names, values, prediction)
    if theory is None:
        return
    yield Text("RMS gradient with respect to each layer's output, and the line that theory draws", "bold")
    yield from profile(values, paper, theory=theory)


def _theory(names: list[str], values: np.ndarray, prediction: Prediction) -> np.ndarray | None:
    """The predicted profile at the level of the last hidden layer; None where theory is silent."""
    if len(prediction.log10_profile) < 2 or prediction.layers[-1] not in names:
        return None
    level = values[names.index(prediction.layers[-1])]
    expected = np.full(len(names), np.nan)
    for name, decades in zip(prediction.layers, prediction.log10_profile, strict=True):
        expected[names.index(name)] = level + decades
    return expected if np.isfinite(level) else None


def _figures(run: Run) -> Iterator[Text]:
    chance = run.meta.chance_loss if run.meta else None
    loss, spread = float(run.scalars("loss")[1][-1]), _row(run, "activation_std").tolist()
    yield Text(f"{'loss':<12}{figure(loss)} (chance {figure(chance)})")
    yield Text(
        f"{'activations':<12}deviation {figure(spread[0])} in the first layer, {figure(spread[-1])} in the last"
    )
    dead = _row(run, "dead_fraction")
    if np.nanmax(dead, initial=0.0) >= MANY:
        worst = int(np.nanargmax(dead))
        yield Text(f"{'dead units':<12}{share(float(dead[worst]))} of {run.layer_names[worst]}", "yellow")


def _row(run: Run, measure: str) -> np.ndarray:
    values: np.ndarray = run.layers(measure)[1][-1]
    return values


def _value(measure: str, value: np.float32) -> float | None:
    return None if measure == "dead_fraction" and np.isnan(value) else shortest(value)


def _decades(value: float) -> str:
    return f"{value:+.2f} decades"
