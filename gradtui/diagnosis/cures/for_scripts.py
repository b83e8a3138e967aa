"""Choose the cures for a finding of a watched script, each with code in the script's own names."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from gradtui.diagnosis.cures.code import CodeWriter
from gradtui.diagnosis.cures.measured import Measured
from gradtui.diagnosis.cures.rates import AIMED_UPDATE
from gradtui.diagnosis.evidence import Evidence
from gradtui.diagnosis.findings import CureOffer, Finding
from gradtui.diagnosis.profile import median_of_known
from gradtui.diagnosis.thresholds import LARGEST_UPDATE, SMALLEST_UPDATE
from gradtui.experiment.optimizers import USUAL_SGD_RATE, usual_rate_of
from gradtui.runs.script_training import ScriptTraining
from gradtui.words import number, plain_exponents, setting

UNUSUAL = 3.0
"""A rate that differs from the usual one by this factor is unusual."""
MOST_LARGER = 1000.0
CLEAR_EARLIER = "clear the gradients earlier"
"""The name of the cure for gradients that are gone before the step."""
START_STEPS = 10
"""If a training breaks within this many steps, the initial weights may have the wrong size."""
CLIP_MARGIN = 3.0
"""Clipping at this many times the usual norm leaves usual steps unchanged."""


def with_code(finding: Finding, evidence: Evidence, measured: Measured) -> Finding:
    """Return a finding of a script with the cures that can be written as code, best first.

    Cures without code follow them, unless one with code says the same.
    """
    if any(offer.code for offer in finding.cures):
        # Its rule has written it.
        return finding
    script = evidence.script if evidence.script is not None else ScriptTraining()
    advice = ScriptAdvice(finding, evidence, measured, CodeWriter.of(script, finding.layers))
    found = list({offer.name: offer for offer in advice.offers()}.values())
    kept = [offer for offer in finding.cures if finding.code == "degradation"]
    return replace(finding, cures=(*found, *kept) or finding.cures)


class ScriptAdvice:
    """A ScriptAdvice knows what was measured of a script, and writes the cures of one finding."""

    def __init__(self, finding: Finding, evidence: Evidence, measured: Measured, writer: CodeWriter) -> None:
        self._finding, self._evidence, self._measured = finding, evidence, measured
        self._code = writer
        self._rate = _usual_rate(evidence)
        """The learning rate of the script; NaN where it is not known."""

    def offers(self) -> Iterator[CureOffer]:
        """Yield the cures, the best first."""
        match self._finding.code:
            case "not-cleared":
                yield from self._wiring("clear the gradients", self._code.clear())
            case "clip-unused":
                yield from self._wiring("clip after backward()", self._code.clip(1.0, instead=True))
            case "not-optimized":
                yield from self._for_not_optimized()
            case "no-gradient":
                yield from self._for_no_gradient()
            case "exploding" | "nonfinite" | "unstable-loss":
                yield from self._for_divergence()
            case "dead-units":
                yield from self._for_dead_units()
            case "saturated":
                yield from self._initialisation("xavier")
                yield from self._smaller()
                yield from self._norm()
            case "vanishing":
                yield from self._pre_norm()
                yield from self._rectified()
                if "Sigmoid" not in self._code.script.functions:
                    yield from self._initialisation()
                    yield from self._norm()
            case "underflow":
                yield from self._underflow()
            case "overclipped":
                yield from self._for_overclipped()
            case "spikes":
                yield self._clip(CLIP_MARGIN * median_of_known(self._evidence.total_norm.values))
            case "not-learning":
                yield from self._not_learning()

    # -- the cures of some findings

    def _for_divergence(self) -> Iterator[CureOffer]:
        """Yield cures that keep a training from breaking: an unusual rate first, and for an early break its start."""
        at_start = self._measured.steep or self._finding.step <= START_STEPS
        if self._code.is_recurrent and not self._rate_is_large:
            yield self._clip()
        elif self._rate_is_large or not at_start:
            yield from self._smaller()
            yield self._clip()
        if at_start or self._rate_is_large:
            yield from self._initialisation()
        yield from self._norm()
        if not self._rate_is_large and at_start:
            yield self._clip()
        if not self._rate_is_large and (at_start or self._code.is_recurrent):
            yield from self._smaller()

    def _for_dead_units(self) -> Iterator[CureOffer]:
        if self._rate_is_large:
            yield from self._smaller()
        yield from self._initialisation("he")
        if "ReLU" in self._code.script.functions:
            why = "A unit whose input is negative still passes some gradient."
            yield self._offer("leaky ReLU", why, self._code.leaky())
        if not self._rate_is_large:
            yield from self._smaller()

    def _for_not_optimized(self) -> Iterator[CureOffer]:
        """Yield an optimizer of all parameters; where the present one moves other models, these belong to it too."""
        facts, frozen = self._evidence.facts, self._code.freeze(self._finding.layers)
        if self._finding.severity == "info":
            if frozen:
                why = "Parameters that no optimizer moves need no gradient, and a step without it takes less time."
                yield self._offer("freeze what is not trained", why, frozen)
            return
        joins = facts is not None and facts.held > 0 and not facts.foreign
        code = self._code.join_optimizer() if joins else self._new_optimizer()
        yield from self._wiring("create the optimizer from the model's parameters", code)

    def _for_no_gradient(self) -> Iterator[CureOffer]:
        """Yield code that connects the layers with the loss again, or leaves them out on purpose."""
        if any(offer.name == CLEAR_EARLIER for offer in self._finding.cures):
            yield from self._wiring(CLEAR_EARLIER, self._code.clear_earlier())
            return
        facts = self._evidence.facts
        cut = facts is not None and bool(facts.unreached)
        if not cut and set(self._finding.layers) >= set(self._evidence.layers):
            yield self._offer(
                "no activation after the last layer",
                "A dead ReLU there, or a softmax over one unit, makes every output the same.",
                self._code.open_output(),
            )
        yield self._offer(
            "reconnect the layers",
            (
                "Look for detach(), .data, .item(), no_grad() or a re-entrant checkpoint between these "
                "layers and the loss."
            ),
            self._code.list_unreached(),
        )
        frozen = self._code.freeze(self._finding.layers)
        if frozen and facts is not None and 0 < len(facts.unreached) < facts.held:
            why = "Parameters that the loss does not use do not belong in the optimizer."
            yield self._offer("freeze what the loss does not use", why, frozen)

    # -- single cures

    def _offer(self, name: str, why: str, code: str, change: str = "", key: str = "") -> CureOffer:
        return CureOffer(name, {}, why, "", key, code, change)

    def _wiring(self, name: str, code: str) -> Iterator[CureOffer]:
        why = self._finding.cures[0].why if self._finding.cures else ""
        yield self._offer(self._finding.cures[0].name if self._finding.cures else name, why, code)

    def _new_optimizer(self) -> str:
        kind = self._evidence.optimizer
        known = kind in ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "NAdam", "RAdam")
        usual = self._usual()
        rate = self._rate if self._rate > 0 else usual
        return self._code.new_optimizer(kind if known else "Adam", rate if known else 1e-3)

    def _clip(self, norm: float = 1.0) -> CureOffer:
        limit = float(f"{norm:.1g}") if math.isfinite(norm) and norm > 0 else 1.0
        return self._offer(
            f"clip at {setting(limit)}",
            f"A longer gradient is shortened to {setting(limit)}; its direction does not change.",
            self._code.clip(limit),
            f"clip={limit:g}",
            "clip-norm",
        )

    def _for_overclipped(self) -> Iterator[CureOffer]:
        usual = median_of_known(self._evidence.total_norm.values)
        if math.isfinite(usual) and usual > 0:
            limit = float(f"{usual:.1g}")
            yield self._offer(
                f"clip at {setting(limit)}",
                "A threshold at the gradient's usual norm shortens a rare explosion and does not change other steps.",
                self._code.clip(limit, instead=True),
            )

    def _smaller(self) -> Iterator[CureOffer]:
        if not self._rate > 0:
            return
        usual, moved = self._usual(), self._measured.largest_update
        if self._rate_is_large:
            new = usual
            rule = self._evidence.optimizer or "this rule"
            why = f"{number(self._rate)} is a large rate for {rule}; {number(usual)} is usual."
        else:
            known = math.isfinite(moved) and moved > 0
            new = self._rate / min(max(moved / LARGEST_UPDATE if known else 10.0, UNUSUAL), 100.0)
            why = "Smaller steps do not overshoot: a gradient is right only near the weights at which it was computed."
        yield self._rate_offer(new, why, "smaller-lr")

    def _larger(self) -> Iterator[CureOffer]:
        moved, usual = self._measured.update, self._usual()
        if not self._rate > 0:
            # The rate is 0 if a warm-up never begins; a factor cannot change that.
            if self._rate == 0:
                yield self._rate_offer(usual, "The learning rate is 0, so nothing moves.", "larger-lr")
            return
        if UNUSUAL * self._rate < usual:
            kind = self._evidence.optimizer or "this rule"
            yield self._rate_offer(
                usual,
                f"{number(self._rate)} is a small rate for {kind}; {number(usual)} is usual.",
                "larger-lr",
            )
            return
        factor = AIMED_UPDATE / moved if moved > 0 else MOST_LARGER
        new = self._rate * min(max(factor, UNUSUAL), MOST_LARGER)
        highest = (10.0 if self._adaptive else 0.5 / USUAL_SGD_RATE) * usual
        if min(new, highest) > UNUSUAL * self._rate * 0.99:
            share = plain_exponents(f"{moved:.1e}")
            text = f"A step moves the weights by {share} of their size (healthy: 1e-4 to 1e-2)."
            why = text if math.isfinite(moved) else "The weights hardly move."
            yield self._rate_offer(min(new, highest), why, "larger-lr")

    def _rate_offer(self, new: float, why: str, key: str) -> CureOffer:
        rate = float(f"{new:.1g}")
        word = "larger" if key == "larger-lr" else "smaller"
        return self._offer(
            f"{word} learning rate, {setting(rate)}",
            why,
            self._code.rate(rate, self._rate),
            f"lr={rate:g}",
            key,
        )

    def _initialisation(self, rule: str = "") -> Iterator[CureOffer]:
        if not self._code.has_layers or self._evidence.trained_before:
            return
        rule = rule or self._code.rule
        name = {"he": "He", "xavier": "Xavier"}[rule]
        yield self._offer(
            f"{name} initialisation",
            "Weights of this size keep signals and gradients about equally large in all layers, and biases start at 0.",
            self._code.initialise(rule),
            f"init={rule}",
        )

    def _pre_norm(self) -> Iterator[CureOffer]:
        if code := self._code.pre_norm:
            yield self._offer(
                "norm before the block (pre-norm)",
                "Here a norm follows each sum of a shortcut and its block, and the gradient passes "
                "through all of these norms. If the norm comes before the block instead, the gradient "
                "reaches every block through the shortcuts, which do not multiply it.",
                code,
                key="pre-norm",
            )

    def _norm(self) -> Iterator[CureOffer]:
        yield from self._pre_norm()
        if code := self._code.norm:
            yield self._offer(
                "a norm after each hidden layer",
                (
                    "It keeps the input of every activation at mean 0 and standard deviation 1, where the "
                    "slope is healthy."
                ),
                code,
                key="layer-norm",
            )

    def _rectified(self) -> Iterator[CureOffer]:
        if "Sigmoid" in self._code.script.functions:
            yield self._offer(
                "ReLU + He initialisation",
                "The slope of a sigmoid is 1/4 at most, and the gradient is multiplied by it at each layer.",
                self._code.rectify(),
                key="relu",
            )

    def _underflow(self) -> Iterator[CureOffer]:
        if self._evidence.number_format == "float16":
            yield self._offer(
                "keep the weights in float32",
                "Then the gradients are kept in float32 too, and only the activations in a smaller format.",
                self._code.wide_weights(),
            )
        # A gradient scaler refuses gradients that are float16.
        elif not self._code.script.scaler:
            yield self._offer(
                "scale the loss",
                "The smallest number in float16 is 6e-8; a factor on the loss makes every gradient larger than that.",
                self._code.scale_loss(),
                "loss_scale=65536",
                "scale-loss",
            )

    def _not_learning(self) -> Iterator[CureOffer]:
        evidence, moved = self._evidence, self._measured.update
        if any(offer.name == "keep the weights in float32" for offer in self._finding.cures):
            yield self._offer(
                "keep the weights in float32",
                next(one.why for one in self._finding.cures if one.name == "keep the weights in float32"),
                self._code.wide_weights(),
            )
        if self._code.script.post_norm and not moved < SMALLEST_UPDATE and not self._rate_is_large:
            yield from self._pre_norm()
        if moved > LARGEST_UPDATE or (self._rate_is_large and not moved < SMALLEST_UPDATE):
            yield from self._smaller()
        else:
            yield from self._larger()
        if not self._adaptive and evidence.optimizer:
            yield self._offer(
                "Adam at 0.001",
                (
                    "Adam makes the steps of every layer about as large as its learning rate, however "
                    "small or large the gradient is."
                ),
                self._code.adam(1e-3),
            )
        if not moved < SMALLEST_UPDATE and self._rate != 0:
            yield from self._initialisation()
            yield from self._norm()

    # -- rates

    @property
    def _rate_is_large(self) -> bool:
        return self._rate > UNUSUAL * self._usual()

    @property
    def _adaptive(self) -> bool:
        return usual_rate_of(self._evidence.optimizer) is not None

    def _usual(self) -> float:
        return usual_rate_of(self._evidence.optimizer) or USUAL_SGD_RATE


def _usual_rate(evidence: Evidence) -> float:
    """Return the highest rate so far, which a schedule may have left; NaN where none is known."""
    rates = [float(rate) for rate in evidence.rate.values if math.isfinite(rate)]
    return max(rates, default=math.nan)
