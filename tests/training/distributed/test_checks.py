"""Test that an experiment that cannot be split is refused in one line."""

from __future__ import annotations

import pytest

from gradtui.experiment import Experiment, from_dict
from gradtui.experiment.errors import ExperimentError
from gradtui.training.distributed import check_splits


def experiment(**parts: object) -> Experiment:
    return from_dict({"name": "a", "data": {"batch_size": 8}, **parts})


@pytest.mark.parametrize("processes", [1, 2, 8])
def test_number_of_processes_up_to_the_batch_size_is_accepted(processes: int) -> None:
    check_splits(experiment(), processes)


@pytest.mark.parametrize("processes", [-1, 0, 9])
def test_number_of_processes_out_of_range_is_refused(processes: int) -> None:
    with pytest.raises(ExperimentError, match=f"--nproc: {processes} is not allowed; expected 1 to 8"):
        check_splits(experiment(), processes)


def test_batch_norm_is_refused() -> None:
    exp = experiment(net=[{"width": 4}, {"width": 4, "norm": "batch"}])
    check_splits(exp, 1)
    with pytest.raises(
        ExperimentError, match=r"net\.1\.norm: batch norm needs statistics of the whole batch"
    ):
        check_splits(exp, 2)


@pytest.mark.parametrize("device", ["cuda:1", "mps"])
def test_single_named_device_is_refused(device: str) -> None:
    with pytest.raises(ExperimentError, match=f"run.device: {device} is one device"):
        check_splits(experiment(run={"device": device}), 2)
