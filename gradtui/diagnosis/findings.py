"""Define what a diagnosis says: the registry of all finding codes, and the finding with the cures that it offers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["critical", "warning", "info"]

Effect = Literal["explodes", "vanishes", "dead", "learns badly"]
"""The effect on the net: its gradient grows too large or becomes too small, its units no longer respond, or its
gradient is healthy and it learns badly for another reason."""


@dataclass(frozen=True)
class Explanation:
    """An Explanation says in general what a finding is."""

    what: str
    """What happens, and why."""
    signs: str
    """How one sees it."""
    helps: str
    """What helps."""
    over_time: Explanation | None = None
    """What is said instead where the net is recurrent; None where the same is true of it."""

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """Return the texts in their order, each with the word that stands before it on the screen."""
        return ("Why", self.what), ("Signs", self.signs), ("Helps", self.helps)


@dataclass(frozen=True)
class FindingCode:
    """A FindingCode is one row of the registry: one thing that can be wrong with a run."""

    code: str
    """The name in files, on the command line and on the screen."""
    title: str
    effect: Effect
    explanation: Explanation
    severity: Severity = "critical"
    """The highest severity; a rule lowers it to "warning" if the net learns all the same."""


REGISTRY = (
    FindingCode(
        "not-optimized",
        "no optimizer moves parameters that get a gradient",
        "learns badly",
        Explanation(
            "These parameters get a gradient, but no optimizer holds them, so nothing changes them.",
            "The weight norm stays exactly the same.",
            "Create the optimizer from model.parameters() after the last layer was added.",
        ),
    ),
    FindingCode(
        "not-cleared",
        "gradients are never cleared between two steps",
        "explodes",
        Explanation(
            "The gradients of earlier steps are still there when the next ones are added, so each step follows "
            "their sum.",
            "The gradient norm grows step by step.",
            "Call optimizer.zero_grad() once in each step.",
        ),
    ),
    FindingCode(
        "clip-unused",
        "gradients are clipped where it changes nothing",
        "explodes",
        Explanation(
            "Clipping changes only the gradient that exists when it is called. Before backward() "
            "there is none, or only that of the step before, so the new gradient reaches the "
            "optimizer unclipped.",
            "The gradient norm after clipping is the same as before it, at every step.",
            "Call clip_grad_norm_ between backward() and the optimizer's step.",
        ),
        "info",
    ),
    FindingCode(
        "exploding",
        "the gradient grows towards the input or during training",
        "explodes",
        Explanation(
            "Each layer multiplies the gradient by a factor on its way back. Here the factors are "
            "above 1, or the steps made the weights grow until they were. The product of many such "
            "factors is huge, and one step along this gradient moves the weights far away.",
            "The gradient norm rises, and the loss does not improve, swings wildly or becomes NaN.",
            "Clip the gradient, reduce the learning rate, start with weights of the right size, or "
            "use normalisation, fewer layers or a penalty on the weights.",
        ),
    ),
    FindingCode(
        "nonfinite",
        "NaN or infinity in loss, gradients or activations",
        "explodes",
        Explanation(
            "A number grew beyond what its format can hold, or a formula had no finite result (0 ÷ 0, "
            "the log of 0). NaN spreads: everything computed from it is NaN too, and after one step so "
            "are all weights.",
            "The waterfall shows ×, and the loss is NaN. The finding names the step and, where it is known, "
            "the first layer.",
            "The same cures as for exploding gradients help; in half precision also loss scaling or "
            "bfloat16. For gradtui's own experiments, f also offers to start from a step before it happened.",
        ),
    ),
    FindingCode(
        "unstable-loss",
        "the loss swings, or has risen again",
        "explodes",
        Explanation(
            "The steps are too long for the shape of the loss: they jump across its valleys, so it "
            "falls and rises again and again.",
            "The loss swings above that of guessing, or it rises again after the net had learned. The gradient norm "
            "has peaks at the same steps.",
            "Use a smaller learning rate, a warm-up, clipping or a larger batch.",
        ),
    ),
    FindingCode(
        "underflow",
        "the gradient is smaller than its number format can hold",
        "vanishes",
        Explanation(
            "Half precision cannot hold numbers below 6e-8. Smaller gradients are rounded to exactly 0.",
            "The waterfall shows 0 at the input, while layers nearer to the output have a gradient.",
            "Use loss scaling, which multiplies the gradient before it is rounded, or bfloat16, which "
            "has smaller numbers.",
        ),
    ),
    FindingCode(
        "dead-units",
        "units never fire, so no gradient passes through them",
        "dead",
        Explanation(
            "A ReLU unit whose input is below 0 for every example gives 0 and has slope 0, so no "
            "gradient changes it any more: it stays dead. A large step or a negative bias can cause "
            "this.",
            'The metric "Dead units" (key m) is high. If all units of a layer are dead, the waterfall shows 0 there.',
            "Use ELU, leaky ReLU or a learned slope, which have a gradient below 0 as well; or a "
            "smaller learning rate, or biases that start at 0.",
        ),
    ),
    FindingCode(
        "saturated",
        "units are saturated, at the flat ends of their activation",
        "dead",
        Explanation(
            "Sigmoid and tanh are flat where their input is large. A unit there has a slope of almost 0, so "
            "almost no gradient passes through it.",
            'The metric "Saturated units" (key m) is near 100%.',
            "Use smaller initial weights, normalisation, a smaller learning rate or an activation that is not flat.",
        ),
    ),
    FindingCode(
        "vanishing",
        "almost no gradient reaches the input, or far back in time",
        "vanishes",
        Explanation(
            "The gradient runs from the output back to the input, and each layer multiplies it by a "
            "factor: the slope of the activation times the weights. Here the factors are below 1. A "
            "product of many of them is almost 0, so the first layers learn nothing.",
            "The bars get lower towards the input, a step hardly changes the first layers, and the loss "
            "stays at that of guessing.",
            "Use an activation with slope 1 (ReLU), initial weights of the size that suits it (He, "
            "Xavier), normalisation, shortcuts around layers or fewer layers.",
            Explanation(
                "The gradient runs back through the layers, and in a recurrent layer from step to step back "
                "in time. Each multiplies it by a factor: the slope of the activation times the weights. Here "
                "the factors are below 1. A product of many of them is almost 0, so what came long ago is not "
                "learned, or the first layers are not.",
                "The bars get lower towards the longest time lag or towards the input, and the loss stays at "
                "that of guessing.",
                "For long sequences, use an LSTM or a GRU; for many layers, initial weights of the size that "
                "suits the activation, normalisation, shortcuts or fewer layers.",
            ),
        ),
    ),
    FindingCode(
        "no-gradient",
        "layers have never received a gradient",
        "vanishes",
        Explanation(
            "No gradient of the loss reaches these layers: something between them and the loss is not "
            "differentiable, the graph is cut there, or weights that are exactly 0 make it 0.",
            "The gradient is exactly 0, or has no value at all, at every step.",
            "Look for initial weights of 0, detach(), .item(), no_grad() or an output that is not used.",
        ),
    ),
    FindingCode(
        "overclipped",
        "clipping shortens every step too much",
        "vanishes",
        Explanation(
            "The clipping threshold is far below the gradient's usual norm, so almost every step is shortened, "
            "and the weights hardly change.",
            "The marks ▃ ▄ stand over nearly all columns of the curves, and the norm after clipping "
            "is far below that before it.",
            "Use a larger threshold, a little above the usual norm.",
        ),
        "warning",
    ),
    FindingCode(
        "degradation",
        "a deeper net trains worse than a shallower one",
        "learns badly",
        Explanation(
            "A deeper net could always copy a shallower one by letting its further layers pass their "
            "input on. Yet plain layers learn this identity badly, so deeper nets end worse, even on "
            "the training data. This is not overfitting.",
            "The gradients are even, and the training accuracy is worse than that of a shallower net.",
            "Use shortcuts around the layers. Then a layer that adds nothing is the identity "
            "(residual learning).",
        ),
    ),
    FindingCode(
        "spikes",
        "single steps have a gradient far above that of the steps around them",
        "explodes",
        Explanation(
            "A single batch has a gradient far above that of the batches around it. One wrong label "
            "or one odd example can cause this.",
            "The gradient norm has single peaks.",
            "Check the examples of these batches, and clip the gradient.",
        ),
        "info",
    ),
    FindingCode(
        "not-learning",
        "the loss stays at that of guessing, although the gradient is healthy",
        "learns badly",
        Explanation(
            "The gradient is healthy, but the loss stays at that of guessing. Either the steps are "
            "too short or too long, or the inputs do not determine the labels.",
            "The loss is flat, and the gradient is even over depth.",
            "Try another learning rate, and check the data and the labels.",
        ),
    ),
)
"""Every finding code, causes before symptoms: the order in which the findings of a run are shown."""

CODES = tuple(row.code for row in REGISTRY)
EXPLANATIONS = {row.code: row.explanation for row in REGISTRY}
INFORMATION_CODES = frozenset(row.code for row in REGISTRY if row.severity == "info")
"""Codes of findings that are never a fault by themselves."""
JUDGED_AS_A_WHOLE = frozenset({"not-learning", "degradation"})
"""Codes of findings on a whole training: they do not begin at a step, they are found at one."""
_BY_CODE = {row.code: row for row in REGISTRY}


def when_found(code: str, step: int) -> str:
    """Return since which step a finding of this code is there, or at which step it was found."""
    return f"{'at' if code in JUDGED_AS_A_WHOLE else 'since'} step {step:,}"


def codes_with(effect: Effect) -> frozenset[str]:
    """Return the codes of all findings with this effect."""
    return frozenset(row.code for row in REGISTRY if row.effect == effect)


@dataclass(frozen=True)
class CureOffer:
    """A CureOffer is a change of the experiment that may cure what was found."""

    name: str
    set: dict[str, Any] = field(hash=False)
    """New values by dotted path, as `gradtui.experiment.set_fields` takes them; empty for a run without an
    experiment, the training of a script."""
    why: str
    price: str = ""
    """The words for what it costs."""
    key: str = ""
    """The cure's key in `gradtui.experiment.cures.CURES`; empty if it has none."""
    code: str = ""
    """Lines of PyTorch for a script, in its own names; the first one is a comment that says where they go."""
    change: str = ""
    """The change in the form that `gradtui watch --try` takes, if it can be made at run time."""

    def to_json(self) -> dict[str, Any]:
        """Return it as events and reports have it."""
        found = {"name": self.name, "set": dict(self.set), "why": self.why, "code": self.code}
        return {**found, "change": self.change} if self.change else found

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> CureOffer:
        """Read an offer that `to_json` wrote; key and price are those of the known cure of that name, if any."""
        from gradtui.experiment.cures import CURES

        name, changes = str(raw.get("name", "")), raw.get("set")
        known = next((cure for cure in CURES if cure.name == name), None)
        return cls(
            name,
            dict(changes) if isinstance(changes, Mapping) else {},
            str(raw.get("why", "")),
            known.price if known else "",
            known.key if known else "",
            str(raw.get("code", "")),
            str(raw.get("change", "")),
        )


@dataclass(frozen=True)
class Finding:
    """A Finding is one thing that is wrong with a run."""

    code: str
    """One of CODES; a run that another version of gradtui has recorded may have other codes."""
    severity: Severity
    step: int
    """The first recorded step that shows it."""
    layers: tuple[str, ...]
    """The layers that show it, in forward order; empty where it concerns the whole net."""
    evidence: str
    """One sentence with the figures."""
    cures: tuple[CureOffer, ...] = ()
    """The best first."""

    @property
    def when(self) -> str:
        """Return the words for its step."""
        return when_found(self.code, self.step)

    @classmethod
    def of(
        cls,
        code: str,
        step: int,
        layers: tuple[str, ...],
        evidence: str,
        cures: tuple[CureOffer, ...] = (),
        *,
        mild: bool = False,
    ) -> Finding:
        """Make a finding with the severity of the registry, or a warning if the case is mild."""
        severity: Severity = "warning" if mild else _BY_CODE[code].severity
        return cls(code, severity, step, layers, evidence, cures)

    def to_json(self) -> dict[str, Any]:
        """Return it as events and reports have it."""
        return {
            "code": self.code,
            "severity": self.severity,
            "step": self.step,
            "layers": list(self.layers),
            "evidence": self.evidence,
            "cures": [cure.to_json() for cure in self.cures],
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Finding | None:
        """Read a finding that `to_json` wrote, for example from an event; return None if it has no code."""
        code, step, severity = raw.get("code"), raw.get("step"), raw.get("severity")
        layers, cures = raw.get("layers"), raw.get("cures")
        if not isinstance(code, str) or not code:
            return None
        return cls(
            code,
            severity if severity in ("critical", "warning", "info") else "warning",
            step if isinstance(step, int) else 0,
            tuple(map(str, layers)) if isinstance(layers, list) else (),
            str(raw.get("evidence", "")),
            tuple(CureOffer.from_json(cure) for cure in cures if isinstance(cure, Mapping))
            if isinstance(cures, list)
            else (),
        )


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings in the order of the registry; those with an unknown code come last."""
    return sorted(
        findings, key=lambda finding: CODES.index(finding.code) if finding.code in CODES else len(CODES)
    )
