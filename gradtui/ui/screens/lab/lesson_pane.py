"""The LessonPane shows one step of a lesson beneath the live panes: its text, what to press, its question."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from gradtui.lessons.lesson import Lesson, Step, flowed


class LessonPane(Vertical):
    """The LessonPane writes what a LessonGuide says; it has no keys of its own, so the panes keep theirs."""

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

    def show(
        self, lesson: Lesson, index: int, *, answered: bool, verdict: tuple[bool, str] | None, hint: bool
    ) -> None:
        """Show a step.

        Args:
            lesson: the lesson.
            index: the step, from 0.
            answered: the question was answered rightly: what to notice stands in the place of the text.
            verdict: whether the last answer was right, and what was said of it.
            hint: show the hint in the place of the text.
        """
        step = lesson.step[index]
        self.border_title = Content(f"{lesson.title} · {index + 1} of {len(lesson.step)} · {step.title}")
        self.border_subtitle = Content(_keys(step, answered, last=index == len(lesson.step) - 1))
        if answered:
            content = _notice(step, verdict)
        else:
            content = _question(step, verdict, hint)
        self.query_one("#lesson-text", Static).update(content)


def _keys(step: Step, answered: bool, *, last: bool) -> str:
    then = "> finish" if last else "> next"
    asking = step.question is not None and not answered
    return f"E answer · H hint · {then} · < back" if asking else f"{then} · < back · t lessons"


def _notice(step: Step, verdict: tuple[bool, str] | None) -> Content:
    said = f"✓ Right: {verdict[1]}." if verdict is not None and verdict[1] else "✓ Right."
    parts = [Content.styled(said, "bold $success"), Content(flowed(step.notice))]
    if step.source:
        parts.append(Content.styled(step.source, "$secondary"))
    return Content("\n").join(part for part in parts if part.plain)


def _question(step: Step, verdict: tuple[bool, str] | None, hint: bool) -> Content:
    question = step.question
    parts = [Content(flowed(step.text))]
    if hint and question is not None:
        parts = [Content.styled(f"Hint: {question.hint}", "$warning")]
    if step.do:
        parts.append(Content.assemble(("▶ ", "$accent"), (step.do, "bold")))
    if verdict is not None:
        parts.append(Content.styled(f"✗ {verdict[1]}", "$error"))
    elif step.source and question is None:
        parts.append(Content.styled(step.source, "$secondary"))
    if question is not None:
        parts.append(Content.assemble(("? ", "bold $accent"), question.ask))
    return Content("\n").join(parts)
