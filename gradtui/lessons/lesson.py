"""Define a lesson, which is a list of steps: text, an experiment to load, and a question that a run answers.

`parse` reads one file; its errors name the file and the field. Texts are checked for their length, so that every step
can be read beside the charts on a terminal of 80 columns and 24 lines.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from gradtui.experiment import Experiment, ExperimentError, resolve, set_fields
from gradtui.experiment.errors import nearest
from gradtui.experiment.presets import names as preset_names
from gradtui.metrics import find as find_metric
from gradtui.toml_text import parse as parse_toml

COLUMNS = 76
"""The columns of a step's text beside the live panes at 80 columns."""
MOST_LESSON_LINES = 7
"""The most lines of a step's text, instruction and question together, and also of its text on what to notice."""

Text = Annotated[str, Meta(min_length=1)]
Where = Literal["first", "last", "lowest", "highest"]
PANE_NAMES = ("", "net", "gradient", "product", "plane", "curves", "findings")
"""The panes that a step can show; it can also name a metric, whose chart is then shown."""

RUN_QUANTITIES = ("product", "factor", "steps")
"""What a question can ask for besides curves and metrics: the product of the layers' factors, the factor of one layer
as the chart draws it (in a block with a shortcut, its share), and the number of steps."""
CURVES = ("loss", "accuracy", "lr", "grad_norm_total", "train_accuracy", "test_accuracy")


class LessonError(ValueError):
    """A LessonError names in one line the file and the field that are wrong."""


class Quantity(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A Quantity is one number of a run: the value of a curve, of a layer's metric, or of the whole run."""

    of: Text
    """A curve ("loss"), a metric ("grad_norm"), or one of RUN_QUANTITIES."""
    at: Where = "last"
    """The step; "lowest" and "highest" are those of a curve over all steps."""
    layer: int = 0
    """The layer of a metric, from 1; -1 is the last. With `extreme` it is 0, and the question asks for the layer."""
    over: int = 0
    """Another layer, by whose value the value is divided; 0 for none."""


class AnswerChoice(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An AnswerChoice is one answer to choose from: always right, or right if the question's quantity is in a range."""

    text: Text
    right: bool = False
    nonfinite: bool = False
    """Whether the choice is right if the quantity is NaN or infinite, and only then."""
    above: float | None = None
    below: float | None = None


class Question(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A Question is answered by a layer, a number or a choice."""

    kind: Literal["layer", "number", "choice"]
    ask: Text
    hint: Text
    quantity: Quantity | None = None
    """What is read from the run; None for a choice whose right answer is in the file."""
    extreme: Literal["lowest", "highest"] = "lowest"
    """Whether the question asks for the layer with the lowest or with the highest value."""
    within: Annotated[float, Meta(ge=0.0)] = 0.05
    """A number is right up to this distance; a layer's value may differ from the extreme by this share."""
    factor: Annotated[float, Meta(ge=1.0)] = 1.0
    """A number is right up to this factor, if the factor is above 1."""
    choices: tuple[AnswerChoice, ...] = ()
    after: int = 10
    """The number of steps that the run must have."""


class LessonStep(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A LessonStep is one page of a lesson."""

    title: Text
    text: Text
    do: str = ""
    """What to press."""
    experiment: str = ""
    """The preset to load; "" keeps that of the step before."""
    set: dict[str, Any] = {}
    """Changes of the preset, by dotted path."""
    show: str = ""
    """The pane to show, one of PANE_NAMES, or the metric whose chart is shown, such as "dead_fraction"."""
    question: Question | None = None
    notice: str = ""
    """What to notice once the question is answered."""
    source: str = ""
    """The sources of the step's claims."""


class Lesson(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A Lesson has an id, a title and steps."""

    lesson: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    title: Text
    about: str = ""
    """What the lesson teaches, in one line."""
    sources: tuple[str, ...] = ()
    step: Annotated[tuple[LessonStep, ...], Meta(min_length=1)]

    def experiment_of(self, index: int) -> Experiment | None:
        """Return the experiment of a step: its own, or the last one before it."""
        for step in self.step[index::-1]:
            if step.experiment:
                found = resolve(step.experiment)
                return set_fields(found, step.set) if step.set else found
        return None


def parse(text: str, file: str) -> Lesson:
    """Return the lesson of a file's text. Raises LessonError."""
    try:
        lesson = msgspec.convert(parse_toml(text), Lesson)
    except msgspec.ValidationError as error:
        raise LessonError(_line(file, str(error))) from None
    except ValueError as error:
        raise LessonError(f"{file}: not valid TOML: {error}") from None
    for number, step in enumerate(lesson.step, 1):
        problem = _problem(step, first=number == 1)
        if problem:
            raise LessonError(f"{file}: step {number}: {problem}")
    return lesson


def check_experiments(lesson: Lesson, file: str) -> None:
    """Raise LessonError where a step names no preset, or a change that is not allowed."""
    for number, step in enumerate(lesson.step, 1):
        if step.experiment and step.experiment not in preset_names():
            hint = nearest(step.experiment, preset_names())
            raise LessonError(
                f"{file}: step {number}: experiment: no preset is called {step.experiment!r}{hint}"
            )
        try:
            lesson.experiment_of(number - 1)
        except ExperimentError as error:
            raise LessonError(f"{file}: step {number}: set: {error}") from None


def _line(file: str, problem: str) -> str:
    """Return msgspec's message in one line, with the place named by the file's own fields."""
    what, _, place = problem.partition(" - at `$")
    steps = re.sub(r"\[(\d+)\]", lambda found: f" {int(found[1]) + 1}", place.rstrip("`")).lstrip(".")
    return f"{file}: {f'{steps}: ' if steps else ''}{what[:1].lower()}{what[1:]}"


def _problem(step: LessonStep, *, first: bool) -> str:
    if first and not step.experiment and step.question is not None and step.question.quantity is not None:
        return "experiment: the first step that asks about a run needs one"
    if step.set and not step.experiment:
        return "set: needs the experiment that it changes"
    shown = find_metric(step.show)
    if step.show not in PANE_NAMES and (shown is None or not shown.drawn):
        return f"show: {step.show!r} is neither a chart of the layers nor one of {', '.join(PANE_NAMES[1:])}"
    question = step.question
    asked = () if question is None else (f"? {question.ask}",)
    for field, parts in (("text", (step.text, step.do, *asked)), ("notice", (step.notice, step.source))):
        lines = sum(len(wrapped(part, COLUMNS)) for part in parts if part)
        if lines > MOST_LESSON_LINES:
            also = ", do and question" if field == "text" else " and source"
            return f"{field}: {lines} lines of {COLUMNS} columns with{also}; at most {MOST_LESSON_LINES} can be seen"
    return "" if question is None else _question_problem(question)


def _question_problem(question: Question) -> str:
    quantity = question.quantity
    if (
        quantity is not None
        and quantity.of not in (*RUN_QUANTITIES, *CURVES)
        and find_metric(quantity.of) is None
    ):
        return f"question.quantity.of: no curve or metric is called {quantity.of!r}"
    by_layer = quantity is not None and (quantity.of == "factor" or find_metric(quantity.of) is not None)
    curve = quantity is not None and quantity.of in CURVES
    if quantity is not None and by_layer and not curve and not quantity.layer and question.kind != "layer":
        return f"question.quantity.layer: which layer's {quantity.of} is meant?"
    if question.kind == "choice":
        if len(question.choices) < 2:
            return "question.choices: a choice needs two at least"
        if quantity is None and sum(choice.right for choice in question.choices) != 1:
            return "question.choices: one of them must be right, or the question needs a quantity"
        return ""
    if quantity is None:
        return f"question.quantity: a {question.kind} is compared with what was measured"
    if question.kind == "layer" and find_metric(quantity.of) is None:
        return "question.quantity.of: a layer is found by a metric"
    return ""


_WIDE = r"[\u2e80-\uffef]"
"""Matches a character that is two columns wide, as in Chinese, which has no blanks between words."""
_OPENING, _CLOSING = "（「『《【", "，。、；：！？）」』》】"
"""Characters that must not end a line, and characters that must not begin one."""


def flowed(text: str) -> str:
    """Return a text without the line breaks of its file; an empty line begins a new paragraph."""
    joined = rf"(?<={_WIDE})\n(?={_WIDE})|(?<=[{_CLOSING}])\n"
    parts = [re.sub(joined, "", part) for part in re.split(r"\n\s*\n", text.strip())]
    return "\n".join(" ".join(part.split()) for part in parts)


_PIECE = re.compile(rf"\s+|[{_OPENING}]*(?:{_WIDE}|[^\s\u2e80-\uffef]+)[{_CLOSING}]*")


def wrapped(text: str, columns: int) -> list[str]:
    """Return a text in lines of at most this many columns. Words stay whole; Chinese may break at any character."""
    lines: list[str] = []
    for paragraph in flowed(text).split("\n"):
        line, width = "", 0
        for piece in _PIECE.findall(paragraph):
            size = columns_of(piece)
            if width + size > columns and not piece.isspace():
                lines.append(line.rstrip())
                line, width = "", 0
            if line or not piece.isspace():
                line, width = line + piece, width + size
        lines.append(line.rstrip())
    return lines


def columns_of(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )
