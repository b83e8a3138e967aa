"""Units that no longer answer: dead, or saturated."""

from __future__ import annotations

import numpy as np

from gradtui.diagnosis import cures
from gradtui.diagnosis.case import Case
from gradtui.diagnosis.evidence import Floats, Series
from gradtui.diagnosis.findings import Finding, Severity
from gradtui.diagnosis.onset import onset

WHOLLY = 0.999
"""A layer without a living unit (SCIENCE.md, rule 4); not 1, for fractions are float32."""
DEAD_SHARE = 0.55
"""Of all units that can die (SCIENCE.md, rule 4)."""
MANY = 0.5
"""Of a layer's units: it is named among the dead (SageMaker Debugger: over half of a layer)."""
SEEN = 128
"""Examples that must have been looked at before a unit counts as dead: in a batch of one, most units of the healthiest
net are silent. Of small batches, and of unknown ones, only a whole dead layer is a finding."""
LEAST_SEEN = 32
"""Examples without which a run that still trains is not judged."""
SATURATED = 0.9
"""Of a layer's units. tanh at sigma_w = 3 stands at 0.57 and learns with a small rate; it is a finding only where
nothing has been learned, for sigmoids beside shortcuts saturate and learn."""
RECENT = 3
"""Samples that must agree where it is not known how many examples a batch has."""


def dead_units(case: Case) -> Finding | None:
    """ReLU units that never fire, so that no gradient brings them back (SCIENCE.md, rule 4)."""
    if not case.ripe:
        return None
    newest = _least(case, _deaths(case))
    if newest is None or np.isnan(newest).all():
        return None
    share = float(np.nanmean(newest))
    dead = () if case.learned else wholly_dead(case, at_start=False)
    small = case.batch_size < SEEN // RECENT
    if not dead and (share < DEAD_SHARE or small):
        return None
    named = np.flatnonzero(newest >= MANY).tolist()
    step, at_start = _begin(case, newest, bool(dead))
    worst = int(np.nanargmax(newest))
    words = (
        f"{newest[worst]:.0%} of the units of {case.evidence.layers[worst]} never fire, {share:.0%} of all; "
        f"{case.progress()}."
    )
    severity: Severity = "warning" if case.begun else "critical"
    offers = cures.for_dead_units(case.evidence.experiment, at_start=at_start)
    return Finding("dead-units", severity, step, case.names(named), words, offers)


def saturated(case: Case) -> Finding | None:
    """Units that stand at the flat ends of their activation, in a net that learns nothing."""
    if not case.ripe or case.begun or case.coming_down:
        return None
    series = case.evidence.saturated_fraction
    newest = _least(case, series)
    if newest is None or not (newest >= SATURATED).any():
        return None
    named = np.flatnonzero(newest >= SATURATED).tolist()
    full = np.asarray((series.values >= SATURATED).any(axis=1))
    # Sigmoids beside shortcuts, and those that a large rate drives, saturate on the way and learn nevertheless.
    if not full[0] and not case.nearly_done:
        return None
    step = int(series.steps[int(np.flatnonzero(full)[0])])
    words = (
        f"{newest[named[0]]:.0%} of the units of {case.evidence.layers[named[0]]} stand at the flat ends of their "
        f"activation; {case.progress()}."
    )
    offers = cures.for_saturated(case.evidence.experiment)
    return Finding("saturated", "critical", step, case.names(named), words, offers)


def wholly_dead(case: Case, *, at_start: bool) -> tuple[str, ...]:
    """Layers without a living unit, at the first sample or in the newest ones."""
    return layers_dead(case, WHOLLY, at_start=at_start)


def layers_dead(case: Case, share: float, *, at_start: bool) -> tuple[str, ...]:
    """Layers with at least that share of dead units, at the first sample or in the newest ones."""
    series = _deaths(case)
    if not len(series):
        return ()
    state = series.values[0] if at_start else _least(case, series)
    if state is None:
        return ()
    return case.names(np.flatnonzero(state >= share).tolist())


def _least(case: Case, series: Series) -> Floats | None:
    """Per layer the least of the newest samples, as many as make SEEN examples: what only one small batch showed is no
    state. None while too few were looked at.

    Samples of the run's second half; where there is none, the last: no gradient revives what was dead then.
    """
    needed = -(-SEEN // case.batch_size) if case.batch_size else RECENT
    fresh = series.values[series.steps > case.evidence.step / 2]
    newest = (fresh if len(fresh) else series.values[-1:])[-needed:]
    enough = len(newest) * case.batch_size >= LEAST_SEEN if case.batch_size else len(newest) >= RECENT
    if not len(newest) or not (enough or case.evidence.finished):
        return None
    return np.asarray(np.fmin.reduce(newest, axis=0))


def _deaths(case: Case) -> Series:
    """Dead fractions of the activations that die; sigmoid and tanh saturate, and their dead units with them."""
    dead, saturated = case.evidence.dead_fraction, case.evidence.saturated_fraction
    if not len(dead) or not len(saturated):
        return dead
    saturates = np.isfinite(saturated.values).any(axis=0)
    values = np.where(saturates, np.nan, dead.values)
    return Series(dead.steps, values, values)


def _begin(case: Case, newest: Floats, layer_dead: bool) -> tuple[int, bool]:
    """The first sample from which on it was so, and whether it was so from the first."""
    series = _deaths(case)
    if layer_dead:
        state = (series.values[:, newest >= WHOLLY] >= WHOLLY).any(axis=1)
    else:
        with np.errstate(invalid="ignore"):
            state = np.nanmean(series.values[:, ~np.isnan(newest)], axis=1) >= DEAD_SHARE
    first = onset(np.asarray(state))
    return int(series.steps[first]), first == 0
