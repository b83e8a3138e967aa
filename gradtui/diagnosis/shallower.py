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
    from gradtui.runs.reader import Run
    from gradtui.runs.run_info import RunInfo

DEEP_LAYERS = 10
"""The hidden layers from which depth is a likely reason why a net with even gradients has learned little."""


def family_of(experiment: Experiment) -> str:
    """Return a text that is the same for all experiments that differ only in depth."""
    raw: dict[str, Any] = to_dict(experiment)
    for group in raw["net"]:
        group["repeat"] = group["layers"] = 0
    return repr({**raw, "name": "", "description": "", "run": {**raw["run"], "checkpoint_every": 0}})


def is_deep_and_learned_little(evidence: Evidence) -> bool:
    """Return whether a run of a deep net has ended and has learned little, so that a shallower run would tell more."""
    experiment = evidence.experiment
    if experiment is None or not evidence.finished or hidden_depth(experiment) < DEEP_LAYERS:
        return False
    with np.errstate(all="ignore"):
        return not Case(evidence).learned


def name_shallower_run(run: Run, evidence: Evidence) -> None:
    """Name the best run with fewer layers in the run's folder, where nothing else explains that it learned little."""
    experiment = evidence.experiment
    if experiment is None or not is_deep_and_learned_little(evidence) or diagnose(evidence):
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
    family, depth = family_of(experiment), hidden_depth(experiment)
    for info in runs:
        if info.experiment is None or info.status.state != "finished":
            continue
        try:
            other = from_dict(info.experiment)
            if hidden_depth(other) < depth and family_of(other) == family:
                yield info
        except ExperimentError:
            # It was written by another version of gradtui.
            continue
