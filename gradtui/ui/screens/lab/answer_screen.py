"""The AnswerScreen offers the answers to a lesson's question beneath the charts, which stay in view."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from gradtui.ui.one_answer import OneAnswer
from gradtui.ui.widgets.choice_list import ChoiceList


class AnswerScreen(OneAnswer["str | None"], ModalScreen["str | None"]):
    """The AnswerScreen answers with the number of a choice, from 1, or None.

    Args:
        question: what is asked.
        choices: the answers, at most nine.
        say: translates what is said around them.
    """

    DEFAULT_CSS = """
    AnswerScreen {
        align: center bottom; background: transparent;
        & > Vertical {
            width: 100%; height: auto; border: round $accent; border-title-color: $accent;
            border-subtitle-color: $text-muted; background: $surface; padding: 0 1; margin: 0 0 1 0;
        }
        & Static { color: $text; text-style: bold; }
        & OptionList { height: auto; border: none; background: $surface; padding: 0; }
        & OptionList:focus { border: none; }
    }
    """
    BINDINGS = [
        Binding("escape", "dismiss(None)", "back"),
        *(Binding(str(number), f"take({number})", show=False) for number in range(1, 10)),
    ]

    def __init__(self, question: str, choices: Sequence[str], say: Callable[[str], str] = str) -> None:
        super().__init__()
        self._say = say
        self.question = question
        self.choices = choices

    def compose(self) -> ComposeResult:
        """Yield the question and the list of answers."""
        with Vertical() as frame:
            frame.border_title = self._say("Answer")
            frame.border_subtitle = self._say(f"1-{len(self.choices)} or ↑↓ ⏎ answer · esc back")
            yield Static(Content(self.question))
            yield ChoiceList(
                *(
                    Option(Content.assemble((f"{number}. ", "bold $accent"), text), id=str(number))
                    for number, text in enumerate(self.choices, 1)
                )
            )

    def on_mount(self) -> None:
        """Let the arrows move in the list."""
        self.query_one(OptionList).focus()

    def action_take(self, number: int) -> None:
        """Answer with the choice of a number."""
        if number <= len(self.choices):
            self.dismiss(str(number))

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(event.option.id)
