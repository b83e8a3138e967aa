"""Show the texts of a lesson beside the charts, and ask for the answer to its question."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from msgspec.structs import replace
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from gradtui.lessons.lesson import COLUMNS, Lesson, LessonStep, flowed, wrapped
from gradtui.ui.one_answer import OneAnswer
from gradtui.ui.terminal.terminal_app import named_keys
from gradtui.ui.widgets.choice_list import ChoiceList


class LessonPane(Vertical):
    """The LessonPane shows the texts of a LessonGuide; it has no keys of its own, so the panes keep theirs."""

    DEFAULT_CSS = """
    LessonPane {
        height: auto; max-height: 12; border: round $accent; border-title-color: $accent;
        border-subtitle-color: $text-muted; padding: 0 1; background: $panel;
        & Static { height: auto; }
    }
    """

    def compose(self) -> ComposeResult:
        """Yield the text."""
        yield Static(id="lesson-text")

    def __init__(self, say: Callable[[str], str]) -> None:
        """Show nothing yet. say: translates what is said around a lesson into its language."""
        super().__init__()
        self._say = say
        self._content: list[Content] = []

    def on_resize(self) -> None:
        """Break the lines again; Textual would treat Chinese text between two blanks as one word."""
        self._write()

    def _write(self) -> None:
        columns = self.query_one("#lesson-text").size.width or COLUMNS
        lines = [line for part in self._content for line in broken(part, columns)]
        self.query_one("#lesson-text", Static).update(Content("\n").join(lines))

    def show(
        self, lesson: Lesson, index: int, *, answered: bool, verdict: tuple[bool, str] | None, hint: bool
    ) -> None:
        """Show a step.

        Args:
            lesson: the lesson.
            index: the step, from 0.
            answered: the question was answered rightly: what to notice stands instead of the text.
            verdict: whether the last answer was right, and what was said of it.
            hint: show the hint instead of the text.
        """
        step, say = lesson.step[index], self._say
        if getattr(self.app, "ascii", False):
            step = spelled(step)
        self.border_title = Content(say(f"{lesson.title} · {index + 1} of {len(lesson.step)} · {step.title}"))
        self.border_subtitle = Content(say(_keys(step, answered, last=index == len(lesson.step) - 1)))
        self._content = _notice(step, verdict, say) if answered else _question(step, verdict, hint, say)
        self._write()


_RAISED, _PLAIN = "⁰¹²³⁴⁵⁶⁷⁸⁹ˣˡ", "0123456789xl"
_SPELLED = {
    "½": "(1/2)", "√": "root ", "·": "*", " ← ": " <- ", "λ": "lambda", "σ": "sigma", "φ": "phi", "π": "pi",
    "Σ": "sum of",
}  # fmt: skip
"""Signs of formulas for which no single character of ASCII will do."""


def spelled(step: LessonStep) -> LessonStep:
    """Return a step with its formulas written for ASCII, where each sign alone would make 1.510 of 1.5¹⁰."""

    def said(text: str) -> str:
        powers = str.maketrans(_RAISED, _PLAIN)
        text = re.sub(f"[{_RAISED}]+", lambda found: "^" + found[0].translate(powers), text)
        for sign, words in _SPELLED.items():
            text = text.replace(sign, words)
        return text

    asked = step.question
    return replace(
        step,
        text=said(step.text),
        notice=said(step.notice),
        question=replace(asked, hint=said(asked.hint)) if asked is not None else None,
    )


def _keys(step: LessonStep, answered: bool, *, last: bool) -> str:
    then = "> finish" if last else "> next"
    asking = step.question is not None and not answered
    return ("E answer · H hint · " if asking else "") + f"{then} · < back · t lessons"


def broken(text: Content, columns: int) -> list[Content]:
    """Return a text in lines of at most this many columns, with its styles."""
    lines, start = [], 0
    for line in wrapped(text.plain, columns):
        # Blanks and line breaks between two lines were left out.
        start = text.plain.index(line, start)
        lines.append(text[start : start + len(line)])
        start += len(line)
    return lines


def _notice(step: LessonStep, verdict: tuple[bool, str] | None, say: Callable[[str], str]) -> list[Content]:
    right = say(f"Right: {verdict[1]}.") if verdict is not None and verdict[1] else say("Right.")
    parts = [Content.styled(f"✓ {right}", "bold $success"), Content(flowed(step.notice))]
    if step.source:
        parts.append(Content.styled(step.source, "$secondary"))
    return [part for part in parts if part.plain]


def _question(
    step: LessonStep, verdict: tuple[bool, str] | None, hint: bool, say: Callable[[str], str]
) -> list[Content]:
    question = step.question
    parts = [Content(flowed(step.text))]
    if hint and question is not None:
        parts = [Content.styled(say(f"Hint: {flowed(question.hint)}"), "$warning")]
    if step.do:
        parts.append(Content.assemble(("▶ ", "$accent"), (step.do, "bold")))
    if verdict is not None:
        parts.append(Content.styled(f"✗ {verdict[1]}", "$error"))
    elif step.source and question is None:
        parts.append(Content.styled(step.source, "$secondary"))
    if question is not None:
        parts.append(Content.assemble(("? ", "bold $accent"), question.ask))
    return parts


class AnswerScreen(ModalScreen["str | None"], OneAnswer["str | None"]):
    """The AnswerScreen answers with the number of a choice, from 1, or None; or with what another key of a lesson does.

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
        Binding("H", "dismiss('hint')", "hint", show=False),
        Binding("greater_than_sign", "dismiss('next')", "next step", show=False),
        Binding("less_than_sign", "dismiss('back')", "previous step", show=False),
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
            keys = self._say(f"1-{len(self.choices)} or ↑↓ enter answer · esc back")
            frame.border_subtitle = named_keys(self.app, keys)
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
