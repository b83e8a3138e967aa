"""Diagnose runs that have ended and have no diagnosis yet, for the list of runs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gradtui.runs.errors import RunError
from gradtui.runs.library import needs_diagnosis
from gradtui.runs.run_info import RunInfo
from gradtui.runs.viewer_diagnosis import read_viewer_diagnosis, write_viewer_diagnosis

if TYPE_CHECKING:
    from gradtui.diagnosis.findings import Finding
    from gradtui.runs.reader import Run


class EndedRuns:
    """EndedRuns diagnoses the ended runs of a list that have no diagnosis, each of them once."""

    def __init__(self) -> None:
        self._tried: set[Path] = set()

    def diagnose(self, infos: Iterable[RunInfo], seconds: float) -> bool:
        """Diagnose as many runs as the time allows, in their order, and return whether a result was noted.

        The result is noted in the run's folder; a run whose folder cannot be written to is left out.
        """
        end, noted = time.monotonic() + seconds, False
        for info in infos:
            if info.run in self._tried or not needs_diagnosis(info):
                continue
            # Without a note the result would be lost, and every list of runs would diagnose the run again.
            if not os.access(info.run, os.W_OK):
                continue
            if time.monotonic() >= end:
                break
            self._tried.add(info.run)
            noted |= note_diagnosis(info.run)
        return noted


def note_diagnosis(folder: Path) -> bool:
    """Diagnose a run, note the result in its folder if the run has ended, and return whether it is noted."""
    from gradtui.diagnosis.monitor import diagnose_run
    from gradtui.runs.reader import open_run

    try:
        run = open_run(folder)
        if run.status.live:
            return False
        diagnosis = diagnose_run(run)
        return note_findings(run, diagnosis.findings, diagnosis.judged.enough_steps)
    except (RunError, OSError, ValueError):
        # A run that cannot be read has no findings.
        return False


def note_findings(run: Run, findings: Sequence[Finding], enough: bool = True) -> bool:
    """Note the findings of a run that has ended, unless its events already have the same ones.

    The list of runs shows this note. Return whether the findings are noted now.
    """
    from gradtui.diagnosis.judged import objection_of

    folder, step = run.folder, run.steps
    objection = "" if findings else objection_of(run)
    known = read_viewer_diagnosis(folder, step)
    codes = {finding.code for finding in findings}
    if (
        known is None
        and run.diagnosed
        and codes == {str(event.get("code")) for event in run.findings}
        and not objection
    ):
        return True
    if (
        known is not None
        and codes == {finding.code for finding in known.findings}
        and known.objection == objection
    ):
        return True
    return write_viewer_diagnosis(folder, step, findings, enough, objection)
