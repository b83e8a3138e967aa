"""Compare the trials of a training command: the result of each change, against the unchanged command."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradtui.diagnosis.findings import Finding
from gradtui.diagnosis.monitor import diagnose_run
from gradtui.diagnosis.outcome import Outcome, Verdict, outcome_of, rank
from gradtui.runs.errors import RunError
from gradtui.runs.reader import open_run

_CHANGES_BY_CODE = {
    "vanishing": ("init=xavier", "init=orthogonal", "lr=x10"),
    "exploding": ("lr=x0.1", "init=xavier"),
    "nonfinite": ("lr=x0.1", "skip_nonfinite"),
    "unstable-loss": ("lr=x0.1", "warmup=50"),
    "dead-units": ("lr=x0.1",),
    "saturated": ("lr=x0.1",),
    "not-learning": ("lr=x10", "lr=x0.1", "init=default"),
}
"""Further changes that are worth trying, by the code of a finding."""


@dataclass(frozen=True, eq=False)
class TrialRun:
    """A TrialRun is one run that a command made in a trial, with its result."""

    folder: Path
    name: str
    """The name of the run, without the name of the change."""
    layers: tuple[str, ...]
    findings: tuple[Finding, ...]
    outcome: Outcome
    """Its outcome, without the time of a step, because no change costs time."""
    gradients: NDArray[np.float64]
    """The norms of the layers' gradients at the last step, (layers,)."""


@dataclass(frozen=True)
class ScriptTrial:
    """A ScriptTrial is one run of the command, with one change or none."""

    change: str
    """The change as it is typed; empty if there is none."""
    name: str
    status: str
    """finished, stopped (by the person), failed (the command ended with an error), or refused (it is impossible)."""
    reason: str = ""
    """The reason why it failed or was refused, in one line."""
    exit_code: int | None = None
    runs: tuple[TrialRun, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """A Comparison ranks the trials of one model that the command trains; most commands train one model."""

    name: str
    before: TrialRun
    ranked: tuple[tuple[str, Verdict], ...]
    """The trials by name with their verdicts, the best first."""
    runs: dict[str, TrialRun] = field(hash=False)
    """The run of each trial, by the name of the trial."""


def read_run(folder: Path, change: str) -> TrialRun | None:
    """Return the result of a run; None if it took no step or cannot be read."""
    try:
        run = open_run(folder)
        diagnosis = diagnose_run(run)
        evidence = diagnosis.evidence
        outcome = outcome_of(evidence, diagnosis.findings, math.nan)
        _, norms = run.layers("grad_norm")
    except (RunError, OSError, KeyError):
        return None
    if not outcome.step or not len(norms):
        return None
    suffix = f" · {change}"
    return TrialRun(
        folder=folder,
        name=run.name.removesuffix(suffix),
        layers=evidence.layers,
        findings=diagnosis.findings,
        outcome=outcome,
        gradients=np.asarray(norms[-1], dtype=np.float64),
    )


def advised_changes(trial: ScriptTrial) -> list[str]:
    """Return the changes that the findings of a trial advise and that can be applied at run time, the best first."""
    advised: list[str] = []
    for run in trial.runs:
        for finding in run.findings:
            advised += [cure.change for cure in finding.cures if cure.change]
            advised += _CHANGES_BY_CODE.get(finding.code, ())
    return list(dict.fromkeys(advised))


def compare(trials: Sequence[ScriptTrial]) -> list[Comparison]:
    """Return a comparison for each model that the unchanged command, which is the first trial, trained."""
    found = []
    for number, before in enumerate(trials[0].runs):
        place = sum(run.name == before.name for run in trials[0].runs[:number])
        runs = {trials[0].name: before}
        for trial in trials[1:]:
            same = [run for run in trial.runs if run.name == before.name]
            if len(same) > place and trial.status == "finished":
                runs[trial.name] = same[place]
        others = [(name, run.outcome) for name, run in runs.items() if run is not before]
        found.append(Comparison(before.name, before, tuple(rank(others, before.outcome)), runs))
    return found
