"""An event that lacks what its readers need hides itself, and not its run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gradtui.runs.events import EventLog
from gradtui.runs.jsonl import encode_line
from tests.support.command_line import forked_gradtui, strictly
from tests.support.run_folders import make

BROKE = {
    "event": "broke",
    "time": 1e9,
    "step": 5,
    "reason": "nonfinite",
    "measure": "loss",
    "loss": "nan",
    "before": 1.0,
    "part": "output",
    "layer": "dense1",
    "batch": [1, 2],
}
EVALUATION = {"event": "evaluation", "time": 1e9, "step": 5, "train_loss": 0.5, "train_accuracy": 0.5}


def without(event: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key != name}


ODD: dict[str, dict[str, Any]] = {
    "time is text": {**EVALUATION, "time": "yesterday"},
    "time is far off": {**EVALUATION, "time": 1e300},
    "time is far back": {**EVALUATION, "time": -1e300},
    "time is infinite": {**EVALUATION, "time": "inf"},
    "time is a list": {**EVALUATION, "time": [1]},
    "phase of no time": {"event": "phase", "phase": "training", "step": 1, "time": "nan"},
    "evaluation without a step": without(EVALUATION, "step"),
    "step is text": {**EVALUATION, "step": "five"},
    "step is a fraction": {**EVALUATION, "step": 1.5},
    "step is true": {**EVALUATION, "step": True},
    "step below 0": {**EVALUATION, "step": -1},
    "step of 400 digits": {**EVALUATION, "step": 10**400},
    "figure is text": {**EVALUATION, "train_accuracy": "good"},
    "figure of 400 digits": {**EVALUATION, "train_loss": 10**400},
    "rewound without a step": {"event": "rewound", "time": 1e9},
    "cost without a share": {"event": "cost", "time": 1e9, "step": 1},
    "cost as text": {"event": "cost", "time": 1e9, "step": 1, "overhead": "much"},
    "pretraining without layers": {"event": "phase", "phase": "pretraining", "time": 1e9},
    "pretrain without an error": {"event": "pretrain", "time": 1e9, "layer": 1},
    "finding without a code": {"event": "finding", "time": 1e9, "step": 1},
    "control with odd changes": {"event": "control", "wish": "set", "set": [1], "time": 1e9, "step": 1},
    "kind is a list": {"event": ["end"], "time": 1e9},
    "blow-up without the usual": {**BROKE, "reason": "blow-up"},
    "broke with a strange measure": {**BROKE, "measure": "__class__"},
    **{f"broke without {name}": without(BROKE, name) for name in BROKE if name not in ("event", "time")},
}


@pytest.mark.parametrize("name", ODD)
def test_odd_event_is_left_out_and_the_others_stay(name: str, tmp_path: Path) -> None:
    run = make(tmp_path, "run", started=1e9)
    lines = [json.dumps({**ODD[name]}), encode_line(EVALUATION).decode()]
    with (run / "events.jsonl").open("a") as file:
        file.write("\n".join(lines))
    log = EventLog(run)
    log.poll()
    assert [event["event"] for event in log.entries] == ["end", "evaluation"]


def test_run_with_every_odd_event_is_shown_by_every_command(tmp_path: Path) -> None:
    run = make(tmp_path / "runs", "run", started=1e9)
    with (run / "events.jsonl").open("a") as file:
        file.writelines(json.dumps(event) + "\n" for event in (*ODD.values(), BROKE, EVALUATION))
    assert forked_gradtui(tmp_path, "runs").returncode == 0
    page = forked_gradtui(tmp_path, "diagnose")
    assert (page.returncode, page.stderr) == (0, "")
    assert "the loss became NaN (1 at the step before)" in page.stdout
    told = strictly(forked_gradtui(tmp_path, "diagnose", "--json").stdout)
    assert told["status"] == "finished"
    assert told["accuracy"]["train"] == 0.5
    exported = forked_gradtui(tmp_path, "export", "run", "--to", "csv", str(tmp_path / "out"))
    assert (exported.returncode, exported.stderr) == (0, "")
