"""The FindingsPane shows the findings on the run, and the verdict on a cure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.reactive import var
from textual.widgets import Static

from gradtui.ui.screens.lab.code_advice import HINT, code_text, cures_with_code

if TYPE_CHECKING:
    from gradtui.diagnosis import Finding
    from gradtui.diagnosis.judged import Judged
    from gradtui.report.divergences import Divergence
    from gradtui.ui.followed_run import FollowedRun

NOTHING_YET = "Findings appear here once training has started."

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

    findings: var[tuple[Finding, ...] | None] = var(None)
    """None where nothing can be said yet; empty where nothing was found."""

    waits_for: var[str] = var("")
    """Why nothing can be said yet, as `waits_for` has it; "" before the first run."""

    later: var[tuple[Finding, ...]] = var(())
    """What was found at later steps than the one that is shown."""

    step: var[int] = var(0)
    """The step that is shown."""

    judged: var[Judged | None] = var(None)
    """What could be judged of the run; None where another step than the newest is shown."""

    curable = True
    """This is true if the keys that train cures do anything for this run; set before the findings."""

    breaks: var[tuple[Divergence, ...]] = var(())
    """The steps at which the run diverged."""

    verdict: var[tuple[str, ...]] = var(())
    """The verdict of a fork: its cure, when it is judged, and the lines of the verdict; empty where nothing is
    compared."""

    _written = Content()
    """The text on the screen."""

    def compose(self) -> ComposeResult:
        """Yield one text."""
        yield Static(id="findings-text")

    def on_mount(self) -> None:
        """Write the first text."""
        self._show()

    def watch_findings(self) -> None:
        """Write the text anew."""
        if self.is_attached:
            self._show()

    watch_judged = watch_waits_for = watch_later = watch_breaks = watch_verdict = watch_findings

    def watch_step(self) -> None:
        """Write the text anew where it names the step."""
        if self.is_attached and not self.findings:
            self._show()

    def _show(self) -> None:
        findings = self.findings
        if findings is None:
            text = Content.styled(self.waits_for or NOTHING_YET, "$secondary")
        elif not findings and self.later:
            text = Content(f"No problem yet at step {self.step:,}.")
        elif not findings and self.judged is not None and not self.judged.enough_steps:
            text = Content.styled(f"◌ Too short to say (step {self.step:,}).", "$secondary")
        elif not findings:
            text = Content.assemble(("✓", "$success"), f" No problems found (step {self.step:,}).")
        else:
            # What an explosion and the NaN that it ends in have in common is written once: what Y copies.
            first = next((finding for finding in findings if cures_with_code([finding])), None)
            text = Content("\n").join(_describe(finding, code=finding is first) for finding in findings)
        if findings is not None and self.judged is not None and self.judged.why:
            text += Content.styled(f"\n{self.judged.why}", "$secondary")
        for finding in self.later:
            text += Content.styled(
                f"\n{_MARKS[finding.severity][0]} {finding.code}  since step {finding.step:,}", "$secondary"
            )
        curable = self.curable and bool(findings or self.later)
        title = "Verdict and findings" if self.verdict else "Findings"
        for broke in self.breaks:
            text += Content.assemble(
                (f"\n\n✖ broke at step {broke.step:,}", "bold $error"),
                f"\n{broke.what}\n",
                (broke.batch, "$secondary"),
            )
        if self.verdict:
            text = _verdict(*self.verdict) + "\n\n" + text
        hint = "f fix it · T try all fixes" if curable else ""
        self._write(title, text, HINT if cures_with_code(findings) else hint)

    def _write(self, title: str, text: Content, hint: str) -> None:
        """Put the text on the screen; have the screen laid out anew only where the text takes other lines.

        A figure in it may change several times a second, and a layout costs as much as all charts together. Textual
        paints a whole pane anew where its title is set, even to the same one.
        """
        if (title, hint) != (self.border_title, self.border_subtitle):
            self.border_title, self.border_subtitle = title, hint
        if text == self._written and text.spans == self._written.spans:
            return
        self._written = text
        static = self.query_one("#findings-text", Static)
        width, height = static.content_size
        static.update(text, layout=not width or text.get_height({}, width) != height)


def waits_for(run: FollowedRun) -> str:
    """Return why nothing can be said of a run yet; "" before its first step."""
    if run.data is None or not run.data.step:
        return ""
    if run.at is not None:
        return (
            f"◌ Step {run.data.step:,} is too early to judge." if not run.objection else f"▲ {run.objection}"
        )
    if run.live:
        pending = ", ".join(f"{code}?" for code in run.pending) or run.objection
        return f"◌ checking{': ' if pending else ''}{pending} (step {run.data.step:,})"
    return f"▲ No rule names a problem, but {run.objection}." if run.objection else ""


def _verdict(cure: str, when: str, head: str, *lines: str) -> Content:
    mark, colour = ("✓", "$success") if head.startswith("fixed") else ("▲", "$warning")
    text = Content.assemble((f"{cure}, {when}\n", "$secondary"), (f"{mark} {head}", f"bold {colour}"))
    for line in lines:
        text += Content("\n  " + line)
    return text


def _describe(finding: Finding, *, code: bool) -> Content:
    mark, colour = _MARKS[finding.severity]
    text = Content.assemble(
        (f"{mark} {finding.code}", f"bold {colour}"),
        (f"  since step {finding.step:,}\n", "$secondary"),
        f"{finding.evidence}\n",
    )
    copied = cures_with_code([finding])[:1] if code else []
    for cure in finding.cures[:3]:
        text += Content.assemble(("→ ", "$accent"), cure.name, "\n")
        if cure in copied:
            text += code_text(cure) + "\n"
    return text
