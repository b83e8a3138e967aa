"""Read and write diagnosis.json, a viewer's diagnosis of an ended run whose events have no complete one.

A watched script makes no diagnosis, a killed trainer made no last one, and early versions did not say which findings
held at the end. Viewers write this file because only the trainer may write events.jsonl.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from gradtui.judgement import HasSeverity, Judgement, judge
from gradtui.ordinary_files import read_whole
from gradtui.runs.json_text import decode, encode
from gradtui.runs.safe_files import replacing

DIAGNOSIS_FILE = "diagnosis.json"


class KnownFinding(msgspec.Struct, frozen=True):
    """A KnownFinding is the code of a finding and its severity."""

    code: str
    severity: str = "critical"


class ViewerDiagnosis(msgspec.Struct, frozen=True):
    """A ViewerDiagnosis holds the findings of a whole run."""

    step: int
    """The last step of the run when it was diagnosed; the diagnosis is ignored if the run has another last step."""
    findings: tuple[KnownFinding, ...] = ()
    enough: bool = True
    """This is true if the run was long enough to be called free of problems."""
    objection: str = ""
    """The reason why the run may have a problem although nothing was found."""

    def judgement(self) -> Judgement:
        """Return the judgement on the run."""
        return judge(self.findings, live=False, objection=self.objection, step=self.step, enough=self.enough)


def read_viewer_diagnosis(folder: Path, step: int) -> ViewerDiagnosis | None:
    """Return a viewer's diagnosis of the run, if it was made at this last step; None otherwise."""
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
            file.write(encode(ViewerDiagnosis(step, known, enough, objection)))
    except OSError:
        return False
    return True
