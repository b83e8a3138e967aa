"""Make synthetic evidence for the tests, in the shapes that were measured for RECIPES.md."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gradtui.diagnosis import Evidence, Finding, Series, diagnose
from gradtui.diagnosis.evidence import Evaluation
from gradtui.experiment import Experiment, from_dict

CHANCE = math.log(10)


def experiment(**fields: Any) -> Experiment:
    """Return an experiment on digits in batches of 128; fields by dotted path with __ for the dot (one group)."""
    raw: dict[str, Any] = {"data": {"batch_size": 128}, "net": [{}]}
    for path, value in fields.items():
        part, _, name = path.partition("__")
        if part == "net":
            raw["net"][0][name] = value
        else:
            raw.setdefault(part, {})[name] = value
    return from_dict(raw)


def curve(*points: float, steps: int = 120) -> np.ndarray:
    """Return a loss that goes through these values, evenly spaced in time, with geometric interpolation."""
    where = np.linspace(0, steps - 1, len(points))
    return np.exp(np.interp(np.arange(steps), where, np.log(points)))


def sampled(steps: int, every: int = 10) -> np.ndarray:
    """Return the steps that a probe samples: the first, the last, and some between."""
    return np.unique(np.concatenate([[1], np.arange(every, steps + 1, every), [steps]]))


def evidence(
    *,
    layers: int = 10,
    drop: float | Sequence[float] = 0.0,
    loss: ArrayLike | None = None,
    steps: int = 120,
    size: float = 1e-3,
    total: ArrayLike | None = None,
    clipped: ArrayLike | None = None,
    update: float = 1e-3,
    dead: Sequence[float] | None = None,
    dead_at_start: Sequence[float] | None = None,
    saturated: Sequence[float] | None = None,
    kind: str = "dense",
    accuracy: float = math.nan,
    accuracy_series: Series | None = None,
    **more: Any,
) -> Evidence:
    """Return the evidence of a run with `layers` hidden layers.

    `drop` is D in decades, one number or (at the start, at the end); the gradient falls evenly over depth, from `size`
    at the last hidden layer. Fractions have one number per hidden layer.
    """
    values = np.asarray(curve(2.3, 0.3, steps=steps) if loss is None else loss, np.float64)
    count = len(values)
    when, looked = np.arange(1, count + 1), sampled(count)
    drops = np.atleast_1d(np.asarray(drop, np.float64))
    along = np.interp(looked, [1, count], [drops[0], drops[-1]]) if count > 1 else drops[:1]
    depth = np.linspace(1.0, 0.0, layers) if layers > 1 else np.zeros(1)
    rms = size * 10 ** (along[:, None] * depth)
    rms = np.concatenate([rms, rms[:, -1:]], axis=1)
    parameters = (64 * 65,) * layers + (650,)
    norms = np.repeat(rms[:1], count, axis=0) * np.sqrt(parameters)

    def fractions(now: Sequence[float] | None, first: Sequence[float] | None = None) -> Series:
        if now is None:
            return Series.of(looked, np.full((len(looked), layers + 1), np.nan))
        table = np.repeat([[*now, np.nan]], len(looked), axis=0)
        if first is not None:
            table[0] = [*first, np.nan]
        return Series.of(looked, table)

    sums = np.sqrt((norms**2).sum(axis=1)) if total is None else np.asarray(total, np.float64)
    fields: dict[str, Any] = {
        "layers": (*(f"{kind}{index + 1}" for index in range(layers)), "output"),
        "kinds": (*((kind,) * layers), "output"),
        "parameters": parameters,
        "loss": Series.of(when, values),
        "accuracy": accuracy_series or Series.none(),
        "grad_norm": Series.of(when, norms),
        "total_norm": Series.of(when, sums),
        "clipped_norm": Series.of(when, sums if clipped is None else clipped),
        "output_grad_rms": Series.of(looked, rms),
        "update_ratio": Series.of(looked, np.full((len(looked), layers + 1), update)),
        "dead_fraction": fractions(dead, dead_at_start),
        "saturated_fraction": fractions(saturated),
        "nonfinite": Series.of(looked, np.zeros((len(looked), layers + 1))),
        "chance_loss": CHANCE,
        "experiment": experiment(net__repeat=layers, net__activation="relu"),
        "finished": True,
        "steps_planned": count,
        "evaluations": (Evaluation(count, float(values[-1]), accuracy),),
    }
    return Evidence(**{**fields, **more})


def live(made: Evidence, step: int) -> Evidence:
    """Return the same run while it was training, at that step."""
    parts = {
        field.name: getattr(made, field.name).upto(step)
        for field in dataclasses.fields(made)
        if isinstance(getattr(made, field.name), Series)
    }
    return dataclasses.replace(made, finished=False, evaluations=(), **parts)


AT_CHANCE = curve(2.35, 2.31, 2.30)
"""The loss of a net that learns nothing."""
LEARNED = curve(2.4, 1.0, 0.2)
"""The loss of a net that learns well."""


def codes(made: Evidence, partner: Evidence | None = None) -> list[str]:
    """Return the codes of all findings."""
    return [finding.code for finding in diagnose(made, partner)]


def only(made: Evidence, partner: Evidence | None = None) -> Finding:
    """Return the only finding."""
    (finding,) = diagnose(made, partner)
    return finding
