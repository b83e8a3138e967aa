"""The rules in their order (SCIENCE.md, end): what breaks first, then who has learned is well, then the causes."""

from __future__ import annotations

import numpy as np

from gradtui.diagnosis import rules_explosion, rules_learning, rules_nonfinite, rules_starvation, rules_units
from gradtui.diagnosis.case import Case
from gradtui.diagnosis.evidence import Evidence
from gradtui.diagnosis.findings import CODES, Finding


def diagnose(evidence: Evidence, partner: Evidence | None = None) -> list[Finding]:
    """What is wrong with a run, causes before symptoms; nothing where it is well.

    Works on a finished run as on one that is still training, where it waits for evidence. `partner` is a shallower
    run on the same data: without one, degradation cannot be told from a net that merely learns slowly.
    """
    if evidence.step == 0:
        return []
    # numpy warns at every NaN, and here NaN is what is being looked for.
    with np.errstate(all="ignore"):
        found = _found(Case(evidence), partner)
    return sorted(found, key=lambda finding: CODES.index(finding.code))


def remarks(evidence: Evidence) -> list[Finding]:
    """What a person may want to know of a run that is well: severity "info", never an alarm."""
    if evidence.step == 0:
        return []
    case = Case(evidence)
    with np.errstate(all="ignore"):
        made = (rules_explosion.held_explosion(case), rules_starvation.held_vanishing(case))
    return [finding for finding in made if finding is not None]


def _found(case: Case, partner: Evidence | None) -> list[Finding]:
    broken = [rules_nonfinite.nonfinite(case), rules_explosion.unstable_loss(case)]
    dead = rules_units.dead_units(case)
    if case.learned and not any(broken):
        return _present(dead, rules_starvation.no_gradient(case), rules_learning.degradation(case, partner))
    exploding = rules_explosion.exploding(case)
    if exploding or any(broken):
        # What died or saturated of it is its consequence.
        return _present(exploding, *broken)
    underflow = rules_starvation.underflow(case)
    cut_off = None if underflow else rules_starvation.no_gradient(case)
    # A gradient that stops from one layer to the next has not died on its way.
    vanishing = None if cut_off else rules_starvation.vanishing(case)
    saturated = rules_units.saturated(case)
    causes = _present(
        None if _follows(dead, vanishing, case) else dead,
        None if _follows(saturated, vanishing, case) else saturated,
        underflow,
        vanishing,
        cut_off,
        rules_learning.overclipped(case),
    )
    causes = causes or _present(rules_explosion.spike(case))
    if causes:
        return causes
    if partner is not None and not case.evidence.finished:
        # Which of the two it is, the end will tell.
        return []
    degraded = rules_learning.degradation(case, partner)
    return _present(degraded or rules_learning.not_learning(case))


def _follows(units: Finding | None, vanishing: Finding | None, case: Case) -> bool:
    """Whether units died or saturated later in a net that starved from the start."""
    if units is None or vanishing is None:
        return False
    starts = [profile.steps[profile.start_sample] for profile in (case.depth, case.lags) if len(profile)]
    return vanishing.step in starts and vanishing.step < units.step


def _present(*findings: Finding | None) -> list[Finding]:
    return [finding for finding in findings if finding is not None]
