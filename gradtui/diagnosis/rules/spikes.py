"""Find single steps whose gradient is far larger than that of the steps around them: the batch is worth a look."""

from __future__ import annotations

import numpy as np

from gradtui.diagnosis.evidence import Floats
from gradtui.diagnosis.findings import CureOffer, Finding
from gradtui.diagnosis.profile import median_of_known
from gradtui.diagnosis.rules.case import Case, number
from gradtui.diagnosis.thresholds import (
    MOST_SPIKES,
    OUTLIER_NEIGHBOURS,
    OUTLIER_RATIO,
    SPIKE_SHARE,
    WARMUP_STEPS,
)

SHOWN_SPIKES = 5
"""The most steps that are named one by one."""
SHOWN_IDS = 8
"""The most examples of a step that are named."""
INSPECT_BATCHES = CureOffer(
    "look at these batches",
    {},
    "A batch with a wrong label or an odd example can cause such a step. With probe.log(batch=ids) "
    "the finding names the examples of these steps; clip_grad_norm_ between backward() and step() "
    "limits their effect.",
)


def spikes(case: Case) -> Finding | None:
    """Find steps with a gradient many times that of the steps around them, in a run that continues as before.

    It is information only: other rules judge the effect of such a step. If many steps stand out, there is no usual
    size to compare with.
    """
    total = case.evidence.total_norm
    rows = outliers(total.values, total.highest)
    rows = rows[total.steps[rows] > min(WARMUP_STEPS, case.evidence.step // 10)]
    if not len(rows) or len(rows) > max(MOST_SPIKES, SPIKE_SHARE * len(total)):
        return None
    factors = {
        int(total.steps[row]): float(total.highest[row] / _usual(total.values, int(row))) for row in rows
    }
    named = sorted(sorted(factors, key=lambda step: -factors[step])[:SHOWN_SPIKES])
    told = ", ".join(
        f"step {step:,} ({number(factors[step])} times{_examples(case, step)})" for step in named
    )
    more = f" and {len(rows) - len(named)} more" if len(rows) > len(named) else ""
    layers = _layers(case, [int(total.steps[row]) for row in rows])
    subject, them = ("A single step has", "it") if len(rows) == 1 else ("Single steps have", "them")
    words = f"{subject} a gradient far above that of the steps around {them}: {told}{more}"
    return Finding.of(
        "spikes", min(factors), layers, f"{words}; {_clipping(case, list(factors))}.", (INSPECT_BATCHES,)
    )


def outliers(values: Floats, highest: Floats) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Return the rows whose highest value is many times the median of the rows around them."""
    candidates = np.flatnonzero(
        np.isfinite(highest) & (highest > OUTLIER_RATIO * median_of_known(values) / 2)
    )
    found = [row for row in candidates.tolist() if highest[row] > OUTLIER_RATIO * _usual(values, row) > 0]
    return np.asarray(found, np.intp)


def _usual(values: Floats, row: int) -> float:
    """Return the median of the rows around one, without it."""
    around = np.r_[max(0, row - OUTLIER_NEIGHBOURS) : row, row + 1 : row + 1 + OUTLIER_NEIGHBOURS]
    around = around[around < len(values)]
    return median_of_known(values[around]) if len(around) >= OUTLIER_NEIGHBOURS // 2 else float("nan")


def _layers(case: Case, steps: list[int]) -> tuple[str, ...]:
    """Return the layers whose own gradient stands out at any of these steps."""
    norms = case.evidence.grad_norm
    rows = np.flatnonzero(np.isin(norms.steps, steps))
    found = [
        layer
        for layer in range(len(case.evidence.layers))
        if any(
            norms.highest[row, layer] > OUTLIER_RATIO * _usual(norms.values[:, layer], row)
            for row in rows.tolist()
        )
    ]
    return case.names(found)


def _clipping(case: Case, steps: list[int]) -> str:
    clipped, them = case.evidence.clipped_norm, "it" if len(steps) == 1 else "them"
    rows = np.flatnonzero(np.isin(clipped.steps, steps))
    caught = [
        row for row in rows.tolist() if not clipped.highest[row] > OUTLIER_RATIO * _usual(clipped.values, row)
    ]
    if not len(rows) or not caught:
        return "it was not clipped" if len(steps) == 1 else "they were not clipped"
    return (
        f"clipping shortened {them}"
        if len(caught) == len(rows)
        else f"clipping shortened {len(caught)} of {len(rows)}"
    )


def _examples(case: Case, step: int) -> str:
    ids = case.evidence.batches.get(step, ())
    if not ids:
        return ""
    more = ", …" if len(ids) > SHOWN_IDS else ""
    return f", examples {', '.join(map(str, ids[:SHOWN_IDS]))}{more}"
