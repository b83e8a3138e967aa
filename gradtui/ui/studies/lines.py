"""What is said over a study: what it is, how far it is, and what shows only across its runs."""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from gradtui.study.study_state import StudyState
from gradtui.ui.widgets.status_bar import bar
from gradtui.words import printable, seconds


class StudyBar(Widget):
    """The first line."""

    DEFAULT_CSS = """
    StudyBar { height: 1; padding: 0 1; background: $panel; color: $foreground; text-wrap: nowrap; }
    """

    state: reactive[StudyState | None] = reactive(None)
    begun: reactive[bool] = reactive(False)
    """Whether its runs are begun here."""

    def render(self) -> Content:
        """Name on the left; how far it is, with a bar, on the right."""
        state, width = self.state, self.content_size.width
        if state is None:
            return Content("")
        left = Content.assemble(
            ("gradtui", "bold $accent"), "  ", (printable(state.name), "bold"), (" · study", "$secondary")
        )
        right = words_of(state, self.begun)
        live = any(row.live for row in state.rows)
        if live:
            room = width - left.cell_length - right.cell_length - 4
            if room >= 8:
                right += Content("  ") + bar(state.share, min(32, room))
        return left + Content(" " * max(2, width - left.cell_length - right.cell_length)) + right


def words_of(state: StudyState, begun: bool) -> Content:
    """How far it is, in words."""
    if state.problem:
        return Content.styled("✖ cannot be trained", "$error")
    if not state.rows:
        return Content.styled("◌ reading", "$accent")
    done, total = state.ended, state.total
    if state.kept_by:
        return Content.styled(f"● {done} of {total} · begun by {state.kept_by}", "$success")
    if begun and not state.done:
        left = f" · {seconds(state.seconds_left)} left" if state.seconds_left is not None else ""
        return Content.styled(f"● {done} of {total} trained{left}", "$success")
    if done == total:
        broken = sum(row.state in ("failed", "died") for row in state.rows)
        stopped = sum(row.state == "stopped" for row in state.rows)
        if broken or stopped:
            said = ", ".join(
                f"{count} {word}" for count, word in ((broken, "failed"), (stopped, "stopped")) if count
            )
            return Content.styled(f"■ {said} of {total} · space goes on", "$warning")
        return Content.styled(f"✓ all {total} trained", "$success")
    if not done and not any(row.folder for row in state.rows):
        return Content.styled(f"○ {total} runs · space trains them", "$secondary")
    return Content.styled(f"‖ {done} of {total} trained · space goes on", "$warning")


class StudyWords(Widget):
    """What the study is about, then what was found across its runs."""

    DEFAULT_CSS = """
    StudyWords { height: auto; max-height: 4; padding: 0 1; }
    """

    state: reactive[StudyState | None] = reactive(None, layout=True)

    def render(self) -> Content:
        """A line each."""
        state = self.state
        if state is None:
            return Content("")
        lines = [Content.styled(printable(state.spec.description), "$secondary")]
        if state.problem:
            lines.append(Content.styled(f"✖ {printable(state.problem)}", "$error"))
        for found in state.findings:
            said = Content.assemble((f"✖ {found.code}  ", "bold $error"), printable(found.evidence))
            lines.append(said)
        return Content("\n").join(lines)
