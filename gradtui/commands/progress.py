"""Progress on stderr, in one line that is gone when it is over."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from gradtui.words import figure, seconds

if TYPE_CHECKING:
    from gradtui.runs.follower import Snapshot

BEFORE_THE_FIRST_EVENT = "starting"


class BarLine:
    """What is done, a bar, figures. To be entered; nothing is drawn outside."""

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

    def draw(self, description: str, done: float, total: float | None, figures: str) -> None:
        """Draw this; without a total the bar only says that something goes on."""
        self._progress.update(
            self._task, description=description, completed=done, total=total, figures=figures
        )

    def say(self, text: str) -> None:
        """A line above the bar that stays."""
        self._progress.console.print(text, markup=False, highlight=False)


class ProgressLine(BarLine):
    """Of a training: phase, bar, step, rate, time left and loss."""

    def __init__(self) -> None:
        super().__init__(BEFORE_THE_FIRST_EVENT)

    def show(self, snapshot: Snapshot) -> None:
        """Draw this state."""
        phase = snapshot.status.phase
        done, total = epochs(snapshot) if phase == "pretraining" else (snapshot.step, snapshot.steps)
        self.draw(phase or BEFORE_THE_FIRST_EVENT, done, total or None, figures(snapshot))


def epochs(snapshot: Snapshot) -> tuple[int, int]:
    """How many epochs of all layers together pretraining has done, and how many there are."""
    now = next(event for event in reversed(snapshot.events) if event["event"] == "phase")
    return (now["layer"] - 1) * now["epochs"] + now["epoch"] - 1, now["layers"] * now["epochs"]


def _pretraining(snapshot: Snapshot) -> str:
    now = next(event for event in reversed(snapshot.events) if event["event"] == "phase")
    place = f"layer {now['layer']}/{now['layers']}  epoch {now['epoch']}/{now['epochs']}"
    before = next((event for event in reversed(snapshot.events) if event["event"] == "pretrain"), None)
    return place if before is None else f"{place}  error {figure(before['reconstruction_error'])}"


def figures(snapshot: Snapshot) -> str:
    """What stands to the right of the bar."""
    if snapshot.status.phase == "pretraining":
        return _pretraining(snapshot)
    if not snapshot.step:
        return ""
    parts = [f"step {snapshot.step:,}/{snapshot.steps:,}" if snapshot.steps else f"step {snapshot.step:,}"]
    if snapshot.rate is not None:
        parts.append(f"{snapshot.rate:,.0f}/s" if snapshot.rate >= 10 else f"{snapshot.rate:.1f}/s")
    if snapshot.seconds_left is not None:
        parts.append(f"{seconds(snapshot.seconds_left)} left")
    loss = snapshot.curves.get("loss")
    if loss is not None and len(loss):
        parts.append(f"loss {figure(float(loss.mean[-1]))}")
    return "  ".join(parts)
