"""Show what a trainer is doing before its first step, so that a slow start does not look like a hang."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

if TYPE_CHECKING:
    from gradtui.runs.events import Event
    from gradtui.ui.followed_run import FollowedRun

PHASES = {
    "": "Starting the trainer …",
    "importing": "Importing PyTorch …",
    "building": "Building the net and loading the data …",
    "training": "Taking the first step …",
    "measuring": "Measuring one batch at initialisation …",
    "evaluating": "Evaluating on the training and the test set …",
}
STARTING = Content(PHASES[""])
"""What is shown from the key on with which the person starts a training."""
GOES_ON = "…"
"""The last character of what goes on; the seconds that have passed stand behind it."""
QUICK_SECONDS = 2.0
"""The seconds that a usual start takes, of which nothing is said."""
MOST_LAYERS = 12
"""The most layers that the picture of a pretraining lists."""


class WaitingNote(Static):
    """A WaitingNote is shown instead of the charts until there is a step to draw."""

    DEFAULT_CSS = """
    WaitingNote { width: 1fr; height: 1fr; content-align: center middle; color: $text-muted; }
    """

    def __init__(self) -> None:
        self._said = Content.assemble(
            "Press ",
            (" space ", "bold $accent on $panel"),
            " to train this net,\n",
            "and watch the gradient of every layer.",
        )
        super().__init__(self._said)
        self._since = 0.0
        """The time since which something goes on; 0 while nothing does."""

    def on_mount(self) -> None:
        """Count the seconds."""
        self.set_interval(1.0, self._count)

    def say(self, text: Content) -> None:
        """Show what a run waits for; do nothing if the text is empty."""
        if text.plain and text.plain != self._said.plain:
            goes_on = text.plain.endswith(GOES_ON)
            self._since = (self._since or time.monotonic()) if goes_on else 0.0
            self._said = text
            self.update(text)
            self._count()

    def _count(self) -> None:
        passed = time.monotonic() - self._since
        # While charts are shown instead, each update would lay out the screen for nothing.
        if self._since and passed >= QUICK_SECONDS and self.is_on_screen:
            self.update(self._said + f" {passed:.0f} s")


def waiting_for(run: FollowedRun) -> Content:
    """Return what a run without a step is waiting for, or that it ended without one; "" if it has steps."""
    snapshot = run.snapshot
    if snapshot is None:
        return STARTING if run.live else Content("")
    if not run.live:
        return _ended(run) if not snapshot.step else Content("")
    phase = snapshot.status.phase
    if phase == "pretraining":
        now = next((event for event in reversed(snapshot.events) if event.get("phase") == phase), None)
        if now is not None:
            return _pretraining(now, paused=run.state == "paused")
    if run.state == "paused" and phase == "training":
        return Content("Paused before the first step.\nspace resumes the training.")
    return Content(PHASES.get(phase, f"{phase} …"))


def _ended(run: FollowedRun) -> Content:
    """Return that a run ended before it had a step."""
    said = f"{run.state.capitalize()} before the first step."
    if run.state in ("failed", "died") and not run.script:
        said += "\nL shows what its trainer printed."
    return Content(said)


def _pretraining(now: Event, *, paused: bool) -> Content:
    """Return the layers of a pretraining, with a mark at the one that is trained now."""
    at, layers = int(now["layer"]), int(now["layers"])
    lines = [
        Content.styled(
            f"Pretraining: layer {at} of {layers}, epoch {now['epoch']} of {now['epochs']}", "bold"
        ),
        Content.styled(
            "This layer learns to reconstruct its own input; no gradient crosses the depth.", "$secondary"
        ),
        Content.styled(
            "The gradient of the whole net comes with the fine-tuning that follows.", "$secondary"
        ),
        Content(""),
    ]
    first = max(1, min(at - MOST_LAYERS // 2, layers - MOST_LAYERS + 1))
    for layer in range(first, min(layers, first + MOST_LAYERS - 1) + 1):
        mark, word, style = (
            ("●", "learns now", "bold $accent") if layer == at else ("○", "waits", "$secondary")
        )
        if layer == at and paused:
            mark, word, style = "‖", "paused", "bold $warning"
        if layer < at:
            mark, word, style = "✓", "pretrained", "$success"
        lines.append(Content.styled(f"{mark} layer {layer:<3} {word:<10}", style))
    return Content("\n").join(lines)
