"""Define the columns of the list of studies, of a study's runs, and of the cures of a run."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from textual.content import Content

from gradtui import words
from gradtui.diagnosis.outcome import Outcome
from gradtui.judgement import MARKS, VERDICT_MARKS
from gradtui.runs.status import COMPLETED_STATES
from gradtui.study.state import StudyRow
from gradtui.ui.screens.study.study_store import StudyEntry
from gradtui.ui.widgets.status_bar import STATE_MARKS
from gradtui.ui.widgets.table_columns import Column
from gradtui.words import printable, ratio


def entry_columns() -> tuple[Column[StudyEntry], ...]:
    """Return the columns of the list of studies."""
    return (
        Column("name", "study", _study_name, 16, 24, rank=0, middle=True),
        Column("state", "runs", _trained, 12, 14, rank=1),
        Column("kind", "chart", lambda entry: entry.spec.compare.kind, 6, rank=4),
        Column("about", "question", _about, 40, 200, rank=2, wraps=True),
        Column("changed", "trained", _changed, 10, rank=3, right=True, sparse=True),
    )


def _study_name(entry: StudyEntry) -> Content:
    return Content.styled(printable(entry.spec.name), "bold")


def _trained(entry: StudyEntry) -> Content:
    mark, colour = ("✓", "$success") if entry.completed >= entry.total else ("‖", "$accent")
    if not entry.begun:
        mark, colour = "○", "$secondary"
    return Content.styled(f"{mark} {entry.completed:,} of {entry.total:,}", colour)


def _about(entry: StudyEntry) -> Content:
    return Content.styled(printable(entry.spec.description), "$secondary")


def _changed(entry: StudyEntry) -> Content:
    return Content.styled(words.ago(time.time() - entry.changed) if entry.changed else "", "$secondary")


# -- the runs of a study


def run_columns() -> tuple[Column[StudyRow], ...]:
    """Return the columns of the table of a study's runs."""
    return (
        Column(
            "state", "state", _state, 12, rank=1, value=lambda row: (row.state, -row.share), share=_share_trained
        ),
        Column("name", "experiment", lambda row: printable(row.name), 26, 80, rank=0,
               value=lambda row: row.name, middle=True),
        Column("findings", "findings", _findings, 14, 30, rank=3, value=lambda row: row.codes or None),
        _number("train", "accuracy", 6, 2, lambda value: f"{value:.1%}"),
        _number("test", "test_accuracy", 6, 4, lambda value: f"{value:.1%}"),
        _number("loss", "loss", 7, 5, lambda value: f"{value:.3g}"),
        _number("in÷out", "drop", 8, 6, ratio),
        _number("step time", "seconds", 9, 7, words.step_time),
    )  # fmt: skip


def _number(title: str, name: str, width: int, rank: int, shown: Callable[[float], str]) -> Column[StudyRow]:
    """Return a column for one number of a run's outcome."""

    def value(row: StudyRow) -> float | None:
        number = getattr(row.outcome, name) if row.outcome is not None else math.nan
        return None if math.isnan(number) and name != "loss" else number

    def text(row: StudyRow) -> str:
        number = value(row) if row.outcome is not None else None
        return "–" if number is None else shown(number)

    return Column(title, title, text, width, rank=rank, right=True, value=value)


def _state(row: StudyRow) -> Content:
    if row.state == "waiting":
        return Content.styled("○ waiting", "$secondary")
    mark, colour = STATE_MARKS[row.state]
    return Content.styled(f"{mark} {row.phase or row.state if row.state == 'running' else row.state}", colour)


def _share_trained(row: StudyRow) -> float | None:
    return row.share if row.state == "running" and row.step else None


def _findings(row: StudyRow) -> Content:
    judgement = row.judgement
    if row.codes:
        # Degradation, which only the other runs show, is not in the judgement on this one.
        mild = judgement is not None and set(row.codes) <= set(judgement.codes) and not judgement.critical
        mark, colour = MARKS["warning" if mild else "critical"]
        return Content.styled(f"{mark} {', '.join(row.codes)}", colour)
    if row.reason:
        return Content.styled(printable(row.reason), "$warning")
    if not row.completed or judgement is None:
        return Content("")
    mark, colour = judgement.mark
    return Content.styled(f"{mark} {printable(judgement.words)}", colour)


# -- the cures of a run


def cure_columns() -> tuple[Column[StudyRow], ...]:
    """Return the columns of the table of cures; where a cure has no numbers, its reason takes their place."""
    return (
        Column("name", "cure", lambda row: row.name, 20, 50, rank=0),
        Column("state", "", _cure_state, 11, 13, rank=1, share=_share_trained),
        Column(
            "train", "train", _accuracy_or_reason, 6, rank=2, right=True, spans=_has_no_numbers, sparse=True
        ),
        _cure_number("test", 6, 6, lambda row, outcome: _percent(outcome.test_accuracy)),
        _cure_number("loss", 7, 3, lambda row, outcome: f"{outcome.loss:.3g}"),
        _cure_number("in÷out", 8, 4, lambda row, outcome: ratio(outcome.drop)),
        _cure_number("time", 6, 5, lambda row, outcome: _price(row.price)),
        Column("found", " found", _found, 12, rank=2, spans=lambda row: True, sparse=True),
    )


def _cure_number(
    title: str, width: int, rank: int, shown: Callable[[StudyRow, Outcome], str]
) -> Column[StudyRow]:
    def text(row: StudyRow) -> str:
        return shown(row, row.outcome) if row.outcome is not None else ""

    return Column(title, title, text, width, rank=rank, right=True, sparse=True)


def _has_no_numbers(row: StudyRow) -> bool:
    return row.outcome is None or row.state in ("failed", "died")


def _accuracy_or_reason(row: StudyRow) -> Content | str:
    if row.outcome is None or _has_no_numbers(row):
        return Content.styled(printable(row.reason), "$secondary")
    return _percent(row.outcome.accuracy)


def _cure_state(row: StudyRow) -> Content:
    if row.state in COMPLETED_STATES:
        mark, word, colour = verdict_mark(row)
    elif row.state == "running":
        mark, word, colour = "●", row.phase or "running", "$accent"
    elif row.state == "waiting":
        return Content.styled("waiting", "$secondary")
    else:
        mark, colour = STATE_MARKS[row.state]
        word = row.state
    return Content.styled(f"{mark} {word}", f"bold {colour}")


def _price(price: float) -> str:
    return f"×{price:.2f}" if price < 99.5 else f"×{price:.0f}" if price > 0 else ""


def _found(row: StudyRow) -> Content:
    codes = ", ".join(row.outcome.codes) if row.outcome is not None else ""
    if codes:
        return Content.styled(f" {codes}", "$error")
    return Content.styled(" ✓ none" if row.ended else "", "$success")


def verdict_mark(row: StudyRow) -> tuple[str, str, str]:
    """Return a sign, a word and a colour for a row's verdict; the signs differ too, for terminals without colour."""
    verdict = row.verdict
    if verdict is None:
        failing = row.outcome is not None and row.outcome.failing
        return ("✖", "failing", "$error") if failing else ("✓", "fine", "$success")
    mark, colour = VERDICT_MARKS[verdict.word]
    # The column of what was found says that a problem is left.
    return mark, verdict.word.partition(",")[0], colour


def _percent(accuracy: float) -> str:
    return "–" if math.isnan(accuracy) else f"{accuracy:.1%}"
