"""Show tabs on small terminals in one line, and move the focus between panes and tabs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from textual import events
from textual.content import Content
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget


class TabLine(Widget):
    """A TabLine names the tabs with their keys in one line; a click opens a tab as its key does.

    Its screen has an action `tab` with the name of a tab.

    Args:
        tabs: in the order of the keys 1, 2, 3, …
        opened: the tab that is open at first; the first one where none is named.
    """

    DEFAULT_CSS = """
    TabLine { height: 1; background: $surface; }
    """

    opened: reactive[str] = reactive("")
    alarm: reactive[str] = reactive("")
    """The mark of the worst finding, behind the name of the tab of the findings; "" where nothing was found."""
    findings: reactive[str] = reactive("findings")
    """The name of the tab of the findings, which has a verdict above them where two runs are compared."""

    def __init__(self, tabs: Sequence[str], opened: str = "") -> None:
        super().__init__()
        self.tabs = tuple(tabs)
        self.set_reactive(TabLine.opened, opened or self.tabs[0])

    def _labels(self) -> list[tuple[str, str]]:
        mark = f" {self.alarm}" if self.alarm else ""
        names = {"findings": f"{self.findings.capitalize()}{mark}"}
        return [
            (tab, f" {number} {names.get(tab, tab.capitalize())} ") for number, tab in enumerate(self.tabs, 1)
        ]

    def render(self) -> Content:
        """Return every tab, the open one in reverse."""
        return Content(" ").join(
            Content.styled(label, "bold $accent reverse" if tab == self.opened else "$secondary")
            for tab, label in self._labels()
        )

    def on_click(self, event: events.Click) -> None:
        """Open the tab under the mouse."""
        column = 0
        for tab, label in self._labels():
            if column <= event.x < column + len(label):
                self.call_later(self.screen.run_action, f"tab('{tab}')")
            column += len(label) + 1


class PaneTabs:
    """PaneTabs move the focus through the panes of a screen, each of which lies on a tab where there is little room.

    The screen has the class `-tab-NAME` of the open tab, by which its style sheet hides the other tabs' panes.

    Args:
        screen: the screen with the panes; one of its widgets is a TabLine.
        opened: the tab that is open at first.
        panes: returns each pane with its tab, in reading order.
    """

    def __init__(
        self, screen: Screen[Any], opened: str, panes: Callable[[], list[tuple[str, Widget]]]
    ) -> None:
        self._screen = screen
        self._panes = panes
        self.opened = opened
        screen.add_class(f"-tab-{opened}", update=False)

    def open(self, tab: str, *, restyle: bool = True) -> None:
        """Open a tab. restyle: whether the terminal is so small that the style sheet tells tabs apart."""
        if tab != self.opened:
            self._screen.remove_class(f"-tab-{self.opened}", update=False)
            self._screen.add_class(f"-tab-{tab}", update=restyle)
            self._screen.query_one(TabLine).opened = self.opened = tab

    def focus(self, tab: str, pane: Widget, *, restyle: bool = True) -> None:
        """Focus a pane, and open the tab that it lies on."""
        if self._screen.maximized is not None:
            self._screen.minimize()
        self.open(tab, restyle=restyle)
        # A pane that was hidden until now can be focused once its display is known.
        self._screen.call_after_refresh(pane.focus)

    def first_pane(self, tab: str) -> Widget:
        """Return the first pane of a tab."""
        return next(pane for name, pane in self._panes() if name == tab)

    def beside(self, by: int) -> tuple[str, Widget]:
        """Return the next pane (-1: the one before) with its tab, also where that is another one."""
        panes = self._panes()
        here = next((i for i, (_, pane) in enumerate(panes) if pane.has_focus), -1 if by > 0 else 0)
        return panes[(here + by) % len(panes)]


def fill(screen: Screen[Any]) -> None:
    """Let the pane that has the focus fill its screen, or give all panes their places again."""
    if screen.maximized is not None:
        screen.minimize()
        return
    around = screen.focused.ancestors_with_self if screen.focused is not None else []
    pane = next((node for node in around if node.has_class("pane")), None)
    if isinstance(pane, Widget):
        screen.maximize(pane, container=False)
