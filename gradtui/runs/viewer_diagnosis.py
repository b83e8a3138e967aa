"""diagnosis.json holds what a viewer's diagnosis found in a run that has ended, where its events do not say the same.

A watched script diagnoses nothing, a trainer that was killed did not come to its last diagnosis, and early versions did
not say which findings held at the end. Viewers write it; they must not write events.jsonl, whose only writer is the
trainer.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from gradtui.judgement import HasSeverity, Judgement, judge
from gradtui.ordinary_files import read_whole
from gradtui.runs.json_text import decode
from gradtui.runs.safe_files import replacing

DIAGNOSIS_FILE = "diagnosis.json"


class KnownFinding(msgspec.Struct, frozen=True):
    """A KnownFinding is the code of a finding and how bad it is."""

    code: str
    severity: str = "critical"


class ViewerDiagnosis(msgspec.Struct, frozen=True):
    """A ViewerDiagnosis says what was found in the whole of a run."""

    step: int
    """The last step of the run when it was diagnosed: with another one it no longer counts."""
    findings: tuple[KnownFinding, ...] = ()
    enough: bool = True
    """Whether it was long enough to be called free of problems."""
    objection: str = ""
    """Why it cannot be called free of problems although nothing was found."""

    def judgement(self) -> Judgement:
        """Return the judgement on the run."""
        return judge(self.findings, live=False, objection=self.objection, step=self.step, enough=self.enough)


def read_viewer_diagnosis(folder: Path, step: int) -> ViewerDiagnosis | None:
    """Return what a viewer found in the run, if it was made at this last step; None otherwise."""
    try:
        found = decode(read_whole(folder / DIAGNOSIS_FILE), ViewerDiagnosis)
    except (OSError, ValueError):
        return None
    return found if found.step == step else None


def write_viewer_diagnosis(
    folder: Path, step: int, findings: Sequence[HasSeverity], enough: bool, objection: str = ""
) -> bool:
    """Replace the diagnosis of an ended run; return False where the folder cannot be written to."""
    known = tuple(KnownFinding(finding.code, finding.severity) for finding in findings)
    try:
        with replacing(folder / DIAGNOSIS_FILE) as file:
            file.write(msgspec.json.encode(ViewerDiagnosis(step, known, enough, objection)) + b"\n")
    except OSError:
        return False
    return True
