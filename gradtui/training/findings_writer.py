"""Write each finding of the trainer's own diagnosis to the events of its run, so that every viewer reads the same."""

from __future__ import annotations

import time
import traceback
from pathlib import Path

from gradtui.diagnosis import Finding, RunMonitor
from gradtui.runs.writer import RunWriter

SHARE_OF_TIME = 0.01
"""The most of the time since the last diagnosis that the next one may take."""


class FindingsWriter:
    """A FindingsWriter diagnoses the run that is being trained and writes an event for each new finding."""

    def __init__(self, folder: Path, writer: RunWriter) -> None:
        self._folder = folder
        self._writer = writer
        self._monitor: RunMonitor | None = None
        self._written: dict[str, Finding] = {}
        self._not_before = 0.0

    def diagnose(self, *, finished: bool = False) -> None:
        """Diagnose what is on disk, unless that would take too much of the training's time.

        It never raises: a training must not fail because its diagnosis did.

        Args:
            finished: the training is over; write once more, with the last figures, every finding that holds.
        """
        begin = time.monotonic()
        if begin < self._not_before and not finished:
            return
        try:
            self._write(finished)
        except Exception:
            traceback.print_exc()
        end = time.monotonic()
        self._not_before = end + (end - begin) / SHARE_OF_TIME

    def _write(self, finished: bool) -> None:
        self._writer.flush()
        if self._monitor is None:
            self._monitor = RunMonitor(self._folder)
        # The event of the end comes after the findings, so the folder does not say yet that the run is over.
        new = self._monitor.diagnose(finished=finished)
        for finding in self._monitor.current_findings if finished else new:
            if self._written.get(finding.code) != finding:
                self._writer.event("finding", **finding.to_json())
                self._written[finding.code] = finding
