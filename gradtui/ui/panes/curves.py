"""Loss and accuracy over the steps."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical

from gradtui.ui.watching import Watching


class CurvePane(Vertical):
    """One curve pane; ``what`` is "loss" or "accuracy". The chart is mounted with the first numbers."""

    DEFAULT_CSS = """
    CurvePane { border: round $border; border-title-color: $text-muted; border-subtitle-color: $text-muted; }
    """

    def __init__(self, what: str) -> None:
        super().__init__(id=f"{what}-pane")
        self.what = what

    def compose(self) -> ComposeResult:
        """Nothing yet: plotext is imported after the first frame."""
        yield from ()

    def on_mount(self) -> None:
        """The frame's title."""
        self.border_title = self.what.capitalize()

    async def paint(self, watching: Watching) -> None:
        """Show the curves of a run's state: each step's batch, and what was evaluated of train and test."""
        return
