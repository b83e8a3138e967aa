"""How far a step moves the weights, as a share of their size."""

from __future__ import annotations

import numpy as np

from gradtui.diagnosis.case import Case
from gradtui.diagnosis.profile import middle

STILL = 1e-5
"""A tenth of the smallest healthy update (SCIENCE.md). Where not even the layer that moves most comes to this, no
profile is to blame: the layer next to the loss gets all of its gradient (nets of such rates: 1e-8 to 6e-6;
ACCURACY.md)."""
LATEST = 10
"""Samples that make out what is usual of late."""


def update_of(case: Case, index: int) -> float:
    """The usual update of one layer; NaN where it was not recorded."""
    values = case.evidence.update_ratio.values
    return middle(values[:, index]) if len(values) else float("nan")


def usual_update(case: Case) -> float:
    """The usual update of a layer, of late; NaN where it was not recorded."""
    newest = case.evidence.update_ratio.values[-LATEST:]
    return middle(np.asarray(newest, np.float64).ravel()) if newest.size else float("nan")


def nothing_moves(case: Case) -> bool:
    """Whether no layer moves, wherever it stands."""
    layers = range(len(case.evidence.layers)) if len(case.evidence.update_ratio) else ()
    usual = [moved for index in layers if not np.isnan(moved := update_of(case, index))]
    return bool(usual) and max(usual) < STILL
