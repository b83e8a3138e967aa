"""Test that TensorBoard's own reader reads back the exported numbers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gradtui.experiment import loads
from gradtui.runs.export.export import export
from gradtui.runs.export.sheets import EVALUATION
from gradtui.runs.reader import Run
from tests.support.exported_run import LAYERS, PARAMETERS, made_run

event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


def accumulated(run: Run, out: Path) -> event_accumulator.EventAccumulator:
    export(run, "tensorboard", out)
    everything = {"scalars": 0, "histograms": 0, "tensors": 0}
    reader = event_accumulator.EventAccumulator(str(out), size_guidance=everything)
    reader.Reload()
    return reader


def test_every_number_is_read_with_its_step_and_time(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    reader = accumulated(run, tmp_path / "out")
    times = dict(zip(*run.scalars("time"), strict=True))
    expected = {name: run.scalars(name) for name in run.scalar_names}
    for measure in run.metrics:
        steps, values = run.layers(measure)
        expected |= {f"{measure}/{layer}": (steps, values[:, i]) for i, layer in enumerate(LAYERS)}
    evaluations = {f"evaluation/{name}" for name in EVALUATION}
    assert set(reader.Tags()["scalars"]) == set(expected) | evaluations
    for tag, (steps, values) in expected.items():
        found = reader.Scalars(tag)
        assert [event.step for event in found] == steps.tolist()
        assert [event.wall_time for event in found] == [times[step] for step in steps]
        np.testing.assert_array_equal(np.float32([event.value for event in found]), values)
    assert [event.value for event in reader.Scalars("evaluation/test_accuracy")] == [0.75, 0.75]
    assert np.isnan(reader.Scalars("evaluation/test_loss")[0].value)


def test_histograms_are_of_log10_of_the_sizes(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    reader = accumulated(run, tmp_path / "out")
    # The first layer's numbers are all 0, and 0 has no logarithm.
    assert set(reader.Tags()["histograms"]) == {"gradient_log10/dense2", "gradient_log10/output"}
    (*_, event) = reader.Histograms("gradient_log10/dense2")
    assert event.step == 56
    value = event.histogram_value
    assert value.num == PARAMETERS
    np.testing.assert_allclose([value.min, value.max], np.log10([2.0**-3, 2.0**-2]))
    assert value.bucket == [0, PARAMETERS]
    output = reader.Histograms("gradient_log10/output")[0].histogram_value
    np.testing.assert_allclose(output.bucket, [0, *[PARAMETERS / 10] * 10])
    np.testing.assert_allclose(output.bucket_limit, np.log10(2) * np.arange(-10, 1), atol=1e-12)


def test_the_experiment_is_a_text(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    (event,) = accumulated(run, tmp_path / "out").Tensors("experiment")
    (text,) = event.tensor_proto.string_val
    toml = text.decode().removeprefix("```toml\n").removesuffix("```")
    assert loads(toml) == run.experiment


def test_writing_imports_neither_torch_nor_tensorflow(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    code = (
        "import sys; from pathlib import Path; from gradtui import open_run;"
        "from gradtui.runs.export.export import export;"
        "export(open_run(sys.argv[1]), 'tensorboard', Path(sys.argv[2]));"
        "assert not {'torch', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, run.folder, tmp_path / "out"], check=True)
    assert len(list((tmp_path / "out").iterdir())) == 1
