"""Test a standby that receives its run before it is ready."""

from __future__ import annotations

from pathlib import Path

from gradtui.experiment import resolve, set_fields
from gradtui.runs.reader import open_run
from gradtui.training.launch import Standby, create_run


def test_standby_takes_a_run_before_torch_is_imported(tmp_path: Path) -> None:
    experiment = set_fields(resolve("sigmoid-20"), {"run.steps": 3, "run.eval_every": 0})
    standby = Standby()
    assert not standby.ready
    folder = create_run(experiment, tmp_path)
    trainer = standby.start(folder)
    assert trainer.wait(60) == 0
    run = open_run(folder)
    assert run.status.state == "finished"
    assert run.steps == 3
