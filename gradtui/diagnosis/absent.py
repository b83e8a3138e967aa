"""Layers without a gradient in somebody's script: frozen, left out of a step, or another optimizer's turn.

Such a norm is recorded as NaN, as is that of a gradient with NaN in it. They are told apart by the norm of all
parameters, which is no number only in the second case.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradtui.diagnosis.evidence import Evidence, Series


def without_absent(evidence: Evidence) -> Evidence:
    """The evidence of the layers that had a gradient at all; where they had none for a while, what they had last
    (or first) stands for it: it says nothing of how they fare."""
    norms = evidence.grad_norm
    if not len(norms) or not len(evidence.total_norm):
        return evidence
    absent = np.isnan(norms.values) & _whole(evidence)[:, None]
    if not absent.any():
        return evidence
    # What had none while the whole was well has none later either, when that cannot be told any more.
    absent |= np.isnan(norms.values).all(axis=0) & absent.any(axis=0)
    trained = np.flatnonzero(~absent.all(axis=0))
    if not len(trained):
        return evidence
    filled = Series(
        norms.steps, _filled(norms.values, absent)[:, trained], _filled(norms.highest, absent)[:, trained]
    )
    others: dict[str, Any] = {
        name: Series(series.steps, series.values[:, trained], series.highest[:, trained])
        for name in evidence.__dataclass_fields__
        if isinstance(series := getattr(evidence, name), Series)
        and series.values.ndim == 2
        and series.values.shape[1] == len(evidence.layers)
        and name != "hidden_grad"
    }
    return replace(
        evidence,
        **{**others, "grad_norm": filled},
        layers=tuple(evidence.layers[index] for index in trained),
        kinds=tuple(evidence.kinds[index] for index in trained),
        parameters=tuple(evidence.parameters[index] for index in trained),
    )


def _whole(evidence: Evidence) -> NDArray[np.bool_]:
    """(rows,): whether the norm of all parameters was a number at the step of each row of `grad_norm`."""
    total = evidence.total_norm
    at = np.searchsorted(total.steps, evidence.grad_norm.steps, side="right") - 1
    whole: NDArray[np.bool_] = np.isfinite(total.values[np.maximum(at, 0)])
    return whole


def _filled(values: NDArray[np.float64], absent: NDArray[np.bool_]) -> NDArray[np.float64]:
    rows = np.arange(len(values))[:, None]
    last = np.maximum.accumulate(np.where(absent, -1, rows), axis=0)
    following = np.minimum.accumulate(np.where(absent, len(values), rows)[::-1], axis=0)[::-1]
    source = np.where(last >= 0, last, np.minimum(following, len(values) - 1))
    filled: NDArray[np.float64] = np.take_along_axis(values, source, axis=0)
    return filled
