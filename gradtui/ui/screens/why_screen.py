"""The WhyScreen explains the findings of a run: what happens, why, how one sees it, and what helps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from gradtui.diagnosis.findings import EXPLANATIONS, INFORMATION_CODES, Explanation
from gradtui.judgement import MARKS
from gradtui.ui.disk_work import DiskWork
from gradtui.ui.one_answer import OneAnswer
from gradtui.ui.screens.dialogs import TextFrame

if TYPE_CHECKING:
    from gradtui.diagnosis import Finding
    from gradtui.diagnosis.factors import Factors
    from gradtui.ui.followed_run import FollowedRun
    from gradtui.ui.shown_diagnosis import ShownDiagnosis


HEALTHY = Explanation(
    "Each layer multiplies the gradient by a factor on its way from the output to the input. In a "
    "healthy net these factors lie near 1, so all layers get a gradient of about the same size.",
    "The bars have about the same height.",
    "Nothing needs to be fixed.",
)


class Paragraph(NamedTuple):
    """A Paragraph is a text of the screen, with the word that stands before it."""

    text: Content
    label: str = ""
    """What the text is about; "" for a text that begins at the edge."""
    begins: bool = False
    """Whether an empty line separates it from what is above."""


class WhyScreen(ModalScreen[None], OneAnswer[None]):
    """The WhyScreen shows what is known about a run's findings.

    Args:
        paragraphs: what `explained` returned.
    """

    DEFAULT_CSS = """
    WhyScreen {
        align: center middle;
        & > TextFrame { max-width: 100; max-height: 100%; }
        & .paragraph { height: auto; }
        & .-begins { margin-top: 1; }
        & .label { width: 9; color: $accent; text-style: bold; }
        & .text { width: 1fr; }
    }
    """
    BINDINGS = [Binding("escape,w,q", "dismiss(None)", "back")]

    def __init__(self, paragraphs: Sequence[Paragraph]) -> None:
        super().__init__()
        self.paragraphs = paragraphs

    def compose(self) -> ComposeResult:
        """Yield the paragraphs; the lines of one with a label are all indented by the width of the labels."""
        with TextFrame("Why"):
            for paragraph in self.paragraphs:
                with Horizontal(classes="paragraph").set_class(paragraph.begins, "-begins"):
                    if paragraph.label:
                        yield Static(paragraph.label, classes="label")
                    yield Static(paragraph.text, classes="text")


def explain(screen: Screen[Any], run: FollowedRun | None, disk: DiskWork) -> None:
    """Explain what was found in a run, over a screen; its files are read in a thread."""
    if run is None:
        return
    paragraphs = explained(run.diagnosis, run.data.step if run.data is not None else 0)
    disk.do(
        lambda: factors_of(run),
        lambda factors: screen.app.push_screen(WhyScreen([*paragraphs, *_measured(factors)])),
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


def explained(diagnosis: ShownDiagnosis, step: int) -> list[Paragraph]:
    """Return what the findings at a step mean, with their numbers, or that nothing was found or is known yet."""
    findings = diagnosis.findings or diagnosis.newest_findings or ()
    paragraphs = [paragraph for finding in findings for paragraph in _finding(finding)]
    if not findings:
        clean = diagnosis.judgement.state == "clean"
        paragraphs = [Paragraph(diagnosis.without_findings(step)), *(_general(HEALTHY) if clean else [])]
    for remark in diagnosis.remarks:
        # The explanation of a code such as vanishing describes a net that fails, and this one does not.
        told = _finding(remark)
        paragraphs += told if remark.code in INFORMATION_CODES else told[:2]
    first, *others = paragraphs
    # Only what follows another finding needs an empty line above it.
    return [first._replace(begins=False), *others]


def _measured(factors: Factors | None) -> list[Paragraph]:
    """Return the factors by which the layers of the run multiply the gradient, in words."""
    if factors is None or (said := factors.headline).tone == "none":
        return []
    way = "" if factors.over_time else ", from the output layer to the input"
    return [
        Paragraph(Content.assemble(f"{said.text}{way}. ", ("P", "bold $accent"), " draws them."), "Factors")
    ]


def _finding(finding: Finding) -> list[Paragraph]:
    mark, colour = MARKS[finding.severity]
    head = Content.assemble((f"{mark} {finding.code}", f"bold {colour}"), (f"  {finding.when}", "$secondary"))
    explanation = EXPLANATIONS.get(finding.code)
    general = [] if explanation is None else _general(explanation)
    return [Paragraph(head, begins=True), Paragraph(Content(finding.evidence)), *general]


def _general(explanation: Explanation) -> list[Paragraph]:
    return [Paragraph(Content(said), label) for label, said in explanation.parts]
