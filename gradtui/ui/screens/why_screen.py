"""The WhyScreen explains the findings of a run: what happens, why, how one sees it, and what helps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from gradtui.diagnosis.findings import EXPLANATIONS, Explanation
from gradtui.judgement import MARKS
from gradtui.ui.disk_work import DiskWork
from gradtui.ui.one_answer import OneAnswer
from gradtui.ui.screens.dialogs import TextFrame

if TYPE_CHECKING:
    from gradtui.diagnosis import Finding
    from gradtui.diagnosis.factors import Factors
    from gradtui.ui.followed_run import FollowedRun


HEALTHY = Explanation(
    "Each layer multiplies the gradient by a factor on its way from the output to the input. In a "
    "healthy net these factors lie near 1, so all layers get a gradient of about the same size.",
    "The bars have about the same height.",
    "Nothing needs to be fixed.",
)


class WhyScreen(ModalScreen[None], OneAnswer[None]):
    """The WhyScreen shows one text about a run.

    Args:
        text: what `explained` returned.
    """

    DEFAULT_CSS = """
    WhyScreen {
        align: center middle;
        & > TextFrame { max-width: 100; }
    }
    """
    BINDINGS = [Binding("escape,w,q", "dismiss(None)", "back")]

    def __init__(self, text: Content) -> None:
        super().__init__()
        self.text = text

    def compose(self) -> ComposeResult:
        """Yield the text."""
        with TextFrame("Why"):
            yield Static(self.text)


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
        parts = [Content.styled("No problem has been found.", "bold $success") + "\n" + _general(HEALTHY)]
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
    mark, colour = MARKS[finding.severity]
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
