"""Make the table that ranks changes by their outcome, compared with the unchanged training."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from gradtui.diagnosis.outcome import Outcome, Verdict
from gradtui.report.output import Paper, aligned
from gradtui.runs.library import profile_of
from gradtui.words import blocks

SHORT_TITLE, LONG_TITLE = "gradient", "gradient, input → output"


def ranking_rows(
    first: str,
    before: Outcome,
    ranked: Sequence[tuple[str, Verdict]],
    heads: Sequence[str],
    cells: Callable[[str, Verdict | None], Sequence[str]],
    gradients: Callable[[str], NDArray[np.float64] | None],
    *,
    ascii: bool = False,
) -> list[tuple[str, ...]]:
    """Return the rows of the table: its heading, the unchanged training, and the changes.

    Args:
        first: the name of the unchanged training.
        before: the outcome of the unchanged training.
        ranked: the changes with their verdicts, the best first.
        heads: the titles of the columns of `cells`.
        cells: returns the cells of a change from its name and its verdict, which is None for the unchanged training.
        gradients: returns the norms of the layers of a change, (layers,), for a small chart.
        ascii: whether the small charts, which need other characters, are left out.
    """

    def row(place: str, change: str, verdict: Verdict | None, told: str) -> tuple[str, ...]:
        norms = gradients(change)
        drawn = "" if norms is None or ascii else blocks(profile_of(norms.tolist()))
        return (place, change, *cells(change, verdict), drawn, told)

    rows = [row("", first, None, ", ".join(before.codes))]
    for place, (change, verdict) in enumerate(ranked, 1):
        found = ", ".join(verdict.after.codes)
        rows.append(row(str(place), change, verdict, verdict.word + (f": {found}" if found else "")))
    # The charts of few layers leave no room for the long title.
    long = max(len(cells[-2]) for cells in rows) >= len(LONG_TITLE)
    return [("", "", *heads, LONG_TITLE if long else SHORT_TITLE, ""), *rows]


def ranking_lines(first: str, rows: Sequence[Sequence[str]], paper: Paper) -> Iterator[Text]:
    """Yield the table of such rows under its title; first: the name of the unchanged training."""
    yield Text(f"Ranked by what was measured, against {first}", "bold")
    yield from heading_and_rows(rows, paper)


def heading_and_rows(rows: Sequence[Sequence[str]], paper: Paper) -> Iterator[Text]:
    """Yield rows in aligned columns, the first as the heading."""
    # Another program reads one row a line.
    columns = paper.width if sys.stdout.isatty() else None
    for number, line in enumerate(aligned(rows, columns)):
        yield Text(line, "dim" if number == 0 else "")
