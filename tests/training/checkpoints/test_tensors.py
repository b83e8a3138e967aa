"""Test written files with the safetensors library, and files that are not whole."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch
from safetensors import safe_open

from gradtui.training.checkpoints.tensors import CheckpointError, read_tensors, write_tensors

DRAW = np.random.default_rng(0)
ARRAYS = {
    "model.a": DRAW.normal(size=(3, 5)).astype(np.float32),
    "model.b.weight": np.array([np.nan, np.inf, -np.inf, -0.0, 1e-45], np.float32),
    "counter": np.array(7, np.int64),
    "bytes": np.arange(5, dtype=np.uint8),
    "mask": np.array([True, False, True]),
    "double": DRAW.normal(size=(2, 1, 2)),
    "nothing": np.zeros((0, 4), np.float32),
    "half": np.array([0.1, 65504], np.float16),
    "part of another": DRAW.normal(size=(6, 6)).astype(np.float32)[1:3],
    "columns": DRAW.normal(size=(6, 6)).astype(np.float32)[:, ::2],
}
TEXTS = {"gradtui": '{"ü": "…"}', "other": ""}


def test_safetensors_reads_written_files(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write_tensors(path, ARRAYS, TEXTS)
    read_back = safetensors.numpy.load_file(path)
    assert read_back.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert read_back[name].dtype == array.dtype
        assert read_back[name].shape == array.shape
        assert read_back[name].tobytes() == array.tobytes()
    with safe_open(path, framework="np") as file:
        assert file.metadata() == TEXTS
    assert list(tmp_path.iterdir()) == [path]


def test_files_of_safetensors_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    whole = {name: np.ascontiguousarray(array) for name, array in ARRAYS.items() if array.ndim}
    safetensors.numpy.save_file(whole, path, TEXTS)
    found, texts = read_tensors(path)
    assert texts == TEXTS
    for name, array in whole.items():
        assert torch.equal(found[name].nan_to_num(), torch.from_numpy(array).nan_to_num())
    safetensors.numpy.save_file(whole, path)
    assert read_tensors(path)[1] == {}


def test_numbers_lie_at_multiples_of_their_size(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write_tensors(path, ARRAYS, TEXTS)
    content = path.read_bytes()
    header = 8 + int.from_bytes(content[:8], "little")
    assert header % 8 == 0
    assert content[header:].startswith(ARRAYS["counter"].tobytes()) or content[header:].startswith(
        ARRAYS["double"].tobytes()
    )


@pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.5, 0.999])
def test_truncated_file_raises_one_line(tmp_path: Path, share: float) -> None:
    path = tmp_path / "cut.safetensors"
    write_tensors(path, {"x": np.zeros((100, 100), np.float32)}, {})
    os.truncate(path, int(path.stat().st_size * share))
    with pytest.raises(CheckpointError) as caught:
        read_tensors(path)
    assert str(caught.value).startswith(f"{path}: is not a complete safetensors file")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"PK\x03\x04 a pickle", b"\xff" * 100, b"\x02\0\0\0\0\0\0\0[]"])
def test_other_file_raises_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="not a complete safetensors file"):
        read_tensors(path)
    for nothing in (tmp_path / "missing", tmp_path):
        with pytest.raises(CheckpointError) as caught:
            read_tensors(nothing)
        assert str(nothing) in str(caught.value)


def test_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.safetensors"
    write_tensors(path, {"x": np.zeros(3, np.float32)}, {})

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_tensors(path, {"x": np.ones(3, np.float32)}, {})
    assert list(tmp_path.iterdir()) == [path]
    assert read_tensors(path)[0]["x"].sum() == 0
