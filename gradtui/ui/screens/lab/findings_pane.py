"""Show the findings of the run, and the verdict on a cure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.reactive import var
from textual.widgets import Static

from gradtui.diagnosis.findings import EXPLANATIONS
from gradtui.experiment.cures import has_price
from gradtui.judgement import MARKS, VERDICT_MARKS
from gradtui.ui.screens.lab.code_advice import HINT, code_text, cures_with_code
from gradtui.ui.shown_diagnosis import READING, ShownDiagnosis
from gradtui.words import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradtui.diagnosis import Finding
    from gradtui.report.divergences import RecordedDivergence


TWO_COLUMNS, COLUMN_GAP = 160, 2
"""The least columns of a pane in which the cures stand beside the findings, and the blanks between the two."""


class FindingsPane(VerticalScroll, can_focus=True):
    """The FindingsPane shows the findings of the run, the worst first, and above them the verdict on a cure."""

    ALLOW_MAXIMIZE = True  # Textual's scrolling containers do not allow it by themselves.
    HELP = (
        "## Findings\n\n"
        "The findings of this run, with the numbers that they are based on. Below them is the **note** on the run, "
        'which `"` edits.'
    )
    DEFAULT_CSS = """
    FindingsPane {
        padding: 0 1; scrollbar-size-vertical: 1;
        &.-maximized Static { max-width: 110; }
        & #findings-cures { display: none; }
        &.-beside { layout: horizontal; }
        &.-beside Static { width: 1fr; margin: 0 2 0 0; }
        &.-beside #findings-cures { display: block; margin: 0; }
    }
    """

    diagnosis: var[ShownDiagnosis | None] = var(None)
    """The diagnosis of the run; None before the first."""

    reading = False
    """Whether the run is read for the first time; it is set before the diagnosis."""

    step: var[int] = var(0)
    """The step that is shown."""

    curable = True
    """Whether the keys that train cures have an effect for this run; it is set before the findings."""

    breaks: var[tuple[RecordedDivergence, ...]] = var(())
    """The steps at which the run diverged."""

    verdict: var[tuple[str, ...]] = var(())
    """The verdict on a fork: its cure, the time of the judgement, and the lines of the verdict; empty without a
    comparison."""

    note: var[str] = var("")
    """The note on the run, which may have several lines."""

    _written = Content()
    """The text on the screen."""

    def compose(self) -> ComposeResult:
        """Yield the text, and the one that stands beside it on a wide screen."""
        yield Static(id="findings-text")
        yield Static(id="findings-cures")

    def on_mount(self) -> None:
        """Write the first text, and another one where the pane fills the screen."""
        self._show()
        self.watch(self.screen, "maximized", self._show, init=False)

    def watch_diagnosis(self) -> None:
        """Write the text again."""
        if self.is_attached:
            self._show()

    watch_breaks = watch_verdict = watch_note = watch_diagnosis

    def watch_step(self) -> None:
        """Write the text again if it names the step."""
        if self.is_attached and (self.diagnosis is None or not self.diagnosis.findings):
            self._show()

    def on_resize(self) -> None:
        """Break the lines of a verdict and of code to the new width."""
        self._show()

    @property
    def _columns(self) -> int:
        """Return the width of the text beside the scrollbar that a long text brings."""
        return max(1, self.content_size.width - self.styles.scrollbar_size_vertical)

    def _show(self) -> None:
        diagnosis = self.diagnosis or ShownDiagnosis()
        columns = self._columns if self.content_size.width else 0
        beside = self._show_cures_beside(diagnosis.findings or ())
        text = findings_text(
            diagnosis, self.step, columns, explained=self.is_maximized, names_cures=not beside
        )
        if self.diagnosis is None and self.reading:
            text = Content.styled(f"◌ {READING} …", "$secondary")
        findings, later = diagnosis.findings, diagnosis.later
        curable = self.curable and bool(findings or later)
        explained = findings or diagnosis.remarks
        title = "Verdict and findings" if self.verdict else "Findings"
        for broke in self.breaks:
            mark, colour = MARKS["warning" if broke.kind == "jump" else "critical"]
            text += Content.assemble(
                (f"\n\n{mark} {broke.kind} at step {broke.step:,}", f"bold {colour}"),
                f"\n{broke.what}\n",
                (broke.batch, "$secondary"),
            )
        if self.note:
            lines = "\n".join(printable(line) for line in self.note.splitlines())
            text += Content.assemble(("\n\nnote  ", "$secondary"), lines)
        if self.verdict:
            text = _verdict(self._columns, *self.verdict) + "\n\n" + text
        hint = "w why · f fix it · T all cures" if curable else "w why" if explained else ""
        self._write(title, text, HINT if cures_with_code(findings) else hint)

    def _show_cures_beside(self, findings: Sequence[Finding]) -> bool:
        """Show the cures with their reasons in a column of their own where there is room, and return whether."""
        roomy = self.is_maximized and self.content_size.width >= TWO_COLUMNS
        text = cures_text(findings, self._columns // 2 - COLUMN_GAP) if roomy else Content("")
        beside = bool(text.plain)
        self.set_class(beside, "-beside")
        if beside:
            self.query_one("#findings-cures", Static).update(text)
        return beside

    def _write(self, title: str, text: Content, hint: str) -> None:
        """Put the text on the screen, with a new layout only if the text takes other lines.

        A figure in it may change several times a second, and a layout costs as much as all charts together. Setting a
        title, even to the same text, makes Textual paint the whole pane.
        """
        if (title, hint) != (self.border_title, self.border_subtitle):
            self.border_title, self.border_subtitle = title, hint
        if text == self._written and text.spans == self._written.spans:
            return
        self._written = text
        static = self.query_one("#findings-text", Static)
        width, height = static.content_size
        static.update(text, layout=not width or text.get_height({}, width) != height)


def findings_text(
    diagnosis: ShownDiagnosis,
    step: int,
    columns: int = 0,
    *,
    explained: bool = False,
    names_cures: bool = True,
) -> Content:
    """Return the findings at the shown step, or why there are none, then remarks and the findings of later steps.

    Args:
        diagnosis: what was found.
        step: the step that is shown.
        columns: the most columns of a line of code; 0 leaves it whole.
        explained: whether each is followed by what `w` says of it, for which the full screen has room.
        names_cures: whether the first cures of each are named.
    """
    findings, later = diagnosis.findings, diagnosis.later
    if findings:
        # An explosion and the NaN that it ends in share the cure that Y copies, so it is written once.
        first = next((finding for finding in findings if cures_with_code([finding])), None)
        text = Content("\n").join(
            _describe(finding, columns, code=finding is first, explained=explained, names_cures=names_cures)
            for finding in findings
        )
    else:
        text = diagnosis.without_findings(step)
    if diagnosis.why:
        text += Content.styled(f"\n{diagnosis.why}", "$secondary")
    for remark in diagnosis.remarks:
        text += Content("\n") + _describe(
            remark, columns, code=False, explained=explained, names_cures=names_cures
        )
    for finding in later:
        text += Content.styled(f"\n{MARKS[finding.severity][0]} {finding.code}  {finding.when}", "$secondary")
    return text


def _verdict(columns: int, cure: str, when: str, head: str, *lines: str) -> Content:
    mark, colour = VERDICT_MARKS.get(head.partition(":")[0], MARKS["checking"])
    text = Content.assemble((f"{cure}, {when}\n", "$secondary"), (f"{mark} {head}", f"bold {colour}"))
    for line in lines:
        for part in Content(line).wrap(max(1, columns - 2)):
            text += "\n  " + part
    return text


def cures_text(findings: Sequence[Finding], columns: int) -> Content:
    """Return every cure of the findings with its reason and cost; the code of the first that has any."""
    offers = {cure.name: cure for finding in findings for cure in finding.cures}
    copied = cures_with_code(findings)[:1]
    parts = []
    for cure in offers.values():
        lines = [Content.assemble(("→ ", "$accent"), (printable(cure.name), "bold"))]
        cost = [f"cost: {cure.price}"] if has_price(cure.price) else []
        lines += [
            Content("  ") + line
            for said in (cure.why, *cost)
            for line in Content(said).wrap(max(1, columns - 2))
        ]
        lines += [code_text(cure, columns)] if cure in copied else []
        parts.append(Content("\n").join(lines))
    heading = Content.styled("Cures\n", "bold $accent")
    return heading + Content("\n\n").join(parts) if parts else Content("")


def _describe(finding: Finding, columns: int, *, code: bool, explained: bool, names_cures: bool) -> Content:
    mark, colour = MARKS[finding.severity]
    text = Content.assemble(
        (f"{mark} {finding.code}", f"bold {colour}"),
        (f"  {finding.when}\n", "$secondary"),
        f"{finding.evidence}\n",
    )
    copied = cures_with_code([finding])[:1] if code else []
    for cure in finding.cures[:3] if names_cures else ():
        text += Content.assemble(("→ ", "$accent"), cure.name, "\n")
        if cure in copied:
            text += code_text(cure, columns) + "\n"
    explanation = EXPLANATIONS.get(finding.code) if explained else None
    if explanation is not None:
        for label, said in explanation.parts:
            text += Content.assemble((f"\n{label}\n", "bold $accent"), said, "\n")
    return text
