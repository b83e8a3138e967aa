"""Apply the rules of the diagnosis in their order.

The rules for what breaks a run come first; then a net that has learned counts as healthy; then come the rules for
causes. Each module holds the rules of one group of findings, and `case` answers the questions that they share.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from gradtui.diagnosis import cures
from gradtui.diagnosis.cures.for_scripts import with_code
from gradtui.diagnosis.evidence import Evidence
from gradtui.diagnosis.findings import CureOffer, Finding, in_order
from gradtui.diagnosis.rules import (
    explosion,
    learning,
    nonfinite,
    spikes,
    standstill,
    units,
    unstable,
    weak_gradients,
    wiring,
    without_loss,
)
from gradtui.diagnosis.rules.case import Case
from gradtui.diagnosis.thresholds import WELL_LEARNED_LOSS

CLIPPED_AWAY = frozenset({"exploding", "nonfinite", "unstable-loss"})
"""The findings that clipping may hold back."""


def diagnose(evidence: Evidence, partner: Evidence | None = None) -> list[Finding]:
    """Return the findings of a run, causes before symptoms; none for a healthy run.

    In a run that is still training a finding waits for enough evidence.

    Args:
        evidence: of the run.
        partner: the evidence of a shallower run on the same data; without one, degradation cannot be distinguished
            from slow learning.
    """
    if evidence.step == 0:
        return []
    # numpy warns at every NaN, but the rules look for NaN.
    with np.errstate(all="ignore"):
        case = Case(evidence)
        return [_with_code(finding, case) for finding in in_order(_findings(case, partner))]


def remarks(evidence: Evidence, findings: Iterable[Finding] = ()) -> list[Finding]:
    """Return what is unusual in a run, as findings of severity "info".

    findings: those of the run; the steps of an explosion are not told once more as spikes.
    """
    if evidence.step == 0:
        return []
    case = Case(evidence)
    with np.errstate(all="ignore"):
        harmless = _present(
            explosion.harmless_explosion(case),
            weak_gradients.harmless_vanishing(case),
            without_loss.collapsed_norm(case),
            unstable.remark_on_rise(case),
        )
        heads = _present(learning.unequal_heads(case))
        informs = [finding for finding in heads if finding.severity == "info"]
        explodes = any(finding.code in CLIPPED_AWAY for finding in findings)
        single = _present(None if explodes else spikes.spikes(case))
        found = [*harmless, *informs, *wiring.information(case), *single]
        return [_with_code(finding, case) for finding in found]


def _with_code(finding: Finding, case: Case) -> Finding:
    """Add code to the cures of a script's finding; the cures of an experiment are changes of its fields."""
    evidence = case.evidence
    return finding if evidence.script is None else with_code(finding, evidence, case.measured(finding.layers))


def learns(evidence: Evidence) -> bool:
    """Return whether a run has begun to learn: its loss or its answers are better than guessing."""
    if evidence.step == 0:
        return False
    with np.errstate(all="ignore"):
        case = Case(evidence)
        return case.learned or case.started_learning


def has_learned(evidence: Evidence) -> bool:
    """Return whether a run has learned most of what there is to learn: its loss is far below that of guessing."""
    if evidence.step == 0:
        return False
    with np.errstate(all="ignore"):
        return Case(evidence).relative_loss <= WELL_LEARNED_LOSS


def advice_without_finding(evidence: Evidence) -> tuple[CureOffer, ...]:
    """Return cures that may help a run that has no finding and has not learned."""
    with np.errstate(all="ignore"):
        return cures.for_slow_learning(evidence.experiment, Case(evidence).measured())


def _findings(case: Case, partner: Evidence | None) -> list[Finding]:
    certain = wiring.certain(case)
    if any(finding.code == "no-gradient" for finding in certain):
        # All else follows from that no weight moves.
        return certain
    if not case.evidence.layers:
        # No part of the model is trained, so there is nothing else to judge.
        return [*certain, *_present(wiring.cut_off(case))]
    heads = [finding for finding in _present(learning.unequal_heads(case)) if finding.severity != "info"]
    symptoms = _symptoms(case, partner)
    if any(finding.code in CLIPPED_AWAY for finding in symptoms):
        certain += _present(wiring.clip_unused(case, breaks=True))
    return certain + heads + symptoms


def _symptoms(case: Case, partner: Evidence | None) -> list[Finding]:
    broken = [nonfinite.nonfinite(case), unstable.unstable_loss(case)]
    dead = units.dead_units(case)
    risen = unstable.risen_again(case)
    if case.learned and not any(broken):
        return _present(risen, dead, weak_gradients.no_gradient(case), learning.degradation(case, partner))
    exploding = explosion.exploding(case) or without_loss.runaway_norm(case)
    if exploding or any(broken):
        # Dead or saturated units would be a consequence of the explosion.
        return _present(exploding, *broken, wiring.cut_off(case))
    underflow = weak_gradients.underflow(case)
    cut_off = None if underflow else weak_gradients.no_gradient(case)
    # A gradient that stops at once between two layers is cut off and does not vanish over depth.
    vanishing = None if cut_off else weak_gradients.vanishing(case)
    saturated = units.saturated(case)
    causes = _present(
        None if _follows(dead, vanishing, case) else dead,
        None if _follows(saturated, vanishing, case) else saturated,
        underflow,
        vanishing,
        cut_off,
        learning.overclipped(case),
    )
    if causes or risen:
        return _present(*causes, risen)
    peak = explosion.spike(case)
    if peak:
        return [peak]
    if partner is not None and not case.evidence.finished:
        # Only the end of the run shows which of the two it is.
        return []
    found = learning.degradation(case, partner) or standstill.with_cause(case, learning.not_learning(case))
    return _present(found or standstill.standstill(case))


def _follows(in_units: Finding | None, vanishing: Finding | None, case: Case) -> bool:
    """Return whether units died or saturated only later, in a net whose gradient vanished from the start."""
    if in_units is None or vanishing is None:
        return False
    starts = [profile.steps[profile.start_sample] for profile in (case.depth, case.lags) if len(profile)]
    return vanishing.step in starts and vanishing.step < in_units.step


def _present(*findings: Finding | None) -> list[Finding]:
    return [finding for finding in findings if finding is not None]
