"""A study in one object, as ``gradtui study --json`` prints it."""

from __future__ import annotations

from typing import Any

from gradtui.report.run_json import run_object
from gradtui.runs.errors import RunError
from gradtui.runs.reader import open_run
from gradtui.study.results import table
from gradtui.study.study_state import Ranked, StudyRow, StudyState

NOTHING: dict[str, Any] = {
    "seconds": 0.0,
    "loss": {"first": None, "last": None, "best": None},
    "accuracy": {"train": None, "test": None},
}


def study_object(state: StudyState) -> dict[str, Any]:
    """Keys: study (its folder), name, status (finished, stopped or failed), seconds, runs (in the order in which they
    are begun), table (each point over its seeds), findings (of the study as a whole), ranking (the best change first;
    empty where the study has a grid)."""
    return {
        "study": str(state.folder),
        "name": state.name,
        "status": state.status,
        "seconds": state.seconds,
        "runs": [_run(row) for row in state.rows],
        "table": table(state),
        "findings": [finding.to_json() for finding in state.findings],
        "ranking": [_ranked(one) for one in state.ranked],
    }


def _run(row: StudyRow) -> dict[str, Any]:
    figures = NOTHING
    if row.folder is not None:
        try:
            summary = run_object(open_run(row.folder), ())
            figures = {name: summary[name] for name in NOTHING}
        except (RunError, OSError):
            # Deleted since.
            pass
    return {
        "run": None if row.folder is None else str(row.folder),
        "key": row.key,
        "name": row.name,
        "changes": row.member.changes,
        "seed": row.member.seed,
        "status": "failed" if row.state == "died" else row.state,
        "reason": row.reason,
        "steps": row.step,
        **figures,
        "findings": list(row.codes),
    }


def _ranked(one: Ranked) -> dict[str, Any]:
    verdict = one.verdict
    return {
        "change": one.change,
        "healed": verdict.healed,
        "better": verdict.better,
        "seeds": one.seeds,
        "accuracy": {"train": verdict.after.accuracy, "test": verdict.after.test_accuracy},
        "loss": verdict.after.loss,
        "step_time_ratio": verdict.price,
        "findings": list(verdict.after.codes),
    }
