"""Findings of a run that is still training: without flicker, and each announced once."""

from __future__ import annotations

from dataclasses import dataclass

from gradtui.diagnosis.evidence import Evidence
from gradtui.diagnosis.findings import CODES, Finding
from gradtui.diagnosis.rules import diagnose

CONFIRMED = 2
"""Looks in a row that must agree, at two steps at least, before a finding counts; not of numbers that are none."""
GONE = 3
"""Looks in a row that must miss it before it is taken back …"""
GONE_STEPS = 20
"""… and steps since it was seen last …"""
GONE_SHARE, GONE_MOST = 0.25, 100
"""… or this share of all steps so far, up to so many: what hovers about a threshold is not gone at every crossing."""
AT_ONCE = frozenset({"nonfinite"})


@dataclass(frozen=True)
class Look:
    """What stands, and what of it is new."""

    findings: list[Finding]
    new: list[Finding]
    """To be announced: codes that were never announced before in this run."""


@dataclass
class _State:
    finding: Finding
    seen_at: int
    seen: int = 1
    missed: int = 0
    shown: bool = False


class LiveDiagnosis:
    """Diagnoses one run again and again. Keeps a finding until it is clearly gone; of a finished run there is nothing
    to wait for, and what the rules say stands."""

    def __init__(self) -> None:
        self._states: dict[str, _State] = {}
        self._announced: set[str] = set()

    def update(self, evidence: Evidence, partner: Evidence | None = None) -> Look:
        """Look at the run as it is now. Cheap enough for a few times a second."""
        found = {finding.code: finding for finding in diagnose(evidence, partner)}
        for code, finding in found.items():
            self._see(code, finding, evidence.step)
        for code in list(self._states):
            if code not in found:
                self._miss(code, evidence)
        for code, state in self._states.items():
            state.shown = state.shown or state.seen >= CONFIRMED or code in AT_ONCE or evidence.finished
        standing = [
            self._states[code].finding for code in CODES if code in self._states and self._states[code].shown
        ]
        new = [finding for finding in standing if finding.code not in self._announced]
        self._announced.update(finding.code for finding in new)
        return Look(standing, new)

    def _see(self, code: str, finding: Finding, step: int) -> None:
        state = self._states.get(code)
        if state is None:
            self._states[code] = _State(finding, step)
            return
        # A second look at the very same steps confirms nothing.
        state.seen += step > state.seen_at
        state.finding, state.seen_at, state.missed = finding, step, 0

    def _miss(self, code: str, evidence: Evidence) -> None:
        state = self._states[code]
        state.missed += 1
        enough = max(GONE_STEPS, min(GONE_SHARE * evidence.step, GONE_MOST))
        gone = state.missed >= GONE and evidence.step - state.seen_at >= enough
        if evidence.finished or gone or not state.shown:
            del self._states[code]
