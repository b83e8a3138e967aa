"""Run an action of the script's author once for each finding of a watched training, in a separate thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gradtui.monitor.guard import reason_of, warn

SECONDS_BETWEEN_LOOKS = 1.0
"""The least time between two diagnoses; it is longer if a diagnosis takes long."""
LONGEST_WAIT = 30.0
"""The most seconds that the end of a run waits for its last diagnosis and the action."""

Action = Callable[[dict[str, Any]], object]


class FindingAction:
    """A FindingAction follows the run folder as a viewer does, so that it takes no time of the training's thread."""

    def __init__(self, folder: Path, action: Action) -> None:
        """Call `action` with each finding as `gradtui diagnose --json` prints it, once per code."""
        if not callable(action):
            raise TypeError(f"watch(on_finding=…): a {type(action).__name__} cannot be called")
        self._folder = folder
        self._action = action
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gradtui-findings", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Diagnose the run a last time, after it has ended, and wait for the action."""
        self._ended.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(LONGEST_WAIT)

    def _run(self) -> None:
        try:
            self._follow()
        except Exception as error:
            warn(f"gradtui no longer looks for findings: {reason_of(error)}")

    def _follow(self) -> None:
        from gradtui.diagnosis.monitor import RunMonitor

        monitor = RunMonitor(self._folder)
        failed = False
        while True:
            ended = self._ended.wait(SECONDS_BETWEEN_LOOKS)
            monitor.poll()
            found = monitor.diagnose(finished=ended) if ended or monitor.waiting_since is not None else []
            for finding in found:
                try:
                    self._action(finding.to_json())
                except Exception as error:
                    if not failed:
                        warn(f"gradtui: on_finding failed: {reason_of(error)}")
                    failed = True
            if ended or (monitor.snapshot is not None and not monitor.snapshot.status.live):
                return
