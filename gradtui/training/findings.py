"""The diagnosis of a run while it trains, kept in its events: so it is there whoever looks, and whenever."""

from __future__ import annotations

import time
import traceback
from dataclasses import replace
from pathlib import Path

from gradtui.diagnosis import Finding, LiveDiagnosis, evidence_of
from gradtui.runs.reader import Run, open_run
from gradtui.runs.writer import RunWriter

SHARE = 0.01
"""Of the time since the last diagnosis that one may take."""


class Findings:
    """Diagnoses the run so far and writes an event for each finding that is new."""

    def __init__(self, folder: Path, writer: RunWriter) -> None:
        self._folder = folder
        self._writer = writer
        self._live = LiveDiagnosis()
        self._run: Run | None = None
        self._written: dict[str, Finding] = {}
        self._not_before = 0.0

    def look(self, *, finished: bool = False) -> None:
        """Diagnose what is on disk, unless the last time was too costly to do it again so soon.

        `finished`: the training is over; say once more, with the last figures, what stands. Never raises: a
        training does not fail because somebody could not judge it.
        """
        begin = time.monotonic()
        if begin < self._not_before and not finished:
            return
        try:
            self._diagnose(finished)
        except Exception:
            traceback.print_exc()
        end = time.monotonic()
        self._not_before = end + (end - begin) / SHARE

    def _diagnose(self, finished: bool) -> None:
        self._writer.flush()
        if self._run is None:
            self._run = open_run(self._folder)
        evidence = evidence_of(self._run)
        # The event of the end is not written yet, and shall come after the findings.
        look = self._live.update(replace(evidence, finished=True) if finished else evidence)
        for finding in look.findings if finished else look.new:
            if self._written.get(finding.code) != finding:
                self._writer.event("finding", **finding.to_json())
                self._written[finding.code] = finding
