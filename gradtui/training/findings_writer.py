"""Write the findings of the trainer's own diagnosis to the events of its run, so that every viewer reads the same.

A finding gets an event when it is confirmed. The event "diagnosed" names the codes of all findings that hold, so that
readers drop the others; at the end of the training it also says that the list is complete.
"""

from __future__ import annotations

import time
import traceback
from pathlib import Path

from gradtui.diagnosis import Finding, RunMonitor
from gradtui.runs.writer import RunWriter

SHARE_OF_TIME = 0.01
"""The most of the time since the last diagnosis that the next one may take."""


class FindingsWriter:
    """A FindingsWriter diagnoses the run that is being trained and writes an event for what is new."""

    def __init__(self, folder: Path, writer: RunWriter) -> None:
        self._folder = folder
        self._writer = writer
        self._monitor: RunMonitor | None = None
        self._written: dict[str, Finding] = {}
        self._not_before = 0.0

    def diagnose(self, *, finished: bool = False) -> None:
        """Diagnose the recorded run, unless that would take too much of the training's time.

        It never raises, because a failed diagnosis must not end a training.

        Args:
            finished: whether the training is over; then every finding that holds is written again with final figures.
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
        # The end event comes after the findings, so the monitor cannot yet read from the folder that the run is over.
        new = self._monitor.diagnose(finished=finished)
        holding = self._monitor.current_findings
        for finding in holding if finished else new:
            if self._written.get(finding.code) != finding:
                self._writer.event("finding", **finding.to_json())
                self._written[finding.code] = finding
        codes = [finding.code for finding in holding]
        if finished or not set(self._written).issubset(codes):
            self._written = {code: old for code, old in self._written.items() if code in codes}
            judged = self._monitor.judged
            enough = judged is None or judged.enough_steps
            step = self._monitor.evidence.step if self._monitor.evidence is not None else 0
            self._writer.event("diagnosed", step, codes=codes, finished=finished, enough=enough)
