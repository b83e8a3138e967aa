"""The gradient of each layer of what a study draws as bars: one small profile a bar."""

from __future__ import annotations

import math

from gradtui.study.chart import Bar, BarChart
from gradtui.study.study_state import StudyState
from gradtui.ui.panes.small_profiles import Multiple
from gradtui.words import printable


def profiles_of(state: StudyState) -> tuple[Multiple, ...]:
    """A profile for each bar, in the order of the bars: of the first seed, as the study's page prints it.

    Bars of which no run has come to a step are left out; there is none of a study that is not drawn as bars.
    """
    chart = next((chart for chart in state.charts if isinstance(chart, BarChart)), None)
    made = (_profile(state, bar) for bar in chart.bars) if chart is not None else ()
    return tuple(one for one in made if one is not None)


def _profile(state: StudyState, bar: Bar) -> Multiple | None:
    rows = [state.row(key) for key in bar.runs]
    row = next((row for row in rows if row.gradients is not None), None)
    if row is None:
        return None
    return Multiple(
        bar.runs,
        printable(bar.name),
        # A sign of all seeds, as the bar's own note is.
        ("✖" if bar.note else "✓") if any(row.judged for row in rows) else "",
        row.outcome.drop if row.outcome is not None else math.nan,
        row.gradients,
        row.healthy,
    )
