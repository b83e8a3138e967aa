"""`gradtui import` makes runs of other programs' logs."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradtui.runs.export.export import export
from tests.support.command_line import forked_gradtui
from tests.support.exported_run import made_run


def test_nothing_to_import_is_one_line(tmp_path: Path) -> None:
    missing = forked_gradtui(tmp_path, "import", str(tmp_path / "nowhere"))
    assert (missing.returncode, missing.stderr) == (
        2,
        f"gradtui: {tmp_path / 'nowhere'}: no such file or folder\n",
    )
    empty = forked_gradtui(tmp_path, "import", str(tmp_path))
    assert empty.returncode == 2
    assert empty.stderr == (
        f"gradtui: {tmp_path}: no TensorBoard event file (*tfevents*) and no W&B offline run (*.wandb)\n"
    )


def test_an_import_is_described_in_one_line_and_can_be_diagnosed(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    export(made_run(tmp_path / "made"), "tensorboard", tmp_path / "old")
    result = forked_gradtui(tmp_path, "import", str(tmp_path / "old"), "--name", "mine")
    assert (result.returncode, result.stderr) == (0, "")
    (run,) = (tmp_path / "runs").iterdir()
    assert result.stdout == (
        f"{run.name}: 60 steps of 3 layers (norms that were logged), update_ratio, 4 scalars, 2 evaluations; "
        "left out: histograms of other things (16), text (1)\n"
    )
    diagnosed = forked_gradtui(tmp_path, "diagnose", "mine")
    assert diagnosed.returncode == 0, diagnosed.stderr
    assert "non-finite" in diagnosed.stdout or "nonfinite" in diagnosed.stdout
