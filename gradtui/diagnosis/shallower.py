"""Find the run of the same net with fewer layers, beside which an ended run shows whether its depth does harm.

A net that learns too little, although its gradients are even, may be too deep (network degradation) or badly set.
Only a shallower run of the same experiment tells the two apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from gradtui.diagnosis.rules import diagnose
from gradtui.diagnosis.rules.case import Case
from gradtui.experiment import Experiment, from_dict, to_dict
from gradtui.experiment.errors import ExperimentError
from gradtui.experiment.net_plan import hidden_depth
from gradtui.runs.shallower_run import write_shallower_run

if TYPE_CHECKING:
    from gradtui.diagnosis.evidence import Evidence
    from gradtui.diagnosis.findings import Finding
    from gradtui.runs.reader import Run
    from gradtui.runs.run_info import RunInfo

DEGRADATION = "degradation"
"""The code of the finding."""
DEEP_LAYERS = 10
"""The hidden layers from which depth is a likely reason why a net with even gradients has learned little."""


def family_of(experiment: Experiment) -> str:
    """Return a text that is the same for all experiments that differ only in depth."""
    raw: dict[str, Any] = to_dict(experiment)
    for group in raw["net"]:
        group["repeat"] = group["layers"] = 0
    return repr({**raw, "name": "", "description": "", "run": {**raw["run"], "checkpoint_every": 0}})


def is_shallower(experiment: Experiment, than: Experiment) -> bool:
    """Return whether an experiment differs from another one only in having fewer layers."""
    return hidden_depth(experiment) < hidden_depth(than) and family_of(experiment) == family_of(than)


def degradation_beside(run: Evidence, other: Evidence) -> Finding | None:
    """Find that a run is worse than another one of the same experiment with fewer layers; None otherwise."""
    if run.experiment is None or other.experiment is None or not (run.finished and other.finished):
        return None
    if not is_shallower(other.experiment, run.experiment):
        return None
    return next((found for found in diagnose(run, other) if found.code == DEGRADATION), None)


def is_deep(experiment: Experiment | None) -> bool:
    """Return whether a net is so deep that its depth may be the reason why it learns little."""
    return experiment is not None and hidden_depth(experiment) >= DEEP_LAYERS


def name_shallower_run(run: Run, evidence: Evidence) -> None:
    """Name the best run with fewer layers in the run's folder, where nothing else explains that it learned little."""
    experiment = evidence.experiment
    if experiment is None or not is_deep(experiment):
        return
    with np.errstate(all="ignore"):
        learned = Case(evidence).learned
    if learned or diagnose(evidence):
        return
    # Viewers never need it.
    from gradtui.runs.library import list_runs

    best = max(
        _shallower(experiment, list_runs(run.folder.parent)),
        key=lambda info: info.summary.train or 0.0,
        default=None,
    )
    if best is not None:
        write_shallower_run(run.folder, best.run)


def _shallower(experiment: Experiment, runs: Iterable[RunInfo]) -> Iterable[RunInfo]:
    """Yield the finished runs of the same family with fewer layers."""
    for info in runs:
        if info.experiment is None or info.status.state != "finished":
            continue
        try:
            if is_shallower(from_dict(info.experiment), experiment):
                yield info
        except ExperimentError:
            # It was written by another version of gradtui.
            continue
