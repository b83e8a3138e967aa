"""The pane with the findings on the run, and the verdict on a cure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static

if TYPE_CHECKING:
    from gradtui.diagnosis import Finding
    from gradtui.report.divergences import Divergence

_MARKS = {"critical": ("✖", "$error"), "warning": ("▲", "$warning"), "info": ("i", "$primary")}


class FindingsPane(VerticalScroll, can_focus=True):
    """The FindingsPane shows the findings on the run, the worst first, and above them the verdict on a cure."""

    ALLOW_MAXIMIZE = True  # Textual's scrolling containers do not allow it by themselves.
    HELP = "## Findings\n\nWhat the diagnosis says of this run, with the figures it rests on."
    DEFAULT_CSS = """
    FindingsPane {
        padding: 0 1; scrollbar-size-vertical: 1;
    }
    """

    findings: reactive[tuple[Finding, ...] | None] = reactive(None)
    """None before the first diagnosis; empty where nothing was found."""

    curable = True
    """This is true if the keys that train cures do anything for this run; set before the findings."""

    breaks: reactive[tuple[Divergence, ...]] = reactive(())
    """The steps at which the run diverged."""

    verdict: reactive[tuple[str, ...]] = reactive(())
    """The verdict of a fork: its cure, when it is judged, and the lines of the verdict; empty where nothing is
    compared."""

    def compose(self) -> ComposeResult:
        """Yield one text."""
        yield Static(id="findings-text")

    def on_mount(self) -> None:
        """Write the title and the text."""
        self.border_title = "Findings"
        self._show()

    def watch_findings(self) -> None:
        """Write the text anew."""
        if self.is_attached:
            self._show()

    def watch_breaks(self) -> None:
        """Write the text anew."""
        if self.is_attached:
            self._show()

    def watch_verdict(self) -> None:
        """Write the text anew."""
        if self.is_attached:
            self._show()

    def _show(self) -> None:
        findings = self.findings
        self.border_title = "Verdict and findings" if self.verdict else "Findings"
        if findings is None:
            text = Content.styled("What is sick shows here.", "$secondary")
        elif not findings:
            text = Content.assemble(("✓", "$success"), " nothing found: the gradients look healthy")
        else:
            text = Content("\n").join(_describe(finding) for finding in findings)
        if findings and self.curable:
            text += Content.assemble(
                ("\n f ", "bold $accent on $panel"),
                " train a twin with a cure beside it",
                ("\n T ", "bold $accent on $panel"),
                " try every cure, and rank them",
            )
        for broke in self.breaks:
            text += Content.assemble(
                (f"\n\n✖ broke at step {broke.step:,}", "bold $error"),
                f"\n{broke.what}\n",
                (broke.batch, "$secondary"),
            )
        if self.verdict:
            text = _verdict(*self.verdict) + "\n\n" + text
        self.query_one("#findings-text", Static).update(text)


def _verdict(cure: str, when: str, head: str, *lines: str) -> Content:
    mark, colour = ("✓", "$success") if head.startswith("healed") else ("▲", "$warning")
    text = Content.assemble((f"{cure}, {when}\n", "$secondary"), (f"{mark} {head}", f"bold {colour}"))
    for line in lines:
        text += Content("\n  " + line)
    return text


def _describe(finding: Finding) -> Content:
    mark, colour = _MARKS[finding.severity]
    text = Content.assemble(
        (f"{mark} {finding.code}", f"bold {colour}"),
        (f"  since step {finding.step:,}\n", "$secondary"),
        f"{finding.evidence}\n",
    )
    for cure in finding.cures[:3]:
        text += Content.assemble(("→ ", "$accent"), cure.name, "\n")
    return text
