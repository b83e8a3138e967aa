"""Say why a run without findings still cannot be called free of problems: NaN, or a gradient that grew too much."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from gradtui.runs.summary import Summary
from gradtui.words import plain_exponents

MOST_GROWTH = 1e6
"""A training is not healthy if its total gradient norm is this many times that of the first step."""


def objection(curves: Mapping[str, Summary], at: int | None = None) -> str:
    """Return in a few words why a run cannot be called free of problems; "" if there is no reason.

    Args:
        curves: the scalars of the run by name, over time.
        at: the last step that counts; None is the newest.
    """
    return objection_to(_upto(curves, "loss", at), _upto(curves, "grad_norm", at))


def objection_to(losses: ArrayLike, norms: ArrayLike) -> str:
    """Return the same reason from losses and total gradient norms, oldest first."""
    losses, norms = np.asarray(losses, np.float64), np.asarray(norms, np.float64)
    for values, words in ((losses, "the loss"), (norms, "the gradient norm")):
        if len(values) and not np.isfinite(values[-1]):
            return f"{words} is {'NaN' if np.isnan(values[-1]) else 'infinite'}"
    known = norms[np.isfinite(norms) & (norms > 0)]
    if len(known) and known[-1] > MOST_GROWTH * known[0]:
        return f"the gradient norm is {plain_exponents(f'{known[-1] / known[0]:.0e}')} times that of the first step"
    return ""


def _upto(
    curves: Mapping[str, Summary], name: str, at: int | None
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    curve = curves.get(name)
    if curve is None:
        return np.zeros(0)
    values = np.asarray(curve.mean, np.float64)
    return values if at is None else values[: int(np.searchsorted(curve.step, at, side="right"))]
