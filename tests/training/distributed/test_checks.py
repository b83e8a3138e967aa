"""What cannot be split is refused in one line."""

from __future__ import annotations

import pytest

from gradtui.experiment import Experiment, from_dict
from gradtui.experiment.errors import ExperimentError
from gradtui.training.distributed import check_splits


def experiment(**parts: object) -> Experiment:
    return from_dict({"name": "a", "data": {"batch_size": 8}, **parts})


@pytest.mark.parametrize("processes", [1, 2, 8])
def test_as_many_processes_as_a_batch_has_examples(processes: int) -> None:
    check_splits(experiment(), processes)


@pytest.mark.parametrize("processes", [-1, 0, 9])
def test_no_more_and_no_fewer(processes: int) -> None:
    with pytest.raises(ExperimentError, match=f"--nproc: {processes} is not allowed; expected 1 to 8"):
        check_splits(experiment(), processes)


def test_batch_norm_is_of_whole_batches() -> None:
    exp = experiment(net=[{"width": 4}, {"width": 4, "norm": "batch"}])
    check_splits(exp, 1)
    with pytest.raises(
        ExperimentError, match=r"net\.1\.norm: batch norm takes its statistics over the whole batch"
    ):
        check_splits(exp, 2)


@pytest.mark.parametrize("device", ["cuda:1", "mps"])
def test_a_single_device_is_too_few(device: str) -> None:
    with pytest.raises(ExperimentError, match=f"run.device: {device} is one device"):
        check_splits(experiment(run={"device": device}), 2)
