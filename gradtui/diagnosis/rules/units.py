"""Find units that no longer respond: dead, or saturated."""

from __future__ import annotations

import numpy as np

from gradtui.diagnosis import cures
from gradtui.diagnosis.evidence import Floats, Series
from gradtui.diagnosis.findings import Finding
from gradtui.diagnosis.profile import lasting_from
from gradtui.diagnosis.rules.case import Case
from gradtui.diagnosis.thresholds import (
    AGREEING_SAMPLES,
    DEAD_LAYER,
    DEAD_SHARE,
    FEWEST_EXAMPLES_SEEN,
    FEWEST_EXAMPLES_SEEN_LIVE,
    MOSTLY_DEAD_LAYER,
    SATURATED_SHARE,
)


def dead_units(case: Case) -> Finding | None:
    """Find ReLU units that never fire, so that no gradient brings them back (RECIPES.md, rule 4)."""
    if not case.has_enough_steps:
        return None
    newest = _least_of_newest(case, _dead_fractions(case))
    if newest is None or np.isnan(newest).all():
        return None
    share = float(np.nanmean(newest))
    dead = () if case.learned else dead_layers(case, at_start=False)
    small_batch = case.batch_size < FEWEST_EXAMPLES_SEEN // AGREEING_SAMPLES
    if not dead and (share < DEAD_SHARE or small_batch):
        return None
    named = np.flatnonzero(newest >= MOSTLY_DEAD_LAYER).tolist()
    step, at_start = _beginning(case, newest, bool(dead))
    worst = int(np.nanargmax(newest))
    all_units = f" and {share:.0%} of all units" if np.isfinite(newest).sum() > 1 else ""
    words = (
        f"{newest[worst]:.0%} of the units of {case.called(worst)}{all_units} never "
        f"fire; {case.progress_text()}."
    )
    offers = cures.for_dead_units(
        case.evidence.experiment, case.measured(case.names(named)), at_start=at_start
    )
    return Finding.of("dead-units", step, case.names(named), words, offers, mild=case.started_learning)


def saturated(case: Case) -> Finding | None:
    """Find units that are at the flat ends of their activation, in a net that learns nothing."""
    if not case.has_enough_steps or case.started_learning or case.loss_is_falling:
        return None
    series = case.evidence.saturated_fraction
    newest = _least_of_newest(case, series)
    if newest is None or not (newest >= SATURATED_SHARE).any():
        return None
    named = np.flatnonzero(newest >= SATURATED_SHARE).tolist()
    full = np.asarray((series.values >= SATURATED_SHARE).any(axis=1))
    # Sigmoids beside shortcuts, or with a large rate, saturate for a time and learn nevertheless.
    if not full[0] and not case.nearly_done:
        return None
    step = int(series.steps[int(np.flatnonzero(full)[0])])
    words = (
        f"{newest[named[0]]:.0%} of the units of {case.called(named[0])} are saturated, at the flat ends of their "
        f"activation; {case.progress_text()}."
    )
    offers = cures.for_saturated(case.evidence.experiment, case.measured(case.names(named)))
    return Finding.of("saturated", step, case.names(named), words, offers)


def dead_layers(case: Case, *, at_start: bool, share: float = DEAD_LAYER) -> tuple[str, ...]:
    """Return the layers with at least that share of dead units, at the first sample or in the newest ones."""
    series = _dead_fractions(case)
    if not len(series):
        return ()
    state = series.values[0] if at_start else _least_of_newest(case, series)
    if state is None:
        return ()
    return case.names(np.flatnonzero(state >= share).tolist())


def _least_of_newest(case: Case, series: Series) -> Floats | None:
    """Return the least fraction of each layer in the newest samples, or None while too few examples were seen.

    The samples have at least FEWEST_EXAMPLES_SEEN examples, since one small batch shows no lasting state. They are from
    the run's second half; if it has no sample, the last one counts, since dead units stay dead.
    """
    needed = -(-FEWEST_EXAMPLES_SEEN // case.batch_size) if case.batch_size else AGREEING_SAMPLES
    fresh = series.values[series.steps > case.evidence.step / 2]
    newest = (fresh if len(fresh) else series.values[-1:])[-needed:]
    if case.batch_size:
        enough = len(newest) * case.batch_size >= FEWEST_EXAMPLES_SEEN_LIVE
    else:
        enough = len(newest) >= AGREEING_SAMPLES
    if not len(newest) or not (enough or case.evidence.finished):
        return None
    return np.asarray(np.fmin.reduce(newest, axis=0))


def _dead_fractions(case: Case) -> Series:
    """Return the dead fractions of activations that can die; NaN for sigmoid and tanh, where dead means saturated."""
    dead, saturated = case.evidence.dead_fraction, case.evidence.saturated_fraction
    if not len(dead) or not len(saturated):
        return dead
    saturates = np.isfinite(saturated.values).any(axis=0)
    values = np.where(saturates, np.nan, dead.values)
    return Series(dead.steps, values, values)


def _beginning(case: Case, newest: Floats, layer_dead: bool) -> tuple[int, bool]:
    """Return the step from which on the units are dead, and whether they were dead at the first sample."""
    series = _dead_fractions(case)
    if layer_dead:
        state = (series.values[:, newest >= DEAD_LAYER] >= DEAD_LAYER).any(axis=1)
    else:
        with np.errstate(invalid="ignore"):
            state = np.nanmean(series.values[:, ~np.isnan(newest)], axis=1) >= DEAD_SHARE
    first = lasting_from(np.asarray(state))
    return int(series.steps[first]), first == 0
