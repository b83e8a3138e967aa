"""Wishes to end well before the last step: from outside the run folder, and from a viewer."""

from __future__ import annotations

import signal
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradtui.training.controls import Controls

Ending = tuple[str, str]
"""Status and reason of a run's end."""


class StopRequest:
    """`wanted` is set once SIGTERM has arrived."""

    def __init__(self) -> None:
        self.wanted = False

    def listen(self) -> None:
        """Take SIGTERM from now on. Only in the main thread."""
        signal.signal(signal.SIGTERM, self._want)

    def _want(self, number: int, frame: FrameType | None) -> None:
        self.wanted = True


def wished_end(stop: StopRequest, controls: Controls) -> Ending | None:
    """How a run ends that is told to; None while it is not."""
    if stop.wanted:
        return "stopped", "the trainer was told to end (SIGTERM)"
    if controls.stopped:
        return "stopped", "stopped by a viewer"
    return None
