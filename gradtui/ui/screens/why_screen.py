"""The WhyScreen explains the findings of a run: what happens, why, how one sees it, and what helps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from gradtui.judgement import MARKS
from gradtui.ui.disk_work import DiskWork

if TYPE_CHECKING:
    from gradtui.diagnosis import Finding
    from gradtui.diagnosis.factors import Factors
    from gradtui.ui.followed_run import FollowedRun


@dataclass(frozen=True)
class Explanation:
    """An Explanation says in general what a finding is."""

    what: str
    """What happens, and why."""
    signs: str
    """How one sees it."""
    helps: str
    """What helps."""


EXPLANATIONS = {
    "vanishing": Explanation(
        "The gradient runs from the output back to the input, and each layer multiplies it by a factor: the slope of"
        " the activation times the weights. Here the factors are below 1. A product of many of them is almost 0, so "
        "the first layers get no direction to learn in. In a recurrent net the same happens from step to step back "
        "in time.",
        "The bars fall towards the input; update ÷ weight of the first layers is below 1e-6; the loss stays at "
        "guessing.",
        "Activations with slope 1 (ReLU), weights of the size that fits them (He, Xavier), normalisation, shortcuts "
        "around layers, fewer layers; over time LSTM or GRU.",
    ),
    "exploding": Explanation(
        "Each layer multiplies the gradient by a factor on its way back. Here the factors are above 1, or the steps "
        "made the weights grow until they were. A product of many of them is huge, and a step along it throws the "
        "weights far off.",
        "Three signs: the loss does not improve, the loss swings wildly, or the loss becomes NaN. The gradient norm "
        "rises.",
        "Clipping, a smaller learning rate, weights of a fitting size, normalisation, fewer layers, a penalty on "
        "weights.",
    ),
    "nonfinite": Explanation(
        "A number grew beyond what its format can hold, or a formula had no result (0 ÷ 0, the log of 0). NaN "
        "spreads: what is computed from it is NaN too, and after one step all weights are.",
        "× in the waterfall and NaN in the loss; the finding names the step and the first layer.",
        "What helps against exploding gradients; in half precision loss scaling or bfloat16. f also offers cures "
        "from a step before it happened.",
    ),
    "dead-units": Explanation(
        "A ReLU unit whose input is below 0 for every example gives 0 and has slope 0, so no gradient changes it any"
        " more: it stays dead. A large step or a negative bias does that.",
        'The metric "Dead units" (m); rows of zeros in the waterfall.',
        "ELU, leaky ReLU or a learned slope, which let a gradient through below 0; a smaller rate; biases that start"
        " at 0.",
    ),
    "saturated": Explanation(
        "Sigmoid and tanh are flat where their input is large. A unit there has a slope of almost 0, and passes "
        "almost no gradient on.",
        'The metric "Saturated units" (m) is near 100 %.',
        "Smaller first weights, normalisation, a smaller rate, or an activation that is not flat.",
    ),
    "unstable-loss": Explanation(
        "The steps are too long for the shape of the loss: they jump over its valleys, so it falls and rises again.",
        "The loss swings above that of guessing; the gradient norm has peaks at the same steps.",
        "A smaller learning rate, warm-up, clipping, a larger batch.",
    ),
    "underflow": Explanation(
        "Half precision cannot hold numbers below 6e-8. Smaller gradients are rounded to exactly 0.",
        "0 in the waterfall at the input, while layers nearer to the output have a gradient.",
        "Loss scaling, which multiplies the gradient before it is rounded, or bfloat16, which has smaller numbers.",
    ),
    "overclipped": Explanation(
        "The clipping threshold is far below the gradient's usual norm, so almost every step is shortened, and the "
        "net hardly moves.",
        "The marks ▃ ▄ over the curves in nearly all columns; the norm after clipping is far below that before.",
        "A larger threshold: a little above the usual norm.",
    ),
    "not-learning": Explanation(
        "The gradient is healthy and the loss still stays at that of guessing. Then the steps are too short or too "
        "long, or the data do not say what is asked.",
        "A flat loss, with a gradient that is even over depth.",
        "Another learning rate; a look at the data and the labels.",
    ),
    "degradation": Explanation(
        "A deeper net could always copy a shallower one by letting its further layers pass their input on. Yet plain"
        " layers learn this identity badly, so deeper nets end worse, on the training data too. It is not "
        "overfitting.",
        "Even gradients, and a worse training accuracy than that of a shallower net.",
        "Shortcuts around the layers: then a layer that changes nothing is the identity (residual learning).",
    ),
    "spikes": Explanation(
        "A single batch has a gradient far above that of its neighbours, as one wrong label or one odd example can "
        "make it.",
        "Lone peaks in the gradient norm.",
        "Clipping, and a look at the examples of these batches.",
    ),
    "no-gradient": Explanation(
        "Nothing of the loss reaches these layers: something between them and the loss is not differentiable or is "
        "cut off.",
        "Exactly 0, or no value at all, at every step.",
        "Look for detach(), .item(), no_grad() or an unused output.",
    ),
    "not-cleared": Explanation(
        "The gradients of earlier steps are still there when the next ones are added, so each step follows their "
        "sum.",
        "A gradient norm that grows step by step.",
        "Call optimizer.zero_grad() once in each step.",
    ),
    "not-optimized": Explanation(
        "These parameters get a gradient, and no optimizer has them, so nothing changes them.",
        "A weight norm that stays exactly the same.",
        "Give the optimizer model.parameters() after the last layer was added.",
    ),
}
"""What each finding is, by its code."""

HEALTHY = Explanation(
    "Each layer multiplies the gradient by a factor on its way from the output to the input. Here the factors lie near "
    "1, so that all layers get a gradient of about the same size.",
    "Bars of about the same height.",
    "Nothing needs to be fixed.",
)


class WhyScreen(ModalScreen[None]):
    """The WhyScreen shows one text about a run.

    Args:
        text: what `explained` returned.
    """

    DEFAULT_CSS = """
    WhyScreen {
        align: center middle;
        & > VerticalScroll {
            width: 96%; max-width: 100; height: auto; max-height: 90%; border: round $accent;
            border-title-color: $accent; border-subtitle-color: $text-muted; background: $surface; padding: 0 1;
            scrollbar-size-vertical: 1;
        }
    }
    """
    BINDINGS = [Binding("escape,w,q", "dismiss(None)", "back")]

    def __init__(self, text: Content) -> None:
        super().__init__()
        self.text = text

    def compose(self) -> ComposeResult:
        """Yield the text."""
        with VerticalScroll() as frame:
            frame.border_title = "Why"
            frame.border_subtitle = "↑↓ more · esc back"
            yield Static(self.text)

    def on_mount(self) -> None:
        """Let the arrows scroll the text."""
        self.query_one(VerticalScroll).focus()


def explain(screen: Screen[Any], run: FollowedRun | None, disk: DiskWork) -> None:
    """Explain what was found in a run, over a screen; its files are read in a thread."""
    if run is None:
        return
    findings = run.findings or run.newest_findings or ()
    disk.do(
        lambda: factors_of(run),
        lambda factors: screen.app.push_screen(WhyScreen(explained(findings, factors))),
    )


def factors_of(run: FollowedRun) -> Factors | None:
    """Read the factors by which the layers of a run multiply the gradient, at the step that is shown."""
    from gradtui.diagnosis.factors import factors_of_run
    from gradtui.runs.errors import RunError
    from gradtui.runs.reader import open_run

    try:
        return factors_of_run(open_run(run.folder), run.at)
    except (OSError, RunError):
        return None


def explained(findings: Sequence[Finding], factors: Factors | None) -> Content:
    """Return what the findings of a run mean, with their numbers, and the factors of its layers."""
    parts = [_finding(finding) for finding in findings]
    if not parts:
        parts = [Content.styled("No problem was found.", "bold $success") + "\n" + _general(HEALTHY)]
    if factors is not None and (said := factors.headline).tone != "none":
        of_what = "steps back in time" if factors.over_time else "layers, from the output to the input"
        parts.append(
            Content.assemble(
                ("In this run", "bold $accent"),
                f", the factors of the {of_what}:\n{said.text}\n",
                ("P", "bold $accent"),
                " draws them.",
            )
        )
    return Content("\n\n").join(parts)


def _finding(finding: Finding) -> Content:
    mark, colour = MARKS.get(finding.severity, ("i", "$primary"))
    head = Content.assemble(
        (f"{mark} {finding.code}", f"bold {colour}"), (f"  since step {finding.step:,}", "$secondary")
    )
    text = head + "\n" + finding.evidence
    explanation = EXPLANATIONS.get(finding.code)
    return text if explanation is None else text + "\n" + _general(explanation)


def _general(explanation: Explanation) -> Content:
    return Content.assemble(
        ("Why    ", "bold $accent"), explanation.what, "\n",
        ("Signs  ", "bold $accent"), explanation.signs, "\n",
        ("Helps  ", "bold $accent"), explanation.helps,
    )  # fmt: skip
