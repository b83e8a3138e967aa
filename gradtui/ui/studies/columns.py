"""What the list says of each study, and the table of a study of each of its runs."""

from __future__ import annotations

import math
import time
from typing import Any

from textual.content import Content

from gradtui import words
from gradtui.study.study_state import StudyRow
from gradtui.ui.panes.trial_table import power
from gradtui.ui.studies.desk import Offer
from gradtui.ui.widgets.row_table import Column
from gradtui.ui.widgets.status_bar import MARKS, bar
from gradtui.words import printable

BAR = 12
"""Columns of the state of a run."""


def offer_columns() -> tuple[Column[Offer], ...]:
    """Of the list of studies."""
    return (
        Column(
            "name", "study", lambda offer: Content.styled(printable(offer.spec.name), "bold"), 16, 24, rank=0
        ),
        Column("state", "trained", _begun, 14, rank=1),
        Column("kind", "drawn as", lambda offer: offer.spec.compare.kind, 8, rank=4),
        Column("about", "what it shows", _about, 30, 120, rank=2),
        Column("changed", "last", _changed, 10, rank=3, right=True),
    )


def _begun(offer: Offer) -> Content:
    if not offer.begun:
        return Content.styled(f"○ {offer.total:,} runs", "$secondary")
    mark, tone = ("✓", "$success") if offer.begun >= offer.total else ("‖", "$accent")
    return Content.styled(f"{mark} {offer.begun:,} of {offer.total:,}", tone)


def _about(offer: Offer) -> Content:
    return Content.styled(printable(offer.spec.description), "$secondary")


def _changed(offer: Offer) -> Content:
    return Content.styled(words.ago(time.time() - offer.changed) if offer.changed else "–", "$secondary")


def run_columns() -> tuple[Column[StudyRow], ...]:
    """Of the runs of a study."""
    return (
        Column("state", "state", _state, BAR, rank=1, value=lambda row: (row.state, -row.share)),
        Column("name", "experiment", lambda row: printable(row.name), 26, 60, rank=0, value=lambda row: row.name),
        Column("findings", "findings", _findings, 14, 30, rank=3, value=lambda row: row.codes or None),
        _figure("train", "accuracy", 6, 2, lambda value: f"{value:.1%}"),
        _figure("test", "test_accuracy", 6, 4, lambda value: f"{value:.1%}"),
        _figure("loss", "loss", 7, 5, lambda value: f"{value:.3g}"),
        _figure("1st÷last", "drop", 8, 6, power),
        _figure("a step", "seconds", 8, 7, lambda value: f"{value * 1000:.3g} ms"),
    )  # fmt: skip


def _figure(title: str, name: str, width: int, rank: int, said: Any) -> Column[StudyRow]:
    def value(row: StudyRow) -> float | None:
        figure = getattr(row.outcome, name) if row.outcome is not None else math.nan
        return None if math.isnan(figure) and name != "loss" else figure

    def text(row: StudyRow) -> str:
        figure = value(row) if row.outcome is not None else None
        return "–" if figure is None else said(figure)

    return Column(title, title, text, width, rank=rank, right=True, value=value)


def _state(row: StudyRow) -> Content:
    if row.state == "waiting":
        return Content.styled("○ waiting", "$secondary")
    if row.state == "running" and row.step:
        return bar(row.share, BAR)
    mark, colour = MARKS[row.state]
    return Content.styled(f"{mark} {row.phase or row.state if row.state == 'running' else row.state}", colour)


def _findings(row: StudyRow) -> Content:
    if row.codes:
        return Content.styled("✖ " + ", ".join(row.codes), "$error")
    if row.reason:
        return Content.styled(printable(row.reason), "$warning")
    return Content.styled("✓" if row.judged else "", "$success")
