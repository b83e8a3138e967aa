"""Test that a session restored from its checkpoint continues bit-identical, with all kinds of parts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gradtui.experiment import from_dict
from gradtui.training.checkpoints.files import HEADER_KEY, CheckpointError, parse_header
from gradtui.training.checkpoints.state import SessionStates, restore
from gradtui.training.checkpoints.tensors import read_tensors, write_tensors
from gradtui.training.session import Session, build
from gradtui.training.step import Stepper
from tests.support.trainings import plain_step

SPIRALS = {"source": "spirals", "samples": 100, "batch_size": 16}
DIGITS = {"source": "digits", "batch_size": 16}
ADDING = {"source": "adding", "length": 6, "samples": 100, "batch_size": 16}

CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "momentum, batch norm, cosine": {
        "net": [{"width": 8, "repeat": 3, "norm": "batch", "activation": "prelu"}],
        "optimizer": {"lr": 0.1, "momentum": 0.9, "schedule": "cosine", "warmup_steps": 12},
    },
    "adam, clipped, penalties": {
        "optimizer": {"kind": "adam", "lr": 0.01},
        "cures": {"clip_norm": 0.1, "clip_value": 0.01, "l1": 0.001, "l2": 0.01},
    },
    "adamw, step": {"optimizer": {"kind": "adamw", "lr": 0.01, "weight_decay": 0.1, "schedule": "step"}},
    "rmsprop, momentum": {"optimizer": {"kind": "rmsprop", "lr": 0.001, "momentum": 0.5}},
    "images, rezero, fp16 that overflows": {
        "data": DIGITS,
        "net": [{"block": "conv", "width": 4, "repeat": 2, "shortcut": "rezero", "norm": "batch"}],
        "run": {"precision": "fp16"},
    },
    "bf16": {"run": {"precision": "bf16"}},
    "lstm": {"data": ADDING, "net": [{"block": "lstm", "width": 5}]},
    "transformer": {
        "data": {"source": "copy", "length": 3, "samples": 60, "batch_size": 16},
        "net": [{"block": "attention", "width": 8, "heads": 2, "norm": "layer", "order": "pre"}],
    },
    "frozen": {"cures": {"pretrain": {"kind": "autoencoder", "freeze": 1}}},
}


def session_of(case: dict[str, Any]) -> Session:
    raw = {"data": SPIRALS, "net": [{"width": 8, "repeat": 3, "activation": "tanh"}], **case}
    raw["run"] = {"steps": 40, "device": "cpu", **raw.get("run", {})}
    return build(from_dict(raw))


def steps(session: Session, count: int) -> list[float]:
    """Losses and norms of the next steps."""
    stepper = Stepper(session)
    numbers = []
    for _ in range(count):
        outcome = plain_step(stepper)
        numbers += [float(outcome.loss), float(session.flat.total(outcome.norms)), outcome.lr, outcome.scale]
    return numbers


def saved(session: Session, path: Path) -> Path:
    snapshot = SessionStates(session).to_host()
    write_tensors(path, snapshot.tensors, {HEADER_KEY: snapshot.text})
    return path


def taken_up(session: Session, path: Path) -> Session:
    tensors, texts = read_tensors(path)
    restore(session, path, tensors, parse_header(path, texts))
    return session


def same(one: Session, other: Session) -> bool:
    ours, theirs = one.net.state_dict(), other.net.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("at", [0, 1, 13])
def test_restored_session_continues_bit_identical(tmp_path: Path, case: dict[str, Any], at: int) -> None:
    session = session_of(case)
    if session.scale.adapts:
        session.scale.value, session.scale._good = 2.0**26, 3
    steps(session, at)
    path = saved(session, tmp_path / "x.safetensors")
    expected = steps(session, 12)
    resumed = taken_up(session_of(case), path)
    assert resumed.step == at
    np.testing.assert_array_equal(steps(resumed, 12), expected)
    assert same(resumed, session)
    assert resumed.scale.state() == session.scale.state()
    # And its own checkpoint is the very same file.
    ours, theirs = saved(session, tmp_path / "a"), saved(resumed, tmp_path / "b")
    assert ours.read_bytes() == theirs.read_bytes()


def test_host_state_is_a_copy() -> None:
    session = session_of({"optimizer": {"kind": "adam"}})
    steps(session, 2)
    snapshot = SessionStates(session).to_host()
    before = {name: array.copy() for name, array in snapshot.tensors.items()}
    steps(session, 2)
    assert all((snapshot.tensors[name] == before[name]).all() for name in before)
    fresh = SessionStates(session).to_host().tensors
    assert all((fresh[name] != before[name]).any() for name in before if not name.endswith("bias"))


def test_tensor_names_are_the_nets() -> None:
    session = session_of(CASES["momentum, batch norm, cosine"])
    steps(session, 1)
    names = SessionStates(session).to_host().tensors.keys()
    assert names == {*(f"model.{name}" for name in session.net.state_dict()), "optimizer.momentum_buffer"}
    assert {"model.dense2.weights1.weight", "model.dense2.norm1.running_mean"} <= names


def test_nonfinite_weights_are_detected() -> None:
    session = session_of({})
    assert SessionStates(session).to_host().is_finite()
    session.flat.weights[3] = float("inf")
    assert not SessionStates(session).to_host().is_finite()


def test_foreign_checkpoint_raises_one_line(tmp_path: Path) -> None:
    path = saved(session_of({}), tmp_path / "x.safetensors")
    with pytest.raises(CheckpointError, match=r"holds another net than the experiment's .see dense"):
        taken_up(session_of({"net": [{"width": 9}]}), path)
    tensors, _ = read_tensors(path)
    write_tensors(path, {name: tensor.numpy() for name, tensor in tensors.items()}, {})
    with pytest.raises(CheckpointError, match="is not a checkpoint written by gradtui"):
        taken_up(session_of({}), path)
    write_tensors(path, {}, {HEADER_KEY: '{"format": 99}'})
    with pytest.raises(CheckpointError, match="has format 99, but this gradtui reads format 1"):
        taken_up(session_of({}), path)


WRITTEN = {
    "format": 1,
    "step": 4,
    "experiment": {},
    "batches": {"epoch": 0, "taken": 4},
    "loss_scale": {"value": 1.0, "good": 0},
}


@pytest.mark.parametrize(
    "odd",
    [
        *({name: None} for name in WRITTEN),
        {"step": -1},
        {"step": 1.5},
        {"step": 10**30},
        {"experiment": "sigmoid-20"},
        {"batches": [0, 4]},
        {"batches": {"epoch": 0}},
        {"batches": {"epoch": "0", "taken": 4}},
        {"loss_scale": {"value": "1", "good": 0}},
    ],
    ids=str,
)
def test_odd_field_of_a_header_is_named_as_no_checkpoint(odd: dict[str, Any]) -> None:
    assert parse_header(Path("x"), {HEADER_KEY: json.dumps(WRITTEN)}) == WRITTEN
    header = {name: value for name, value in (WRITTEN | odd).items() if value is not None}
    with pytest.raises(CheckpointError, match="x: is not a checkpoint written by gradtui"):
        parse_header(Path("x"), {HEADER_KEY: json.dumps(header)})
