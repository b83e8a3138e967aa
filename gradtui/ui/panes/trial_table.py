"""The cures that are tried, a line each: how far each is, what it has learned, and what became of the illness."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import events
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.style import Style
from textual.widget import Widget

from gradtui.ui.widgets.status_bar import bar

if TYPE_CHECKING:
    from gradtui.study.state import TrialRow

NAME = (21, 34)
"""Columns of a cure's name, at least and at most."""
STATE = (10, 24)
"""Of what it is at."""

_STATES = {
    "waiting": ("", "waiting", "$secondary"),
    "starting": ("◌", "starting", "$accent"),
    "paused": ("‖", "paused", "$warning"),
    "stopped": ("■", "stopped", "$secondary"),
    "failed": ("✖", "failed", "$error"),
    "died": ("✖", "died", "$error"),
}


@dataclass(frozen=True)
class Line:
    """One cure as it is read; equal lines look alike."""

    key: str
    name: str
    mark: str = ""
    word: str = ""
    tone: str = "$foreground"
    share: float | None = None
    """How much is done, of one that trains: a bar in place of the word."""
    accuracy: str = ""
    tested: str = ""
    """Accuracy on the test set, where there is room."""
    loss: str = ""
    drop: str = ""
    price: str = ""
    found: str = ""
    """What is left of the illness."""
    ill: bool = False
    reason: str = ""
    """Why there are no figures."""


class TrialTable(Widget):
    """One text: what changes in it is all that is sent to the terminal, and nothing is laid out anew."""

    COMPONENT_CLASSES = {"trials--cursor"}
    DEFAULT_CSS = """
    TrialTable {
        height: auto; max-height: 70%; padding: 0 1; text-wrap: nowrap;
        & > .trials--cursor { background: $block-cursor-background; }
        &:ansi > .trials--cursor { background: ansi_default; text-style: reverse; }
    }
    """

    lines: reactive[tuple[Line, ...]] = reactive(())
    cursor: reactive[int] = reactive(0)

    @dataclass
    class Chosen(Message):
        """A line was clicked; again where it was chosen already."""

        index: int
        again: bool

    def watch_lines(self, before: tuple[Line, ...], lines: tuple[Line, ...]) -> None:
        """Laid out anew only where lines come or go."""
        if len(before) != len(lines):
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """A line each, and one of words over them."""
        return 1 + max(1, len(self.lines))

    @property
    def _first(self) -> int:
        """The first line that is seen, where not all are."""
        room = max(1, self.size.height - 1)
        return max(0, min(self.cursor - room // 2, len(self.lines) - room))

    def render(self) -> Content:
        """The words, and the lines that there is room for, the one under the cursor among them."""
        columns = Columns.within(self.content_size.width)
        first = self._first
        shown = list(enumerate(self.lines))[first : first + max(1, self.size.height - 1)]
        drawn = [columns.head()]
        for at, line in shown:
            content = columns.line(line, at == self.cursor)
            if at == self.cursor:
                content = self._pointed(content)
            drawn.append(content)
        return Content("\n").join(drawn)

    def _pointed(self, content: Content) -> Content:
        """The line under the cursor; whoever sees no colour has the sign before it."""
        styles = self.get_component_styles("trials--cursor")
        if styles.text_style.reverse:
            # Of a terminal's own colours: each would be a ground of its own.
            return Content(content.plain).stylize("reverse")
        return content.stylize_before(Style(background=styles.background))

    def on_click(self, event: events.Click) -> None:
        """Choose the line under the mouse."""
        at = self._first + event.y - 1
        if event.y and at < len(self.lines):
            self.post_message(self.Chosen(at, at == self.cursor))


@dataclass(frozen=True)
class Columns:
    """Where everything stands in a line of some width."""

    width: int
    name: int
    state: int
    gap: str

    @classmethod
    def within(cls, width: int) -> Columns:
        """Names and bars take what there is, and leave the findings their words."""
        gap = " " if width < 100 else "  "
        spare = width - 80
        name = max(NAME[0], min(NAME[1], NAME[0] + spare // 2))
        state = max(STATE[0], min(STATE[1], STATE[0] + (spare - (name - NAME[0])) // 3))
        return cls(width, name, state, gap)

    def head(self) -> Content:
        """What the columns are."""
        figures = self._figures("train", "test", "loss", "1st÷last", "a step")
        said = f"  {'cure':<{self.name}}{self.gap}{'':<{self.state}}{self.gap}{figures}{self.gap} found"
        return Content.styled(said[: self.width], "$secondary")

    def _figures(self, accuracy: str, tested: str, loss: str, drop: str, price: str) -> str:
        train = (f"{accuracy:>6}",) if self.width < 100 else (f"{accuracy:>6}", f"{tested:>6}")
        return self.gap.join((*train, f"{loss:>7}", f"{drop:>8}", f"{price:>6}"))

    def line(self, line: Line, chosen: bool) -> Content:
        """One cure."""
        name = Content(line.name).truncate(self.name, ellipsis=True, pad=True)
        content = Content.assemble(
            ("▸ " if chosen else "  ", "bold $accent"), name.stylize("bold") if chosen else name, self.gap
        )
        if line.share is not None:
            content += bar(line.share, self.state)
        else:
            said = Content(f"{line.mark} {line.word}" if line.mark else line.word)
            weight = "bold " if line.mark else ""
            content += said.truncate(self.state, pad=True).stylize(f"{weight}{line.tone}")
        content += self.gap
        if line.reason:
            content += Content.styled(line.reason, "$secondary")
        else:
            content += (
                self._figures(line.accuracy, line.tested, line.loss, line.drop, line.price) + self.gap + " "
            )
            content += Content.styled(line.found, "$error" if line.ill else "$success")
        return content.truncate(self.width, ellipsis=True, pad=True)


def line_of(row: TrialRow) -> Line:
    """How a row is read."""
    mark, word, tone = _STATES.get(row.state, ("", row.state, "$foreground"))
    share = None
    if row.state == "running":
        if row.step:
            share = row.share
        else:
            mark, word, tone = "●", row.phase or "running", "$accent"
    elif row.state in ("finished", "diverged"):
        mark, word, tone = verdict_mark(row)
    outcome = row.outcome
    if outcome is None or row.state in ("failed", "died"):
        return Line(row.key, row.name, mark, word, tone, share, reason=row.reason)
    codes = ", ".join(outcome.codes)
    return Line(
        key=row.key,
        name=row.name,
        mark=mark,
        word=word,
        tone=tone,
        share=share,
        accuracy=share_of(outcome.accuracy),
        tested=share_of(outcome.test_accuracy),
        loss=f"{outcome.loss:.3g}",
        drop=power(outcome.drop),
        price=f"×{row.price:.2f}" if row.price < 99.5 else f"×{row.price:.0f}" if row.price > 0 else "",
        found=codes or ("✓ nothing" if row.ended else ""),
        ill=bool(codes),
    )


def verdict_mark(row: TrialRow) -> tuple[str, str, str]:
    """A sign, a word and a colour for what became of it; the sign differs too, for those who see no colour."""
    verdict = row.verdict
    if verdict is None:
        return (
            ("✖", "sick", "$error")
            if row.outcome is not None and row.outcome.ill
            else ("✓", "well", "$success")
        )
    if verdict.healed:
        return "✓", "healed", "$success"
    if verdict.better:
        return "~", "better", "$accent"
    if verdict.worse:
        return "!", "worse", "$error"
    return "✖", "no cure", "$error"


def share_of(accuracy: float) -> str:
    """In percent; a dash where there is none."""
    return "–" if math.isnan(accuracy) else f"{accuracy:.1%}"


def power(decades: float) -> str:
    """A ratio as a power of ten: ``10^-12.2``; of nothing at all ``0``."""
    if math.isnan(decades):
        return "–"
    if math.isinf(decades):
        return "0" if decades < 0 else "∞"
    return f"10^{decades:+.1f}"
