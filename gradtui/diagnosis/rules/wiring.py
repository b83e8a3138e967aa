"""Find what a script has connected wrongly: an optimizer that holds other weights, gradients that are never cleared.

The recording saw these causes directly, so they are certain; they come before their consequences, and hold for any
loss.
"""

from __future__ import annotations

from dataclasses import replace

from gradtui.diagnosis.cures.for_scripts import CLEAR_EARLIER
from gradtui.diagnosis.findings import CureOffer, Finding
from gradtui.diagnosis.rules.case import Case
from gradtui.diagnosis.thresholds import CLEARED_TOO_RARELY, NEVER_CLEARED, SILENT_ROWS, SILENT_ROWS_AT_END
from gradtui.runs.script_facts import ScriptFacts
from gradtui.words import several

NEW_OPTIMIZER = CureOffer(
    "create the optimizer last",
    {},
    "An optimizer keeps the tensors that it was created with. Create it from model.parameters() after "
    "the last layer was replaced, copied, moved or frozen.",
)
CLEAR_GRADIENTS = CureOffer(
    "clear the gradients",
    {},
    "Call optimizer.zero_grad() once for each optimizer.step(), before backward(). Otherwise each "
    "step follows the sum of all gradients so far.",
)
CLEAR_BEFORE_BACKWARD = CureOffer(
    CLEAR_EARLIER,
    {},
    "Call optimizer.zero_grad() before backward() or after optimizer.step(), not between the two, and "
    "do not clip at 0.",
)
CLIP_AFTER_BACKWARD = CureOffer(
    "clip after backward()",
    {},
    "Only between backward() and optimizer.step() does clipping change the gradient that the step uses.",
)
RECONNECT_LAYERS = CureOffer(
    "reconnect the layers",
    {},
    "Look for detach(), .data, .item(), no_grad() or a re-entrant checkpoint between these layers and the loss; leave "
    "out of the optimizer what the loss does not use.",
)


def certain(case: Case) -> list[Finding]:
    """Return the findings of this module that are more than information."""
    findings = (not_optimized(case), not_cleared(case), cleared_too_early(case))
    return [finding for finding in findings if finding is not None and finding.severity != "info"]


def information(case: Case) -> list[Finding]:
    """Return the findings of this module that are only information."""
    findings = (not_optimized(case), not_cleared(case), clip_unused(case))
    return [finding for finding in findings if finding is not None and finding.severity == "info"]


def seen_enough(case: Case) -> ScriptFacts | None:
    """Return the facts of a script if enough of its steps were examined; otherwise None."""
    facts = case.evidence.facts
    needed = SILENT_ROWS_AT_END if case.evidence.finished else SILENT_ROWS
    return facts if facts is not None and facts.step >= needed else None


def not_optimized(case: Case) -> Finding | None:
    """Find parameters that get a gradient but that no optimizer moves.

    It is a mistake if no optimizer moves any part of a model, or if an optimizer holds tensors of no model. Scripts
    that train only a head often leave the body unfrozen: that costs time but does no harm, so it is information.
    """
    facts = seen_enough(case)
    if facts is None:
        return None
    if not (facts.unmoved or facts.held) and facts.foreign and facts.unchanged:
        words = (
            f"The optimizer moves none of the model's parameters, and none of them gets a gradient: it trains "
            f"{facts.foreign} tensors that are not in the model. Watch the module that holds them."
        )
        return Finding("not-optimized", "info", 1, (), words)
    if not facts.unmoved:
        return None
    step, layers = facts.step, facts.unmoved_layers
    count = _parameters(len(facts.unmoved))
    elsewhere = (
        f", and it holds {several(facts.foreign, 'tensor')} outside the model" if facts.foreign else ""
    )
    if not facts.held:
        words = (
            f"The optimizer moves none of the model's parameters{elsewhere}; {count} "
            f"{'gets' if len(facts.unmoved) == 1 else 'get'} a gradient."
        )
        return Finding.of("not-optimized", 1, layers, words, (NEW_OPTIMIZER,))
    whole = [name for name in facts.unmoved_models if name]
    if whole:
        words = (
            f"No optimizer moves {_listed(whole)}: {count} of it got a gradient and did not change in "
            f"{step:,} steps{elsewhere}."
        )
        return Finding.of("not-optimized", 1, layers, words, (NEW_OPTIMIZER,))
    words = (
        f"The optimizer does not move {_listed(facts.unmoved)}, although "
        f"{'it gets' if len(facts.unmoved) == 1 else 'they get'} a gradient{elsewhere}."
    )
    if facts.foreign:
        return Finding.of("not-optimized", 1, layers, words, (NEW_OPTIMIZER,), mild=True)
    return Finding("not-optimized", "info", 1, layers, words)


def not_cleared(case: Case) -> Finding | None:
    """Find gradients that are added to from step to step and never cleared.

    If they are cleared at some of the steps, that may be intended, so it is information.
    """
    facts = seen_enough(case)
    if facts is None or facts.kept < SILENT_ROWS_AT_END:
        return None
    if cleared_too_early(case) is not None:
        # Gradients that are set to 0 before the step look like ones that are only ever added to.
        return None
    share = facts.kept / (facts.kept + facts.cleared)
    if share >= NEVER_CLEARED:
        words = (
            f"The gradients are never cleared: since step {facts.first_kept:,} each step follows the sum "
            f"of all gradients so far ({facts.kept} of {facts.kept + facts.cleared} steps); "
            f"{case.progress_text()}."
        )
        return Finding.of(
            "not-cleared", facts.first_kept, (), words, (CLEAR_GRADIENTS,), mild=case.started_learning
        )
    if share >= CLEARED_TOO_RARELY:
        words = (
            f"In {share:.0%} of the steps the gradients of the step before are still included: they "
            "are cleared less often than the optimizer takes a step."
        )
        return Finding("not-cleared", "info", facts.first_kept, (), words, (CLEAR_GRADIENTS,))
    return None


def clip_unused(case: Case, *, breaks: bool = False) -> Finding | None:
    """Find gradients that are clipped only before the backward pass, which changes nothing.

    It is information, unless the run breaks in a way that clipping would hold back.
    """
    facts = seen_enough(case)
    if facts is None or facts.clips_between or facts.clips_elsewhere < SILENT_ROWS_AT_END:
        return None
    words = (
        f"In {several(facts.clips_elsewhere, 'step')} the gradient was clipped before backward(), and "
        "never between backward() and the optimizer's step: each step follows the whole gradient, and "
        "its norm is the same before and after clipping."
    )
    found = Finding.of("clip-unused", 1, (), words, (CLIP_AFTER_BACKWARD,))
    return replace(found, severity="warning") if breaks else found


def cleared_too_early(case: Case) -> Finding | None:
    """Find gradients that are cleared between the backward pass and the step, so that nothing is left to step by.

    They were there at the end of the backward pass. At the step they are None, or all of them are exactly 0, which
    only a clip at 0 makes of a gradient.
    """
    facts = seen_enough(case)
    if facts is None:
        return None
    total, left = case.evidence.total_norm, case.evidence.clipped_norm
    zeroed = len(total) == len(left) >= SILENT_ROWS_AT_END and bool((total.values > 0).all())
    zeroed = zeroed and not left.highest.any()
    if not zeroed and not (facts.emptied >= SILENT_ROWS_AT_END and len(facts.unreached) == facts.held):
        return None
    words = (
        "The gradients are cleared between backward() and the optimizer's step, by zero_grad() or a "
        f"clip at 0, so no step moves the weights; {case.progress_text()}."
    )
    layers = facts.unreached_layers or case.evidence.layers
    return Finding.of("no-gradient", 1, layers, words, (CLEAR_BEFORE_BACKWARD,))


def cut_off(case: Case) -> Finding | None:
    """Find parameters that an optimizer holds and that never got a gradient: detached, unused or never chosen."""
    facts = seen_enough(case)
    if facts is None or not facts.unreached:
        return None
    if len(facts.unreached) == facts.held:
        words = (
            f"The loss does not depend on the parameters: none of the {_parameters(facts.held)} that "
            f"the optimizer holds got a gradient in {several(facts.step, 'step')}."
        )
        return Finding.of("no-gradient", 1, facts.unreached_layers, words, (RECONNECT_LAYERS,))
    words = (
        f"{_listed(facts.unreached)} never received a gradient in {several(facts.step, 'step')}, "
        f"although the optimizer holds {'it' if len(facts.unreached) == 1 else 'them'} and other "
        "layers get one."
    )
    return Finding.of(
        "no-gradient", 1, facts.unreached_layers, words, (RECONNECT_LAYERS,), mild=case.started_learning
    )


def _parameters(count: int) -> str:
    return several(count, "parameter")


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{names[0]}, {names[1]} and {len(names) - 2} more"
