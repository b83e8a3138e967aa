"""Asks for one line of text, and says while it is typed whether it will do."""

from __future__ import annotations

from collections.abc import Callable

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static


class AskScreen(ModalScreen["str | None"]):
    """Answers with the text, or None.

    Args:
        title: what is asked.
        value: what stands there at first.
        hint: said beneath it.
        check: raises ValueError, one line, where the text will not do.
    """

    DEFAULT_CSS = """
    AskScreen {
        align: center middle;
        & > Vertical {
            width: 72; max-width: 94%; height: auto; border: round $accent; border-title-color: $accent;
            background: $surface; padding: 0 1;
        }
        & Input { border: tall $border; background: $panel; }
        & Static { color: $text-muted; }
        & Static.-bad { color: $error; }
    }
    """
    BINDINGS = [Binding("escape", "dismiss(None)", "back")]

    def __init__(self, title: str, value: str, hint: str, check: Callable[[str], object]) -> None:
        super().__init__()
        self.frame_title = title
        self.value = value
        self.hint = hint
        self.check = check

    def compose(self) -> ComposeResult:
        """The line, and what is said of it."""
        with Vertical() as frame:
            frame.border_title = Content(self.frame_title)
            yield Input(self.value, select_on_focus=False)
            yield Static(Content(self.hint))

    def _problem(self, text: str) -> str:
        try:
            self.check(text)
        except ValueError as error:
            return str(error)
        return ""

    @on(Input.Changed)
    def _typing(self, event: Input.Changed) -> None:
        problem, said = self._problem(event.value), self.query_one(Static)
        said.update(Content(problem or self.hint))
        said.set_class(bool(problem), "-bad")

    @on(Input.Submitted)
    def _typed(self, event: Input.Submitted) -> None:
        if not self._problem(event.value):
            self.dismiss(event.value)
