"""Test the list of runs without a widget."""

from __future__ import annotations

from pathlib import Path

from gradtui.runs.run_info import RunInfo
from gradtui.runs.status import RunStatus
from gradtui.ui.screens.runs.run_list import RunList, numbered


def info(name: str, started: float) -> RunInfo:
    return RunInfo(Path(f"/runs/{started}"), name, RunStatus("finished", step=30), started)


def test_runs_of_one_name_are_numbered_by_their_age() -> None:
    runs = [info("net", 3.0), info("other", 2.5), info("net", 2.0), info("net", 1.0)]
    assert [numbered(runs)[run.run] for run in runs] == ["net #3", "other", "net #2", "net"]
    listing = RunList()
    listing.take(runs)
    assert [str(listing.columns["name"].text(run)) for run in runs] == ["net #3", "other", "net #2", "net"]
    listing.take(runs[:1])
    assert str(listing.columns["name"].text(runs[0])) == "net"
