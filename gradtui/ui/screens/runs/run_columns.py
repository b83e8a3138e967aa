"""What the list says of each run, in which order, and what gives way where there is little room."""

from __future__ import annotations

import time
from collections.abc import Callable

from textual.content import Content

from gradtui import words
from gradtui.runs.digest import BINS
from gradtui.runs.library import RunInfo
from gradtui.ui.widgets.row_table import Column
from gradtui.ui.widgets.status_bar import MARKS


def columns() -> tuple[Column[RunInfo], ...]:
    """From left to right."""
    return (
        Column("state", "state", _state, 10, rank=1, value=lambda info: info.status.state),
        Column("name", "name", _name, 16, 40, rank=0, value=lambda info: info.name.lower(), beside="tags"),
        Column("gradient", "gradient in▸out", _gradient, BINS, rank=8, value=_drop),
        Column("findings", "findings", _findings, 12, 34, rank=3, value=_codes),
        Column("depth", "depth", _depth, 6, rank=4, right=True, value=lambda info: info.digest.depth or None),
        Column("step", "step", lambda info: f"{info.steps:,}", 7, rank=6, right=True, value=lambda info: info.steps),
        _figure("train", 6, 7, words.percent, lambda info: info.digest.train),
        _figure("test", 6, 5, words.percent, lambda info: info.digest.test),
        _figure("loss", 8, 9, words.number, lambda info: info.digest.loss),
        _figure("seconds", 8, 10, words.duration, lambda info: info.digest.seconds, title="took"),
        Column("started", "started", _started, 10, rank=2, right=True, value=lambda info: info.started or None),
        Column("tags", "tags", _tags, 12, 30, rank=11, value=lambda info: info.label.tags or None),
        Column("id", "folder", _folder, 20, 44, rank=12, value=lambda info: info.id),
    )  # fmt: skip


def _figure(
    key: str,
    width: int,
    rank: int,
    said: Callable[[float | None], str],
    get: Callable[[RunInfo], float | None],
    title: str = "",
) -> Column[RunInfo]:
    return Column(key, title or key, lambda info: said(get(info)), width, rank=rank, right=True, value=get)


def printable(text: str) -> str:
    """On one line: a run may be called anything."""
    return "".join(character if character.isprintable() else "·" for character in text)


def _state(info: RunInfo) -> Content:
    mark, colour = MARKS[info.status.state]
    return Content.styled(f"{mark} {info.status.state}", colour)


def _name(info: RunInfo) -> Content:
    return Content(printable(info.name))


def _tags(info: RunInfo) -> Content:
    return Content.styled(" ".join(f"#{tag}" for tag in info.label.tags), "$primary")


def _gradient(info: RunInfo) -> Content:
    return Content.styled(words.blocks(info.digest.profile), "$error" if info.digest.findings else "$primary")


def _drop(info: RunInfo) -> float | None:
    """Decades from the output to the input."""
    profile = info.digest.profile
    return profile[0] - profile[-1] if len(profile) > 1 else None


def _codes(info: RunInfo) -> tuple[int, tuple[str, ...]] | None:
    codes = info.digest.findings
    return (len(codes), codes) if codes else None


def _findings(info: RunInfo) -> Content:
    if info.digest.findings:
        return Content.styled("✖ " + ", ".join(map(printable, info.digest.findings)), "$error")
    return Content.styled("✓" if info.status.state == "finished" else "", "$success")


def _depth(info: RunInfo) -> str:
    return f"{info.digest.depth:,}" if info.digest.depth else "–"


def _folder(info: RunInfo) -> Content:
    return Content.styled(printable(info.id), "$secondary")


def _started(info: RunInfo) -> Content:
    return Content.styled(words.ago(time.time() - info.started) if info.started else "–", "$secondary")
