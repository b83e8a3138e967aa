"""Judge a run at one step, so that every screen, list and command shows the same verdict.

This file imports neither numpy nor textual, because the list of runs is shown without them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

JudgementState = Literal["checking", "problem", "clean"]
"""Too early to say, or not yet confirmed; a problem was found; no problem was found."""

TOO_SHORT = "too few steps to judge"
"""The text for a run that ended before it could be judged."""

EARLY_STEPS = 20
"""The number of steps below which a run without findings may still turn out unhealthy."""

MARKS: dict[str, tuple[str, str]] = {
    "critical": ("✖", "$error"),
    "warning": ("▲", "$warning"),
    "checking": ("◌", "$foreground"),
    "clean": ("✓", "$success"),
    "info": ("i", "$primary"),
}
"""The mark and colour of each kind of judgement and finding; the marks differ too, for terminals without colours."""


VERDICT_MARKS: dict[str, tuple[str, str]] = {
    "fixed": MARKS["clean"],
    "better": MARKS["clean"],
    "better, not fixed": ("~", "$accent"),
    "no better": ("~", "$accent"),
    "not fixed": MARKS["critical"],
    "worse": ("!", "$error"),
}
"""The mark and colour of each verdict on a cure, by `diagnosis.outcome.Verdict.word`."""


class HasSeverity(Protocol):
    """A HasSeverity is the part of a finding that a judgement needs."""

    @property
    def code(self) -> str:
        """Return the code of the finding, such as vanishing."""
        ...

    @property
    def severity(self) -> str:
        """Return how bad it is: critical, warning or info."""
        ...


@dataclass(frozen=True)
class Judgement:
    """A Judgement says whether a run has a problem, which, and how bad it is."""

    state: JudgementState
    codes: tuple[str, ...] = ()
    """The codes of its problems, the worst first."""
    critical: bool = False
    """Whether one of them is critical."""
    why: str = ""
    """The text on what is still being checked, or why the run may be unhealthy although no rule found a problem."""

    @property
    def mark(self) -> tuple[str, str]:
        """Return its mark and the mark's colour."""
        if self.state == "problem":
            return MARKS["critical" if self.critical else "warning"]
        return MARKS[self.state]

    @property
    def words(self) -> str:
        """Return the judgement in a few words."""
        if self.state == "checking":
            return self.why if self.why == TOO_SHORT else f"checking: {self.why}" if self.why else "checking"
        return ", ".join(self.codes) or self.why if self.state == "problem" else "no problems"

    @property
    def without_finding(self) -> str:
        """Return the sentence that stands, with its mark, where no rule has found a problem."""
        said = {"clean": "No problems found.", "checking": "Too few steps to judge."}
        return f"{self.mark[0]} {said.get(self.state, f'No rule found a problem, but {self.why}.')}"


def judge(
    findings: Sequence[HasSeverity] | None,
    *,
    live: bool,
    step: int = EARLY_STEPS,
    enough: bool = True,
    objection: str = "",
    pending: Sequence[str] = (),
) -> Judgement:
    """Return the judgement on a run.

    Args:
        findings: what was found; None where the run is still being checked.
        live: whether it still trains, so that the judgement may still change.
        step: the step at which it is judged.
        enough: whether the run is long enough to be called free of problems.
        objection: why the run may have a problem although nothing was found; "" if there is no such reason.
        pending: the codes of findings that were seen once and are not confirmed yet.
    """
    problems = [finding for finding in findings or () if finding.severity != "info"]
    if problems:
        worst_first = sorted(problems, key=lambda finding: finding.severity != "critical")
        critical = worst_first[0].severity == "critical"
        return Judgement("problem", tuple(finding.code for finding in worst_first), critical)
    if objection and not live:
        return Judgement("problem", why=objection)
    if not live and (step < EARLY_STEPS or not enough) and not objection:
        return Judgement("checking", why=TOO_SHORT)
    if findings is None or objection or not enough:
        return Judgement("checking", why=objection or ", ".join(f"{code}?" for code in pending))
    return Judgement("clean")
