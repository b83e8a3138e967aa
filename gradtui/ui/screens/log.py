"""The last lines that a trainer printed."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static


class LogScreen(ModalScreen[None]):
    """Shows text as it is: a log may hold anything, so it is never read as markup."""

    DEFAULT_CSS = """
    LogScreen {
        align: center middle;
        & > VerticalScroll {
            width: 90%; height: 80%; border: round $accent; border-title-color: $accent;
            background: $surface; padding: 0 1;
        }
    }
    """
    BINDINGS = [Binding("escape,L,q", "dismiss(None)", "back")]

    def __init__(self, title: str, lines: list[str]) -> None:
        super().__init__()
        self.log_title = title
        self.lines = lines

    def compose(self) -> ComposeResult:
        """The lines, the newest in view."""
        with VerticalScroll() as frame:
            frame.border_title = self.log_title
            frame.border_subtitle = "esc back"
            yield Static(Content("\n".join(self.lines) or "The trainer printed nothing."))

    def on_mount(self) -> None:
        """The end is what matters."""
        self.query_one(VerticalScroll).scroll_end(animate=False)
