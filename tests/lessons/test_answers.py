"""Every question is answered rightly and wrongly on real trainings of its experiment."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from msgspec.structs import replace

from gradtui.experiment import Experiment
from gradtui.lessons.answers import NotYet, check_answer
from gradtui.lessons.lesson import Question
from gradtui.lessons.library import lessons
from gradtui.runs.reader import Run
from tests.support.trainings import trained

LAYERS = {("bars", 2): ("1", "20"), ("exploding", 1): ("1", "20"), ("relu", 1): ("1", "2")}
"""The right layer and a wrong one, as a person reads them off the bars."""
NUMBERS = {
    ("vanishing", 3): ("1e-9", "1e-3"),
    ("product", 1): ("0.23", "0.5"),
    ("penalties", 2): ("16.9", "24"),
    ("residual", 1): ("1", "0.25"),
}
CHOICES = {
    "bars": {1: 1, 3: 2},
    "vanishing": {1: 3, 2: 3, 4: 2, 5: 1},
    "product": {2: 3, 3: 3, 4: 3, 5: 2},
    "exploding": {2: 2, 3: 3, 4: 3, 5: 4, 6: 1},
    "degradation": {1: 3, 2: 1, 3: 2, 4: 3},
    "smaller": {1: 3, 2: 1, 3: 1, 4: 1},
    "relu": {2: 3, 3: 2},
    "leaky": {1: 2, 2: 3, 3: 2, 4: 2},
    "time": {1: 3, 2: 2, 3: 1, 4: 1},
    "clipping": {1: 2, 2: 2, 3: 1},
    "penalties": {1: 1, 3: 1},
    "pretraining": {1: 1, 2: 2, 3: 1},
    "batchnorm": {1: 2, 2: 2, 3: 2},
    "residual": {2: 2, 3: 3},
    "script": {1: 1, 2: 2},
}
"""The right choice of each step, found by looking."""

QUESTIONS = [
    (entry.lesson.lesson, number)
    for entry in lessons()
    for number, step in enumerate(entry.lesson.step, 1)
    if step.question is not None
]


@cache
def run_of(exp: Experiment, folder: Path) -> Run:
    return trained(folder / str(len(list(folder.iterdir()))), exp)[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lessons")


@pytest.mark.long
@pytest.mark.parametrize(("name", "number"), QUESTIONS)
def test_the_right_answer_is_accepted_and_others_are_refused(name: str, number: int, folder: Path) -> None:
    lesson = next(entry.lesson for entry in lessons() if entry.lesson.lesson == name)
    question, exp = lesson.step[number - 1].question, lesson.experiment_of(number - 1)
    assert question is not None
    run = None
    if question.quantity is not None:
        assert exp is not None
        run = run_of(replace(exp, run=replace(exp.run, device="cpu")), folder)
    if question.kind == "choice":
        right = str(CHOICES[name][number])
        wrong = [str(n) for n in range(1, len(question.choices) + 1) if str(n) != right]
    else:
        right, *wrong = (LAYERS if question.kind == "layer" else NUMBERS)[name, number]
    assert check_answer(question, right, run).right, check_answer(question, right, run).line
    for answer in wrong:
        verdict = check_answer(question, answer, run)
        assert not verdict.right, answer
        if question.kind == "number":
            assert verdict.line in ("too large", "too small"), "the answer is not told"


def test_a_question_about_a_run_waits_for_one() -> None:
    for entry in lessons():
        for step in entry.lesson.step:
            if step.question is not None and step.question.quantity is not None:
                with pytest.raises(NotYet, match="train first"):
                    check_answer(step.question, "1", None)


@pytest.mark.parametrize("answer", ["", "x", "0", "5", "-1", "1.5", "²", "9" * 400])
def test_what_is_no_answer_is_said_in_a_line(answer: str) -> None:
    question = next(
        step.question
        for entry in lessons()
        for step in entry.lesson.step
        if step.question is not None and step.question.quantity is None
    )
    assert isinstance(question, Question)
    with pytest.raises(ValueError, match="from 1 to"):
        check_answer(question, answer, None)
