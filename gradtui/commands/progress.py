"""Show the progress bar of a command on stderr."""

from __future__ import annotations

from types import TracebackType
from typing import NamedTuple, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from gradtui.plain_text import plain


class BarProgress(NamedTuple):
    """A BarProgress is what the bar shows at one moment."""

    description: str
    done: float
    total: float | None
    """None where the total is not known: then the bar only shows that something happens."""
    figures: str
    """The text to the right of the bar."""


class ProgressBar:
    """A ProgressBar shows a description, a bar and figures in one line on stderr, within its `with` block."""

    def __init__(self, description: str) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<11}", markup=False),
            BarColumn(None),
            TextColumn("{task.fields[figures]}", markup=False),
            console=Console(stderr=True),
            transient=True,
            expand=True,
        )
        self._task = self._progress.add_task(description, total=None, figures="")

    def __enter__(self) -> Self:
        self._progress.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.__exit__(kind, error, trace)

    def show(self, progress: BarProgress) -> None:
        """Show this state."""
        self._progress.update(
            self._task,
            description=plain(progress.description),
            completed=progress.done,
            total=progress.total,
            figures=plain(progress.figures),
        )

    def say(self, text: str) -> None:
        """Print a line above the bar, which stays."""
        self._progress.console.print(plain(text), markup=False, highlight=False)
