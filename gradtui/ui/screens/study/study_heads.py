"""Write the texts around the table of a study: its title line, what it is about, what was wrong, and a chosen cure."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from gradtui.study.state import StudyRow, StudyState
from gradtui.ui.widgets.key_line import NARROW
from gradtui.ui.widgets.status_bar import TitleLine, bar
from gradtui.words import about, about_range, printable, several

LEAST_WAY = 36
"""The columns that the way to a study gets at least."""
LEAST_BAR, MOST_BAR = 8, 32
"""Columns of the bar in the title line; where there is less room, it is left out."""


class StudyTitle(TitleLine):
    """The StudyTitle is the first line: the study's name on the left, how far it is on the right."""

    DEFAULT_CSS = """
    StudyTitle { height: 1; padding: 0 1; background: $panel; color: $foreground; text-wrap: nowrap; }
    """

    state: reactive[StudyState | None] = reactive(None)
    begun: reactive[bool] = reactive(False)
    """Whether its runs are trained by this app."""

    def render(self) -> Content:
        """Return the line, with a bar while anything trains."""
        state, width = self.state, self.content_size.width
        if state is None:
            return Content("")
        if state.cured is None:
            kind, right, live = "", progress(state, self.begun), any(row.live for row in state.rows)
        else:
            kind, right = "all cures", cures_progress(state, self.begun)
            live = self.begun and bool(state.rows) and not state.done
        way = ("studies", printable(state.name)) if state.cured is None else (printable(state.name), kind)
        # A long way is cut before the state is.
        right = in_room(right, width - min(self.way(way, width).cell_length, LEAST_WAY) - 2)
        left = self.way(way, max(width // 2, width - right.cell_length - 2))
        if live:
            room = width - left.cell_length - right.cell_length - 4
            if room >= LEAST_BAR:
                right += Content("  ") + bar(state.share, min(MOST_BAR, room))
        return left + Content(" " * max(2, width - left.cell_length - right.cell_length)) + right


def in_room(told: Content, room: int) -> Content:
    """Return a state in words; where it has no room, without its last words: a key of the line of keys, or a time."""
    end = told.plain.rfind(" · ")
    return told[:end] if end > 0 and told.cell_length > room else told


def progress(state: StudyState, begun: bool) -> Content:
    """Return in words how far a study is; `begun` says whether this app trains it."""
    if state.problem:
        return Content.styled("✖ cannot be trained", "$error")
    if not state.rows:
        return Content.styled("◌ reading", "$accent")
    done, total = state.ended, state.total
    if state.other_owner:
        return Content.styled(f"● {done} of {total} · started by {state.other_owner}", "$success")
    if begun and not state.done:
        left = f" · {about(state.seconds_left)} left" if state.seconds_left is not None else ""
        return Content.styled(f"● {done} of {total} done{left}", "$success")
    if done == total:
        broken = sum(row.state in ("failed", "died") for row in state.rows)
        stopped = sum(row.state == "stopped" for row in state.rows)
        if broken or stopped:
            counts = ", ".join(
                f"{count} {word}" for count, word in ((broken, "failed"), (stopped, "stopped")) if count
            )
            return Content.styled(f"■ {counts} of {total} · space continues", "$warning")
        return Content.styled(f"✓ all {total} trained", "$success")
    if not done and not any(row.folder for row in state.rows):
        return _offer(state, total)
    return Content.styled(f"‖ {done} of {total} done · space continues", "$warning")


def _offer(state: StudyState, trainings: int) -> Content:
    """Return how many trainings wait for the person's word, and how long they will take."""
    count = several(trainings, "training")
    if state.expected_seconds is None:
        time = ""
    else:
        # Runs that exist already are not trained again.
        time = f", {about_range(state.expected_seconds * trainings / max(1, state.total))}"
    return Content.assemble((f"○ {count}{time} · ", "$foreground"), ("space", "bold $accent"), " starts")


def cures_progress(state: StudyState, begun: bool) -> Content:
    """Return in words how far the study of a run's cures is; `begun` says whether this app trains it."""
    if state.problem:
        return Content.styled("✖ nothing to compare", "$error")
    if not state.rows:
        return Content.styled("◌ reading the run", "$accent")
    cures = state.rows[1:]
    ended = sum(row.ended for row in cures)
    if not begun and not state.done:
        return _offer(state, sum(not row.ended for row in state.rows))
    if not state.done:
        left = f" · {about(state.seconds_left)} left" if state.seconds_left is not None else ""
        return Content.styled(f"● {ended} of {len(cures)} cures trained{left}", "$success")
    fixed = sum(row.verdict is not None and row.verdict.fixed for row in cures)
    stopped = sum(row.state == "stopped" for row in cures)
    if stopped:
        return Content.styled(f"■ stopped: {fixed} of {len(cures) - stopped} fix it", "$secondary")
    return Content.styled(f"✓ done: {fixed} of {len(cures)} fix it", "$success")


class StudyTexts(Widget):
    """StudyTexts shows what was found across the runs of a study, and what it is about."""

    DEFAULT_CSS = """
    StudyTexts { height: auto; max-height: 4; padding: 0 1; }
    """

    state: reactive[StudyState | None] = reactive(None, layout=True)

    def render(self) -> Content:
        """Return a paragraph for each text; what was found comes first, for on a low terminal the last ones are cut."""
        state = self.state
        if state is None:
            return Content("")
        lines = [
            Content.assemble((f"✖ {found.code}  ", "bold $error"), printable(found.evidence))
            for found in state.findings
        ]
        if state.problem:
            lines.append(Content.styled(f"✖ {printable(state.problem)}", "$error"))
        if state.spec.description:
            lines.append(Content.styled(printable(state.spec.description), "$secondary"))
        return Content("\n").join(lines)


class CuredRunLine(Widget):
    """The CuredRunLine says what is wrong with the run to be cured, or why no cure can be tried."""

    DEFAULT_CSS = """
    CuredRunLine { height: auto; max-height: 3; padding: 0 1; text-overflow: ellipsis; }
    """

    state: reactive[StudyState | None] = reactive(None, layout=True)

    def render(self) -> Content:
        """Return the first finding with its evidence, and the codes of the others."""
        state = self.state
        if state is None or state.cured is None:
            return Content("")
        if state.problem:
            return Content.styled(state.problem, "$error")
        if not state.cured.findings:
            return Content("")
        first, *others = state.cured.findings
        codes = "".join(f" · {found.code}" for found in others)
        return Content.assemble(
            (f"✖ {first.code}{codes}", "bold $error"),
            (f"  {first.when}  ", "$secondary"),
            first.evidence,
        )


class CureDetails(Widget):
    """CureDetails shows all that is known of the chosen cure: its name, verdict in numbers, reason and price."""

    DEFAULT_CSS = """
    CureDetails { height: auto; min-height: 7; max-height: 10; padding: 1 1 0 1; }
    """

    row: reactive[StudyRow | None] = reactive(None, layout=True)

    def render(self) -> Content:
        """Return the verdict, the reason and the price, each on as many lines as it takes."""
        return self.text_of(self.row) if self.row is not None else Content("")

    def most_lines(self, rows: Sequence[StudyRow]) -> int:
        """Return the lines that the longest text of these cures takes."""
        width = max(1, self.content_size.width)
        return max((self.text_of(row).get_height({}, width) for row in rows), default=0)

    def text_of(self, row: StudyRow) -> Content:
        """Return all that is known of a cure."""
        if row.verdict is not None:
            head, *numbers = row.verdict.lines()
            verdict = Content.assemble((head, "bold"), (" · " + " · ".join(numbers), "$secondary"))
            if self.content_size.width < NARROW:
                # The table cuts a long name.
                verdict = Content.assemble((printable(row.name), "bold"), " · ") + verdict
        elif not row.key:
            verdict = Content("The same net without a cure: the baseline.")
        else:
            untold = "Not trained yet." if row.state == "waiting" else "Still training."
            # The table cuts a long name as long as most of its columns are empty.
            told = Content.styled(row.reason or untold, "$secondary")
            verdict = Content.assemble((printable(row.name), "bold"), " · ", told)
        why, price = row.member.why, row.member.price
        width = self.content_size.width
        lines = [verdict, *_hanging("why    ", why, width), *_hanging("cost   ", price, width)]
        return Content("\n").join(lines)


def _hanging(label: str, text: str, width: int) -> list[Content]:
    """Return a text on lines that begin behind its label; nothing where there is no text."""
    if not text:
        return []
    first, *others = Content(text).wrap(max(1, width - len(label)))
    return [Content.styled(label, "$secondary") + first, *(Content(" " * len(label)) + one for one in others)]
