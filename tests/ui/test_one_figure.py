"""Test that every part prints the same figure for the gradient of one run: first ÷ last hidden layer.

The run is written with known gradients: those of the weights fall by 12 decades over the hidden layers, and those of
the outputs by 10. The output layer, which is compared with nothing, has a gradient of its own.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from gradtui.cli import main
from gradtui.diagnosis.monitor import diagnose_run
from gradtui.diagnosis.outcome import outcome_of
from gradtui.experiment import net_shape, resolve, to_dict
from gradtui.experiment.cures import cure
from gradtui.runs.folder import new_folder, runs_root
from gradtui.runs.meta import LayerMeta, Parent, RunMeta, TableMeta, write_meta
from gradtui.runs.reader import open_run
from gradtui.runs.writer import RunWriter
from gradtui.ui.app import GradtuiApp
from gradtui.ui.screens.layer.layer_screen import LayerScreen
from gradtui.ui.screens.study.study_tables import cure_columns, run_columns
from gradtui.words import compare_decades
from tests.support.lab import lab_of, no_standby, screen_text, until
from tests.ui.conftest import SCALARS

__all__ = ["no_standby"]

OF_WEIGHTS = "1.0 trillion times weaker at the input"
OF_OUTPUTS = "1e-10"


def written(name: str, weights: float, outputs: float, parent: str = "") -> Path:
    """Write a run of a preset whose gradients fall by so many decades from the last hidden layer to the first."""
    experiment = resolve(name) if not parent else cure("relu").apply(resolve(name))
    folder = new_folder(runs_root(), experiment.name)
    layers = tuple(LayerMeta(s.name, s.kind, s.parameters) for s in net_shape(experiment).layers)
    names = tuple(layer.name for layer in layers)
    tables = {
        "scalars": TableMeta(SCALARS, "scalars"),
        "grad_norm": TableMeta(names),
        "output_grad_rms": TableMeta(names),
    }
    meta = RunMeta.of_this_process(
        id=folder.name,
        name=experiment.name,
        experiment=to_dict(experiment),
        layers=layers,
        tables=tables,
        steps=experiment.run.steps,
        parent=Parent(parent, 0, "relu") if parent else None,
    )
    write_meta(folder, meta)
    writer = RunWriter(folder, {name: table.columns for name, table in tables.items()})
    for step in range(1, 201):
        for table, decades in (("grad_norm", weights), ("output_grad_rms", outputs)):
            writer.append(table, step, [*10.0 ** np.linspace(-decades, 0, len(names) - 1), 100.0])
        writer.append("scalars", step, (2.3, 0.1, 0.001, 100.0, 100.0))
    writer.event("end", 200, status="finished", reason="")
    writer.close()
    return folder


async def test_all_parts_print_the_same_figure_of_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failing = written("sigmoid-20", 12, 10)
    cured = written("sigmoid-20", 0.3, 0.3, parent=failing.name)

    assert main(["diagnose", str(failing)]) == 0
    text = capsys.readouterr().out
    assert text.count(OF_WEIGHTS) == 2, "at the first step and at the last"
    assert f"{OF_OUTPUTS} times that of dense20" in text
    assert main(["diagnose", str(failing), "--json"]) == 0
    layers = json.loads(capsys.readouterr().out)["layers"]
    for table, said in (("grad_norm", OF_WEIGHTS), ("output_grad_rms", compare_decades(-10))):
        decades = np.log10(layers[0][table]["last"] / layers[-2][table]["last"])
        assert compare_decades(float(decades)) == said

    assert main(["report", str(failing), str(tmp_path / "one.md")]) == 0
    one = (tmp_path / "one.md").read_text()
    assert OF_WEIGHTS in one
    assert f"{OF_OUTPUTS} times that of dense20" in " ".join(one.split())
    assert main(["report", str(failing), str(cured), str(tmp_path / "two.md")]) == 0
    assert f"| {OF_OUTPUTS} |" in (tmp_path / "two.md").read_text()

    found = diagnose_run(open_run(failing))
    row = cast(Any, SimpleNamespace(outcome=outcome_of(found.evidence, found.findings, 0.01), reason=""))
    for columns in (run_columns(), cure_columns()):
        [column] = [column for column in columns if column.title == "in÷out"]
        assert str(column.text(row)) == OF_OUTPUTS, "in the table of a study and in that of cures"

    app = GradtuiApp(attach=cured)
    async with app.run_test(size=(120, 40)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: f"input ÷ output gradient: {OF_OUTPUTS} → 0.5" in one_line(app))
        await pilot.press("F")
        await until(pilot, lambda: f"✖ vanishing · {OF_WEIGHTS}" in screen_text(app))
        assert f"{OF_OUTPUTS} times that of dense20" in one_line(app)
        await pilot.press("2", "home", "enter")
        await until(
            pilot, lambda: isinstance(app.screen, LayerScreen) and "layer 1 of 21" in screen_text(app)
        )
        assert "gradient 1e-12  output gradient 1e-10" in screen_text(app)
        assert lab.followed is not None
        assert lab.followed.folder == failing


def one_line(app: GradtuiApp) -> str:
    """Return the left column of the lab without its frames and ends of lines."""
    return " ".join(" ".join(line[1:35].split()) for line in screen_text(app).splitlines())
