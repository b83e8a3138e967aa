"""The progress of a study."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradtui.commands.progress import BarLine
from gradtui.words import seconds

if TYPE_CHECKING:
    from gradtui.study.state import StudyState


class StudyProgress(BarLine):
    """Name, bar, runs that have ended, those that train, those that broke, time left."""

    def __init__(self) -> None:
        super().__init__("planning")

    def show(self, state: StudyState) -> None:
        """Draw this state."""
        self.draw(state.name, state.share, 1.0, figures(state))


def figures(state: StudyState) -> str:
    """What stands to the right of the bar."""
    live = [row for row in state.rows if row.live]
    broken = sum(row.state in ("failed", "died") for row in state.rows)
    parts = [f"{state.ended}/{state.total} runs", f"{len(live)} training"]
    if broken:
        parts.append(f"{broken} failed")
    if state.seconds_left is not None and live:
        parts.append(f"{seconds(state.seconds_left)} left")
    if state.other_owner:
        parts.append(f"begun by {state.other_owner}")
    return "  ".join(parts)
