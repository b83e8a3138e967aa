"""The run monitor follows one run folder, live or finished, and keeps its findings, outcome and step time.

The screens, the studies and the trainer look at a run through the same `RunMonitor`, so that they cannot disagree.
`diagnose_run` answers once, for the commands that print a report.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from gradtui.diagnosis.evidence import Evidence, Floats, last_hidden_layer
from gradtui.diagnosis.findings import INFORMATION_CODES, CureOffer, Finding, in_order
from gradtui.diagnosis.judged import AnsweredQuestions, judged_of, objection, objection_of
from gradtui.diagnosis.outcome import Outcome, outcome_of
from gradtui.diagnosis.profile import growth, healthy_range
from gradtui.diagnosis.reading import evidence_of, evidence_of_shallower
from gradtui.diagnosis.rules import advice_without_finding, diagnose, has_learned, learns, remarks
from gradtui.diagnosis.shallower import name_shallower_run
from gradtui.judgement import EARLY_STEPS, Judgement, judge
from gradtui.runs.follower import Follower, Snapshot
from gradtui.runs.reader import Run, open_run

CONFIRMING_UPDATES = 2
"""Updates in a row, at two different steps at least, that must agree before a finding of a live run counts."""
UNCONFIRMED_CODES = frozenset({"nonfinite"})
"""Findings that count from the first update with them on."""
CLEARING_UPDATES = 3
"""The number of updates in a row that must miss a finding before it is taken back."""
CLEARING_STEPS = 20
"""The number of steps since a finding was last seen before it is taken back."""
CLEARING_SHARE, MOST_CLEARING_STEPS = 0.25, 100
"""The share of all steps so far that counts instead if it is larger, and its maximum: without it, the finding of a
gradient near a threshold would come and go."""

SECONDS_BETWEEN_DIAGNOSES, SECONDS_ONCE_JUDGED = 1.0, 2.0
"""The least time between two diagnoses of a run that trains, and the same in a viewer that shows what was found."""
REST_PER_DIAGNOSIS = 19.0
"""The monitor waits this many times as long as a diagnosis took, so that a slow diagnosis runs seldom."""

SECONDS_WHILE_PENDING, REST_WHILE_PENDING = 0.3, 19.0
"""The least seconds between two diagnoses, and the factor of their duration, while a finding waits to be confirmed."""

TIMED_STEPS = 10_000
"""The number of last rows from which the time of a step is taken."""


@dataclass(frozen=True)
class DiagnosisUpdate:
    """A DiagnosisUpdate says which findings of a run hold now, and which of them are new."""

    findings: list[Finding]
    new: list[Finding]
    """The findings whose code was never among those of this run before."""
    pending: list[Finding] = field(default_factory=list)
    """The findings of this update that the next one has to confirm."""
    clean_updates: int = 0
    """How many updates in a row, at different steps, had no finding."""


@dataclass
class _Seen:
    """A _Seen counts how long one finding has been seen or missed."""

    finding: Finding
    seen_at: int
    seen: int = 1
    missed: int = 0
    shown: bool = False


class LiveDiagnosis:
    """A LiveDiagnosis diagnoses one run again and again without findings that flicker.

    It shows a finding once it is confirmed and keeps it until it is clearly gone. A finished run does not change
    any more, so there the findings of the rules count at once.
    """

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}
        self._announced: set[str] = set()
        self._clean_updates = 0
        self._clean_at = -1

    def update(self, evidence: Evidence, partner: Evidence | None = None) -> DiagnosisUpdate:
        """Diagnose the run as it is now; fast enough to be called a few times a second.

        Args:
            evidence: of the run, so far.
            partner: of a shallower run on the same data, as `diagnose` takes it.
        """
        found = {finding.code: finding for finding in diagnose(evidence, partner)}
        for code, finding in found.items():
            self._see(code, finding, evidence.step)
        for code in list(self._seen):
            if code not in found:
                self._miss(code, evidence)
        for code, seen in self._seen.items():
            confirmed = seen.seen >= CONFIRMING_UPDATES or code in UNCONFIRMED_CODES or evidence.finished
            seen.shown = seen.shown or confirmed
        findings = in_order(seen.finding for seen in self._seen.values() if seen.shown)
        new = [finding for finding in findings if finding.code not in self._announced]
        self._announced.update(finding.code for finding in new)
        pending = in_order(seen.finding for seen in self._seen.values() if not seen.shown)
        if found:
            self._clean_updates = 0
        elif evidence.step > self._clean_at:
            self._clean_updates += 1
            self._clean_at = evidence.step
        return DiagnosisUpdate(findings, new, pending, self._clean_updates)

    def _see(self, code: str, finding: Finding, step: int) -> None:
        seen = self._seen.get(code)
        if seen is None:
            self._seen[code] = _Seen(finding, step)
            return
        # A second diagnosis of the same steps confirms nothing.
        seen.seen += step > seen.seen_at
        seen.finding, seen.seen_at, seen.missed = finding, step, 0

    def _miss(self, code: str, evidence: Evidence) -> None:
        seen = self._seen[code]
        seen.missed += 1
        steps = max(CLEARING_STEPS, min(CLEARING_SHARE * evidence.step, MOST_CLEARING_STEPS))
        gone = seen.missed >= CLEARING_UPDATES and evidence.step - seen.seen_at >= steps
        if evidence.finished or gone or not seen.shown:
            del self._seen[code]


class RunMonitor:
    """A RunMonitor follows one run folder: `poll` reads what is new, `diagnose` judges it.

    It is not safe to call from several threads at once.
    """

    def __init__(self, run: Run | Path) -> None:
        """Open the run; raise RunError where the folder holds none or its run.json is corrupt."""
        self.run = run if isinstance(run, Run) else open_run(run)
        self.snapshot: Snapshot | None = None
        """The state that the last `poll` found; None before the first."""
        self.evidence: Evidence | None = None
        """The evidence of the last diagnosis; None before the first."""
        self.current_findings: tuple[Finding, ...] = ()
        """The monitor's own diagnosis of the newest step. The outcome and the studies use it."""
        self.findings: tuple[Finding, ...] | None = None
        """The findings to show. Of a run that has ended they are the monitor's own, as `gradtui diagnose` prints them;
        of one that trains, also those that its trainer has recorded, as the list of runs shows them too. None while
        the run is still being checked: "no problems found" takes CONFIRMING_UPDATES clean updates and EARLY_STEPS, and
        that nothing critical would be found if the run ended now."""
        self.remarks: tuple[Finding, ...] = ()
        """What is unusual and harmless in a run that has ended. `gradtui diagnose` prints it; no verdict uses it."""
        self.pending: tuple[Finding, ...] = ()
        """The findings that the next diagnosis has to confirm, and those that a longer run may refute."""
        self._follower: Follower | None = None
        self._diagnosis = LiveDiagnosis()
        self._clean_updates = self._not_counted = 0
        self._outcome: Outcome | None = None
        self._diagnosed: Snapshot | None = None
        self._diagnosed_at = -math.inf
        self._rests_until = -math.inf
        self._awaited: tuple[Finding, ...] = ()
        """The critical findings that the run would have if it ended now, for which rules wait while it trains."""
        self._compared = False
        """Whether the run was compared with one with fewer layers."""

    # -- the state of the folder

    @property
    def metric(self) -> str:
        """Return the per-layer metric that the snapshots have."""
        return self._followed().metric

    def follow_metric(self, metric: str) -> None:
        """Put another per-layer metric into the snapshots from now on."""
        if metric != self._followed().metric:
            self._followed().follow_metric(metric)

    def poll(self) -> bool:
        """Read what is new in the folder, and return whether anything was."""
        snapshot = self._followed().poll()
        if snapshot is None:
            return False
        self.snapshot = snapshot
        return True

    def _followed(self) -> Follower:
        # The trainer diagnoses its run and never asks for a snapshot, so the follower is made at the first poll.
        if self._follower is None:
            self._follower = Follower(self.run)
        return self._follower

    def gradients(self) -> tuple[Floats, tuple[Floats, Floats] | None]:
        """Return the followed metric of every layer at the newest step, (layers,), and its healthy range."""
        if self.snapshot is None:
            return np.zeros(0), None
        values = np.asarray(self.snapshot.latest, np.float64)
        layers = self.snapshot.meta.layers if self.snapshot.meta else ()
        level = last_hidden_layer([layer.kind for layer in layers])
        grown = growth(self.snapshot.curves.get("grad_norm"))
        return values, healthy_range(
            self.metric, values, [layer.parameters for layer in layers], level, grown
        )

    # -- its diagnosis

    @property
    def waiting_since(self) -> float | None:
        """Return when the run was last diagnosed (monotonic seconds) if it should be diagnosed again now, else None."""
        snapshot = self.snapshot
        if snapshot is None or not snapshot.step or snapshot is self._diagnosed:
            return None
        due = not snapshot.status.live or self.evidence is None or time.monotonic() >= self._rests_until
        # The list of runs shows what the trainer has recorded at once, and must not contradict this monitor.
        recorded = self._diagnosed is None or snapshot.findings != self._diagnosed.findings
        return self._diagnosed_at if due or recorded else None

    def diagnose(self, *, finished: bool = False) -> list[Finding]:
        """Diagnose the run as it stands on disk and return the findings of `current_findings` that are new.

        Args:
            finished: judge the run as one that is over, even though its folder does not yet say so.
        """
        began = time.monotonic()
        self._diagnosed = self.snapshot
        evidence = evidence_of(self.run)
        self.evidence = replace(evidence, finished=True) if finished else evidence
        if finished:
            # Only its trainer, which has just ended, looks for a run to compare it with.
            name_shallower_run(self.run, self.evidence)
        shallower = evidence_of_shallower(self.run) if self.evidence.finished else None
        self._compared = shallower is not None
        update = self._diagnosis.update(self.evidence, shallower)
        self.current_findings = tuple(update.findings)
        self._awaited = () if update.findings or update.pending else self._found_if_it_ended()
        self.pending = (*update.pending, *self._awaited)
        # An update after which the run must not end is not a clean one, and neither are those before it.
        if self._awaited or not update.clean_updates:
            self._not_counted = update.clean_updates
        self._clean_updates = update.clean_updates - self._not_counted
        self._outcome = None
        self.findings = self._findings_to_show()
        # A trainer, which shows nothing, has no snapshot.
        shown = self.evidence.finished and self.snapshot is not None
        self.remarks = tuple(remarks(self.evidence, update.findings)) if shown else ()
        self._diagnosed_at = ended = time.monotonic()
        least, share = SECONDS_BETWEEN_DIAGNOSES, REST_PER_DIAGNOSIS
        if self.snapshot is not None and self.findings is not None:
            least = SECONDS_ONCE_JUDGED
        if update.pending:
            least, share = SECONDS_WHILE_PENDING, REST_WHILE_PENDING
        self._rests_until = ended + max(least, share * (ended - began))
        return update.new

    def _found_if_it_ended(self) -> tuple[Finding, ...]:
        assert self.evidence is not None
        # A trainer, which shows nothing, has no snapshot, and its time is not spent on this.
        if self.snapshot is None or self.evidence.finished or self.evidence.step < EARLY_STEPS:
            return ()
        found = diagnose(replace(self.evidence, finished=True))
        return tuple(finding for finding in found if finding.severity == "critical")

    def _findings_to_show(self) -> tuple[Finding, ...] | None:
        assert self.evidence is not None
        findings = {finding.code: finding for finding in self.current_findings}
        if not self.evidence.finished:
            events = self.snapshot.findings if self.snapshot is not None else ()
            recorded = [finding for event in events if (finding := Finding.from_json(event)) is not None]
            # The figures of the newest step say more than those of the step at which the trainer recorded a finding.
            findings = {finding.code: finding for finding in recorded} | findings
        early = self.evidence.step < EARLY_STEPS
        unsure = bool(self._awaited) or self._clean_updates < CONFIRMING_UPDATES
        checking = early or (not self.evidence.finished and unsure)
        return None if checking and not findings else tuple(in_order(findings.values()))

    @property
    def judged(self) -> AnsweredQuestions | None:
        """Return what could be judged of the run at the last diagnosis; None before the first."""
        if self.evidence is None:
            return None
        return judged_of(self.evidence, found=bool(self.findings), compared=self._compared)

    def objection(self, at: int | None = None) -> str:
        """Return why the run, as it was at a step (None is the newest), cannot be called free of problems; or ""."""
        return objection(self.snapshot.curves, at) if self.snapshot is not None else ""

    def findings_at(self, step: int) -> tuple[Finding, ...] | None:
        """Return the findings of the run as it was at an earlier step; None if that is too early to say.

        The run must have been diagnosed before.
        """
        assert self.evidence is not None
        found = {finding.code: finding for finding in diagnose(self.evidence.upto(step))}
        # Include problems that had begun by then, even if they could not be recognised yet.
        begun = {finding.code: finding for finding in self.findings or () if finding.step <= step}
        findings = tuple(in_order((begun | found).values()))
        return findings if findings or step >= EARLY_STEPS else None

    @property
    def outcome(self) -> Outcome | None:
        """Return the outcome of the run at its last diagnosis; None before the first."""
        if self._outcome is None and self.evidence is not None:
            self._outcome = outcome_of(self.evidence, self.current_findings, step_seconds(self.run))
        return self._outcome


@dataclass(frozen=True)
class RunDiagnosis:
    """A RunDiagnosis is the diagnosis of a run as it stood at one moment."""

    evidence: Evidence
    findings: tuple[Finding, ...]
    """Everything that is wrong; empty for a healthy run."""
    remarks: tuple[Finding, ...]
    """The unusual facts about a run that learns all the same: for people, not for programs."""
    learns: bool
    """Whether it has begun to learn."""
    learned: bool
    """Whether it has learned most of what there is to learn: its loss is far below that of guessing."""
    advice: tuple[CureOffer, ...]
    """Cures that may help if nothing was found and it has not learned that much."""
    objection: str = ""
    """Why it may have a problem although nothing was found; "" if there is no such reason."""
    compared: bool = False
    """Whether it was compared with a run with fewer layers."""

    @property
    def judgement(self) -> Judgement:
        """Return the judgement on the run as it stands, as the list of runs has it of a run that has ended."""
        enough, step = self.judged.enough_steps, self.evidence.step
        return judge(self.findings, live=False, step=step, enough=enough, objection=self.objection)

    @property
    def judged(self) -> AnsweredQuestions:
        """Return what could be judged of the run."""
        return judged_of(self.evidence, found=bool(self.findings), compared=self.compared)

    @property
    def information(self) -> tuple[Finding, ...]:
        """Return the remarks for programs too: those whose code is only information."""
        return tuple(one for one in self.remarks if one.code in INFORMATION_CODES)


def diagnose_run(run: Run) -> RunDiagnosis:
    """Return the diagnosis of a run as it stands on disk now, without waiting for anything to be confirmed."""
    evidence = evidence_of(run)
    shallower = evidence_of_shallower(run) if evidence.finished else None
    findings, learned = tuple(diagnose(evidence, shallower)), has_learned(evidence)
    advice = () if findings or learned else advice_without_finding(evidence)
    objection = "" if findings else objection_of(run)
    return RunDiagnosis(
        evidence,
        findings,
        tuple(remarks(evidence, findings)),
        learns(evidence),
        learned,
        advice,
        objection,
        shallower is not None,
    )


def step_seconds(run: Run) -> float:
    """Return the seconds that one step of the run takes; NaN before the second step.

    It is the median over the last steps, from their time stamps, so that an evaluation, a pause or a restart between
    two steps does not change it. The time of a pretraining is divided among the planned steps, since it is the price of
    that cure.
    """
    table = run.table_or_empty("scalars")
    rows = table.read(max(0, table.rows - TIMED_STEPS))
    if len(rows) < 2:
        return math.nan
    seconds = np.diff(rows["time"]) / np.maximum(np.diff(rows["step"].astype(np.int64)), 1)
    steps = run.meta.steps if run.meta and run.meta.steps else int(rows["step"][-1])
    return float(np.median(seconds)) + _pretraining_seconds(run) / steps


def _pretraining_seconds(run: Run) -> float:
    times = [
        float(event["time"])
        for event in run.events()
        if event["event"] == "pretrain" or (event["event"] == "phase" and event.get("phase") == "pretraining")
    ]
    return max(times) - min(times) if times else 0.0
