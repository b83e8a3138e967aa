"""A wish from outside the run folder to end well."""

from __future__ import annotations

import signal
from types import FrameType


class StopRequest:
    """`wanted` is set once SIGTERM has arrived."""

    def __init__(self) -> None:
        self.wanted = False

    def listen(self) -> None:
        """Take SIGTERM from now on. Only in the main thread."""
        signal.signal(signal.SIGTERM, self._want)

    def _want(self, number: int, frame: FrameType | None) -> None:
        self.wanted = True
