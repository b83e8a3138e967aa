"""A finished run as somebody saw it who watched it train."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gradtui.diagnosis import Evidence, LiveDiagnosis

EVERY = 3
"""Steps between two looks: a lab that trains 100 steps a second looks more seldom, a large net's every step is seen."""


@dataclass(frozen=True)
class Shown:
    """A code that stood on the screen."""

    code: str
    first: int
    """Step at which it came."""
    times: int
    """How often it came: more than once is a flicker."""


def replayed(evidence: Evidence, partner: Evidence | None = None, every: int = EVERY) -> list[Shown]:
    """What stood on the screen before the run was over."""
    diagnosis = LiveDiagnosis()
    before: set[str] = set()
    shown: dict[str, Shown] = {}
    for step in range(1, evidence.step + 1, every):
        look = diagnosis.update(replace(evidence.upto(step), finished=False), partner)
        now = {finding.code for finding in look.findings}
        for code in now - before:
            known = shown.get(code, Shown(code, step, 0))
            shown[code] = replace(known, times=known.times + 1)
        before = now
    return list(shown.values())
