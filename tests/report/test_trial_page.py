"""Test the page of trials of a script, on runs that no script wrote."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gradtui.diagnosis.findings import CureOffer
from gradtui.report.trial_page import print_trials
from gradtui.study.script_trials import ScriptTrial, TrialRun, read_run
from tests.support.studies import failing_run


def trial(name: str, **about: object) -> tuple[ScriptTrial, TrialRun]:
    run = read_run(failing_run(**about), name)
    assert run is not None
    return ScriptTrial(name, name, "finished", runs=(run,)), run


def test_changes_that_fix_nothing_lead_to_the_cures_in_code(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (unchanged, before), (smaller, _) = trial("unchanged"), trial("lr=x0.1")
    print_trials(["python", "train.py"], 60, 1.0, [unchanged, smaller], advised=False)
    assert "\nNone of these changes fixes it.\n" in capsys.readouterr().out
    advised = CureOffer("ReLU", {}, "", code="# before the optimizer is created")
    found = (replace(before.findings[0], cures=(advised,)),)
    with_code = replace(unchanged, runs=(replace(before, findings=found),))
    print_trials(["python", "train.py"], 60, 1.0, [with_code, smaller], advised=False)
    said = f"None of these changes fixes it. gradtui diagnose {before.folder.name} prints cures as lines of code."
    assert said in capsys.readouterr().out
    fixed, _ = trial("init=he", learns=True, decades=0.1)
    print_trials(["python", "train.py"], 60, 1.0, [with_code, smaller, fixed], advised=False)
    assert "None of these" not in capsys.readouterr().out
