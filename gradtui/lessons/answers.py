"""Check the answer to a lesson's question against the numbers that a run has recorded."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gradtui.diagnosis.factors import factors_of_run
from gradtui.lessons.lesson import AnswerChoice, Quantity, Question
from gradtui.runs.errors import RunError
from gradtui.runs.reader import Run
from gradtui.words import plain_exponents


class NotYet(Exception):
    """A NotYet error says why a question cannot be answered now, in one line."""


class AnswerCheck(NamedTuple):
    """An AnswerCheck says whether an answer is right, and gives the run's own value in one line."""

    right: bool
    line: str


def check_answer(question: Question, answer: str, run: Run | None) -> AnswerCheck:
    """Judge an answer: a layer's number or name, a number, or the number of a choice from 1.

    Raises:
        NotYet: the run has not recorded what is asked for.
        ValueError: the answer is not a layer, number or choice, in one line.
    """
    if question.quantity is not None and (run is None or _steps(run) < question.after):
        raise NotYet(f"train first: the question is about a run of {question.after} steps at least")
    if question.kind == "choice":
        return _check_choice(question, answer, run)
    assert run is not None
    return (
        _check_layer(question, answer, run)
        if question.kind == "layer"
        else _check_number(question, answer, run)
    )


def right_choice(question: Question, run: Run | None) -> int:
    """Return the number of the right choice, from 1. Raises NotYet."""
    value = math.nan if question.quantity is None or run is None else measure(question.quantity, run)
    for number, choice in enumerate(question.choices, 1):
        if question.quantity is None:
            if choice.right:
                return number
        elif choice.nonfinite != math.isfinite(value) and _lies_in(choice, value):
            return number
    raise NotYet("the run fits none of the answers; train it again")


def _check_choice(question: Question, answer: str, run: Run | None) -> AnswerCheck:
    number = int(answer) if answer.strip().isdecimal() and len(answer) < 9 else 0
    if not 1 <= number <= len(question.choices):
        raise ValueError(f"a number from 1 to {len(question.choices)}")
    right = right_choice(question, run)
    return AnswerCheck(number == right, question.choices[number - 1].text)


def _lies_in(choice: AnswerChoice, value: float) -> bool:
    if choice.nonfinite:
        return True
    return (choice.above is None or value >= choice.above) and (choice.below is None or value < choice.below)


def _check_number(question: Question, answer: str, run: Run) -> AnswerCheck:
    given = number_of(answer)
    assert question.quantity is not None
    value = measure(question.quantity, run)
    if question.factor > 1:
        right = given * value > 0 and abs(math.log(given / value)) <= math.log(question.factor)
    else:
        right = abs(given - value) <= question.within
    if not right and math.isfinite(value):
        # The answer itself is not told, since the question stays open.
        return AnswerCheck(False, "too large" if given > value else "too small")
    return AnswerCheck(right, f"the run has {plain_exponents(f'{value:.3g}')}")


def number_of(answer: str) -> float:
    """Return a number, which may be given in percent. Raises ValueError, in one line."""
    word = answer.strip()
    try:
        number = float(word.removesuffix("%"))
    except ValueError:
        raise ValueError("type a number, such as 0.24 or 1e-12") from None
    return number / 100 if word.endswith("%") else number


def layer_of(answer: str, names: list[str]) -> int:
    """Return the index of a layer by its number from 1 or its name. Raises ValueError."""
    word = answer.strip()
    if word.isdecimal() and len(word) < 9 and 1 <= int(word) <= len(names):
        return int(word) - 1
    if word in names:
        return names.index(word)
    raise ValueError(f"a layer from 1 to {len(names)}, or its name")


def _check_layer(question: Question, answer: str, run: Run) -> AnswerCheck:
    assert question.quantity is not None
    given = layer_of(answer, list(run.layer_names))
    row = _row(question.quantity, run)
    known = np.isfinite(row)
    if not known.any():
        raise NotYet("the run has no numbers for this yet")
    best = np.nanmin(row[known]) if question.extreme == "lowest" else np.nanmax(row[known])
    near = abs(row[given] - best) <= question.within * abs(best)
    return AnswerCheck(
        bool(known[given] and near), f"layer {given + 1} has {plain_exponents(f'{row[given]:.2g}')}"
    )


def measure(quantity: Quantity, run: Run) -> float:
    """Return a quantity of a run. Raises NotYet where it is not recorded."""
    if quantity.of == "steps":
        return float(_steps(run))
    if quantity.of in ("product", "factor"):
        factors = factors_of_run(run, None)
        if factors is None:
            raise NotYet("the run has recorded no factors yet")
        if quantity.of == "factor":
            return float(10.0 ** factors.total[_index(quantity.layer, len(factors.total))])
        known = factors.running[np.isfinite(factors.running)]
        if not len(known):
            raise NotYet("the factors of this run are not finite numbers")
        return float(10.0 ** (known[-1] if factors.over_time else known[0]))
    if quantity.of in ("train_accuracy", "test_accuracy"):
        known_events = [event[quantity.of] for event in run.events() if event.get(quantity.of) is not None]
        if not known_events:
            raise NotYet("the run has not been evaluated yet; wait for its end")
        ends = {"first": known_events[0], "lowest": min(known_events), "highest": max(known_events)}
        return float(ends.get(quantity.at, known_events[-1]))
    if quantity.of in ("loss", "accuracy", "lr", "grad_norm_total"):
        return _curve(quantity, run)
    row = _row(quantity, run)
    value = float(row[_index(quantity.layer, len(row))])
    return value / float(row[_index(quantity.over, len(row))]) if quantity.over else value


def _index(layer: int, count: int) -> int:
    """Return the index of a layer that is counted from 1, or from the end by negative numbers. Raises NotYet."""
    if not 1 <= abs(layer) <= count:
        raise NotYet(f"the run has no layer {layer}")
    return layer - 1 if layer > 0 else layer


def _curve(quantity: Quantity, run: Run) -> float:
    values = run.scalars({"grad_norm_total": "grad_norm"}.get(quantity.of, quantity.of))[1]
    if not len(values):
        raise NotYet("the run has no numbers for this yet")
    finite = values[np.isfinite(values)]
    if quantity.at in ("lowest", "highest"):
        if not len(finite):
            return math.nan
        return float(finite.min() if quantity.at == "lowest" else finite.max())
    # The end is a mean over some steps: single batches scatter.
    return float(values[0] if quantity.at == "first" else np.mean(values[-max(1, len(values) // 20) :]))


def _row(quantity: Quantity, run: Run) -> np.ndarray:
    try:
        rows = run.layers(quantity.of)[1]
    except (RunError, KeyError, ValueError):
        raise NotYet(f"the run does not record {quantity.of}") from None
    if not len(rows):
        raise NotYet("the run has no numbers for this yet")
    return np.asarray(rows[0 if quantity.at == "first" else -1], np.float64)


def _steps(run: Run) -> int:
    try:
        return int(run.scalars("loss")[0][-1])
    except (RunError, KeyError, ValueError, IndexError):
        return 0
