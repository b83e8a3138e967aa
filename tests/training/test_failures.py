"""Test that each failure has a reason of one plain line."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import torch

from gradtui.experiment import ExperimentError, net_shape
from gradtui.training import device
from gradtui.training.failures import TrainingFailed, reason_of
from tests.support.trainings import small, trained


def test_out_of_memory_errors_of_torch() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 55)
    reason = reason_of(caught.value)
    assert reason.startswith("out of memory: the training asked for")
    assert "GB" in reason
    assert reason_of(MemoryError()) == "out of memory"
    cuda = "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 15 GiB"
    assert reason_of(torch.OutOfMemoryError(cuda)) == (
        "out of memory: the training asked for 20.00 GiB more than there is"
    )


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "x.f32"), "the disk is full"),
        (FileNotFoundError(2, "No such file or directory", "a.npz"), "a.npz: No such file or directory"),
        (ExperimentError("net.0.width", -3, "1 to 9"), "net.0.width: -3 is not allowed; expected 1 to 9"),
        (TrainingFailed("no room"), "no room"),
        (KeyError("x"), "KeyError: 'x'"),
        (RuntimeError("one\n  two"), "RuntimeError: one two"),
    ],
)
def test_reason_of_each_kind_of_error(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason


def test_long_reason_is_shortened() -> None:
    assert len(reason_of(RuntimeError("x" * 5000))) <= 300


def test_too_large_net_is_refused_before_it_is_built(tmp_path: Path) -> None:
    exp = small(net__0__width=65_536, net__0__repeat=1000)
    with pytest.raises(
        TrainingFailed, match=r"out of memory: the net's 4,290,\d+,\d+,\d+ parameters need 34"
    ):
        trained(tmp_path / "run", exp)


def test_too_large_batch_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    exp = small(data__source="digits", data__batch_size=1000, net__0__width=64, net__0__repeat=1000)
    parameters = net_shape(exp).parameters
    monkeypatch.setattr(device, "free_bytes", lambda: 8 * parameters + 200_000_000)
    with pytest.raises(
        TrainingFailed, match=r"parameters need 33.3 MB to train, a batch of 1,000 examples 23. MB, and"
    ):
        device.check_fits(exp, parameters, torch.device("cpu"))
    device.check_fits(exp, parameters, torch.device("cuda"))


def test_net_that_fits_is_accepted() -> None:
    exp = small()
    device.check_fits(exp, net_shape(exp).parameters, torch.device("cpu"))


def test_free_memory_is_known_here() -> None:
    free = device.free_bytes()
    assert free is not None
    assert 1e6 < free < 1e14


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
@pytest.mark.parametrize("device_name", ["cuda", "cuda:7"])
def test_missing_device_is_refused(device_name: str) -> None:
    exp = small(run__device=device_name)
    with pytest.raises(ExperimentError, match=f"^run.device: {device_name} was requested, but "):
        device.choose(exp, net_shape(exp))


def test_auto_takes_a_gpu_only_where_it_gains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "_gpu", lambda: "cuda")
    tiny = small(run__device="auto", data__source="digits", net__0__width=64, net__0__repeat=20)
    large = small(
        run__device="auto", data__source="digits", data__batch_size=256, net__0__width=2048, net__0__repeat=6
    )
    image = small(
        run__device="auto", data__source="digits", data__batch_size=128, net__0__block="conv",
        net__0__width=128, net__0__repeat=18,
    )  # fmt: skip
    chosen = [device.choose(exp, net_shape(exp)).type for exp in (tiny, large, image)]
    assert chosen == ["cpu", "cuda", "cuda"]
    monkeypatch.setattr(device, "_gpu", lambda: "")
    assert device.choose(large, net_shape(large)).type == "cpu"


def test_missing_data_file_is_named(tmp_path: Path) -> None:
    exp = small(data__source="npz", data__path=str(tmp_path / "none.npz"))
    with pytest.raises(ExperimentError, match=r"none\.npz"):
        trained(tmp_path / "run", exp)
