"""Define the state of a study as immutable values, which screens draw and commands print."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gradtui.diagnosis.findings import Finding
from gradtui.diagnosis.outcome import Outcome, Verdict
from gradtui.judgement import Judgement
from gradtui.runs.status import COMPLETED_STATES, State
from gradtui.study.chart_data import Chart
from gradtui.study.plan import Member
from gradtui.study.run_result import RunResult
from gradtui.study.spec import StudySpec

Floats = NDArray[np.float64]

StudyStatus = Literal["planned", "running", "finished", "stopped", "failed"]
"""A study has failed if all runs have ended and at least one broke before the end of its training."""


@dataclass(frozen=True, eq=False, kw_only=True)
class StudyRow:
    """A StudyRow is the state of one experiment of a study and its run."""

    member: Member
    state: State | Literal["waiting"] = "waiting"
    reason: str = ""
    """The reason why it failed, or what it waits for, in one line; usually empty."""
    phase: str = ""
    """The phase of the trainer."""
    folder: Path | None = None
    """The run's folder; None before the run was created."""
    existed_before: bool = False
    """Whether the run existed before this study was opened."""
    step: int = 0
    steps: int = 0
    """The planned steps."""
    outcome: Outcome | None = None
    """The outcome of the run so far; None before its first step."""
    gradients: Floats | None = None
    """The gradient norm of each layer at the newest step, (layers,)."""
    healthy: tuple[Floats, Floats] | None = None
    """The lowest and highest norm of each layer in a healthy net, (layers,) each."""
    codes: tuple[str, ...] = ()
    """The codes of its critical findings and warnings; `degradation` appears only after shallower runs have ended."""
    evidence: tuple[str, ...] = ()
    """One sentence for each of those findings."""
    judgement: Judgement | None = None
    """The judgement on the run, as the list of runs shows it; None before the first diagnosis."""
    result: RunResult | None = None
    """The result of the run; None before its end."""
    verdict: Verdict | None = None
    """The comparison with the run that is cured; None before the end, and in studies that cure no run."""
    price: float = math.nan
    """The time of a step ÷ that of the baseline, trained under the same load; NaN if one of them is unknown."""

    @property
    def key(self) -> str:
        """Return the key of its member."""
        return self.member.key

    @property
    def name(self) -> str:
        """Return the name of its member."""
        return self.member.name

    @property
    def live(self) -> bool:
        """Return whether a trainer works on it."""
        return self.state in ("starting", "running", "paused")

    @property
    def ended(self) -> bool:
        """Return whether it has ended, in any way."""
        return not self.live and self.state != "waiting"

    @property
    def completed(self) -> bool:
        """Return whether its training ended in a way that allows comparisons; see COMPLETED_STATES."""
        return self.state in COMPLETED_STATES and self.outcome is not None

    @property
    def share(self) -> float:
        """Return the share of its steps that is done, 0 to 1."""
        return 1.0 if self.ended else min(1.0, self.step / self.steps) if self.steps else 0.0


@dataclass(frozen=True)
class StudyFinding:
    """A StudyFinding is a finding that shows only across runs."""

    code: str
    """The code is one of gradtui.diagnosis.findings.CODES."""
    series: str
    """The series of the study that shows it; empty if the study has only one."""
    evidence: str
    """A sentence or two with the numbers."""
    runs: tuple[str, ...]
    """The keys of the rows that show it."""

    def to_json(self) -> dict[str, Any]:
        """Return it as `gradtui study --json` prints it."""
        return {"code": self.code, "series": self.series, "evidence": self.evidence, "runs": list(self.runs)}


@dataclass(frozen=True)
class Ranked:
    """A Ranked is a change and its results, over all seeds that have ended."""

    change: str
    verdict: Verdict
    """The comparison with the study's first change: means over the seeds, and every finding that any seed has."""
    seeds: int


@dataclass(frozen=True, eq=False)
class CuredRun:
    """A CuredRun holds the findings and the outcome of the run whose cures a study tries."""

    findings: tuple[Finding, ...] = ()
    """The findings when the study was begun."""
    outcome: Outcome | None = None
    """The outcome of the run; its time of a step was measured under another load than the study's."""


@dataclass(frozen=True, eq=False)
class StudyState:
    """A StudyState is the state of a whole study; its rows are in the order in which they are trained."""

    folder: Path
    """The folder of the study; in a study of cures, the folder of the run that is cured."""
    spec: StudySpec
    status: StudyStatus = "planned"
    rows: tuple[StudyRow, ...] = ()
    charts: tuple[Chart, ...] = ()
    """A chart for each of `compare.y`, of the runs that have ended so far."""
    findings: tuple[StudyFinding, ...] = ()
    ranked: tuple[Ranked, ...] = ()
    """The changes of a study without a grid, the best first, without the first change, which is the baseline."""
    seconds: float = 0.0
    """The seconds for which this process has trained the study."""
    expected_seconds: float | None = None
    """The estimate of the whole time before anything was trained; None if it is not known."""
    problem: str = ""
    """The reason why nothing can be trained, in one line."""
    other_owner: str = ""
    """The other process, on any machine, that trains its runs now; empty if there is none."""
    cured: CuredRun | None = None
    """The run whose cures are tried; None in all other studies."""

    @property
    def name(self) -> str:
        """Return the study's name."""
        return self.spec.name

    @property
    def total(self) -> int:
        """Return how many experiments there are."""
        return len(self.rows)

    @property
    def ended(self) -> int:
        """Return how many experiments have ended, in any way."""
        return sum(row.ended for row in self.rows)

    @property
    def share(self) -> float:
        """Return the share of all steps that is done, 0 to 1."""
        return sum(row.share for row in self.rows) / len(self.rows) if self.rows else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Return the remaining seconds at the present speed; None before a twentieth is done.

        Only runs that this process has trained count.
        """
        own = [row for row in self.rows if not (row.existed_before and row.ended)]
        done = sum(row.share for row in own) / len(own) if own else 1.0
        return self.seconds * (1 - done) / done if done >= 0.05 else None

    @property
    def done(self) -> bool:
        """Return whether nothing more will change."""
        return bool(self.problem) or self.status in ("finished", "stopped", "failed")

    def row(self, key: str) -> StudyRow:
        """Return the row of a member. Raises KeyError."""
        for row in self.rows:
            if row.key == key:
                return row
        raise KeyError(key)

    def in_order(self) -> tuple[StudyRow, ...]:
        """Return the rows of a study without a grid in reading order: the baseline, ranked, live, waiting, failed."""
        if not self.rows:
            return ()
        baseline = self.rows[0].member.change
        place = {one.change: at for at, one in enumerate(self.ranked)}

        def order(row: StudyRow) -> tuple[int, int]:
            change = row.member.change
            if change == baseline:
                return 0, 0
            if change in place:
                return 1, place[change]
            return (2 if row.live else 3 if row.state == "waiting" else 4), 0

        return tuple(sorted(self.rows, key=order))
