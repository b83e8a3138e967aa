"""The line of tabs of a narrow terminal: what there is, which one is open, and the key of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

TABS = ("net", "gradient", "curves", "findings")
"""In the order in which a key goes through them; their keys are 1, 2, 3, 4."""


class TabLine(Widget):
    """One line; a click opens a tab as its key does."""

    DEFAULT_CSS = """
    TabLine { height: 1; background: $surface; }
    """

    opened: reactive[str] = reactive(TABS[0])
    alarm: reactive[bool] = reactive(False)
    """Whether anything was found: the tab of the findings says so."""

    @dataclass
    class Chosen(Message):
        """The person wishes to see a tab."""

        tab: str

    def __init__(self, tabs: Sequence[str] = TABS) -> None:
        super().__init__()
        self.tabs = tuple(tabs)
        self.set_reactive(TabLine.opened, self.tabs[0])

    def _labels(self) -> list[tuple[str, str]]:
        mark = " ✖" if self.alarm else ""
        return [
            (tab, f" {number} {tab.capitalize()}{mark if tab == 'findings' else ''} ")
            for number, tab in enumerate(self.tabs, 1)
        ]

    def render(self) -> Content:
        """Every tab, the open one in reverse."""
        return Content(" ").join(
            Content.styled(label, "bold $accent reverse" if tab == self.opened else "$secondary")
            for tab, label in self._labels()
        )

    def on_click(self, event: events.Click) -> None:
        """The tab under the mouse."""
        column = 0
        for tab, label in self._labels():
            if column <= event.x < column + len(label):
                self.post_message(self.Chosen(tab))
            column += len(label) + 1
