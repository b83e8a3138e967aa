"""What is said over and under the table of cures: how far they are, what was wrong, and all of the chosen one."""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from gradtui.study.state import TrialRow, TrialsState
from gradtui.ui.widgets.status_bar import bar


class TrialsBar(Widget):
    """The first line: whose cures, how many are done, and a bar over all."""

    DEFAULT_CSS = """
    TrialsBar { height: 1; padding: 0 1; background: $panel; color: $foreground; text-wrap: nowrap; }
    """

    state: reactive[TrialsState] = reactive(TrialsState())

    def render(self) -> Content:
        """Name on the left; what is done, and the bar, on the right."""
        state, width = self.state, self.content_size.width
        left = Content.assemble(
            ("gradtui", "bold $accent"), "  ", (state.name, "bold"), (" · every cure", "$secondary")
        )
        right = words_of(state)
        if state.rows and not state.done:
            room = width - left.cell_length - right.cell_length - 4
            if room >= 8:
                right += Content("  ") + bar(state.share, min(32, room))
        return left + Content(" " * max(2, width - left.cell_length - right.cell_length)) + right


def words_of(state: TrialsState) -> Content:
    """How far all of it is."""
    if state.problem:
        return Content.styled("✖ nothing to compare", "$error")
    if not state.rows:
        return Content.styled("◌ reading the run", "$accent")
    cures = [row for row in state.rows if row.key]
    ended = sum(row.ended for row in cures)
    if not state.done:
        return Content.styled(f"● {ended} of {len(cures)} cures trained", "$success")
    healed = sum(row.verdict is not None and row.verdict.healed for row in cures)
    stopped = sum(row.state == "stopped" for row in cures)
    if stopped:
        return Content.styled(f"■ stopped: {healed} of {len(cures) - stopped} healed", "$secondary")
    return Content.styled(f"✓ done: {healed} of {len(cures)} healed", "$success")


class Illness(Widget):
    """What is wrong with the sick run, or why nothing can be compared; one line."""

    DEFAULT_CSS = """
    Illness { height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    state: reactive[TrialsState] = reactive(TrialsState())

    def render(self) -> Content:
        """The first finding, and the names of the others."""
        if self.state.problem:
            return Content.styled(self.state.problem, "$error")
        if not self.state.findings:
            return Content("")
        first, *others = self.state.findings
        said = "".join(f" · {found.code}" for found in others)
        return Content.assemble(
            (f"✖ {first.code}{said}", "bold $error"),
            (f"  since step {first.step:,}  ", "$secondary"),
            first.evidence,
        )


class CureLines(Widget):
    """All that is known of the chosen cure: the verdict in figures, why it should help, and its price."""

    DEFAULT_CSS = """
    CureLines { height: 4; padding: 1 1 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    row: reactive[TrialRow | None] = reactive(None)

    def render(self) -> Content:
        """Three lines."""
        row = self.row
        if row is None:
            return Content("")
        if row.verdict is not None:
            head, *figures = row.verdict.lines()
            said = Content.assemble((head, "bold"), (" · " + " · ".join(figures), "$secondary"))
        elif not row.key:
            said = Content("The same net once more, without a cure: what the others are held against.")
        else:
            said = Content.styled(row.reason or "what became of it, its end will tell", "$secondary")
        candidate = row.candidate
        why = Content.assemble(("why    ", "$secondary"), candidate.why) if candidate.why else Content("")
        price = (
            Content.assemble(("price  ", "$secondary"), candidate.price) if candidate.price else Content("")
        )
        return Content("\n").join((said, why, price))
