"""Test pretraining as a phase of a run: its events, commands, and random numbers."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gradtui.experiment import Experiment, set_fields
from gradtui.runs.control import send
from gradtui.runs.reader import Run
from gradtui.runs.writer import RunWriter
from gradtui.training import controls as controls_module
from gradtui.training.controls import Controls, StopRequest
from gradtui.training.pretraining import Pretraining, hidden_layers, run_through
from gradtui.training.session import Session, build
from tests.support.trainings import small, trained

EPOCHS = 3


def pretrained(**changes: Any) -> Experiment:
    start = {"cures__pretrain__kind": "autoencoder", "cures__pretrain__epochs": EPOCHS}
    return small(**{**start, **changes})


def digits(kind: str, **changes: Any) -> Experiment:
    """A net of sigmoids on digits in [0, 1], as a Boltzmann machine asks for."""
    changes = {"data.source": "digits", "data.scaling": "unit", "net.0.activation": "sigmoid", **changes}
    return set_fields(small(), {**changes, "cures.pretrain.kind": kind, "cures.pretrain.epochs": 2})


def after_pretraining(exp: Experiment, folder: Path, stop: StopRequest | None = None) -> Session:
    """A session when its pretraining is over."""
    folder.mkdir(parents=True, exist_ok=True)
    session = build(exp)
    writer = RunWriter(folder, {})
    controls = Controls(folder, session, writer)
    assert Pretraining(session, writer, controls, stop or StopRequest()).run() is None
    writer.close()
    return session


def said(run: Run, *kinds: str) -> list[dict[str, Any]]:
    return [{**event} for event in run.events() if event["event"] in kinds]


def test_pretraining_events_have_layer_epoch_and_error(tmp_path: Path) -> None:
    run, ending = trained(tmp_path / "run", pretrained())
    assert ending == ("finished", "")
    events = said(run, "phase", "pretrain")
    assert [event.get("phase") for event in events[:2]] == ["building", "pretraining"]
    places = [(layer, epoch) for layer in (1, 2) for epoch in range(1, EPOCHS + 1)]
    phases, errors = events[1:13:2], events[2:13:2]
    for (layer, epoch), phase, error in zip(places, phases, errors, strict=True):
        assert phase["phase"] == "pretraining"
        assert phase["text"] == f"pretraining layer {layer} of 2, epoch {epoch} of {EPOCHS}"
        assert (phase["layer"], phase["layers"], phase["epoch"], phase["epochs"]) == (layer, 2, epoch, EPOCHS)
        assert (error["layer"], error["name"], error["epoch"]) == (layer, f"dense{layer}", epoch)
        assert phase["step"] == error["step"] == 0
    assert events[13]["phase"] == "training"
    for layer in (1, 2):
        of_layer = [error["reconstruction_error"] for error in errors if error["layer"] == layer]
        assert of_layer[-1] < 0.7 * of_layer[0]
    assert run.layers("grad_norm")[0][0] == 1, "the first step of the fine-tuning is recorded as always"


def test_reconstruction_error_is_of_the_layers_inputs(tmp_path: Path) -> None:
    """With a rate of next to nothing: the net that was built, against a plain computation."""
    exp = digits("autoencoder", **{"cures.pretrain.lr": 1e-12})
    run, _ = trained(tmp_path / "run", set_fields(exp, {"run.steps": 1}))
    session = build(exp)
    x = session.dataset.train_x.flatten(1)
    expected = []
    with torch.no_grad():
        for layer in session.net.layers[:-1]:
            weight, bias = (p.detach() for p in layer.parameters)
            hidden = torch.sigmoid(x @ weight.T + bias)
            expected.append(float((torch.sigmoid(hidden @ weight) - x).square().mean()))
            x = hidden
    errors = [event["reconstruction_error"] for event in said(run, "pretrain") if event["epoch"] == 2]
    np.testing.assert_allclose(errors, expected, rtol=1e-4)


@pytest.mark.parametrize("kind", ["autoencoder", "rbm"])
def test_pretraining_is_greedy_and_uses_its_own_random_numbers(tmp_path: Path, kind: str) -> None:
    """A layer's weights depend on the seed and the layers below alone, not on those above."""
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    two = after_pretraining(digits(kind), tmp_path / "two")
    three = after_pretraining(digits(kind, **{"net.0.repeat": 3}), tmp_path / "three")
    other = after_pretraining(digits(kind, seed=1), tmp_path / "other")
    fresh = build(digits(kind))
    for name in ("dense1.weights1.weight", "dense2.weights1.weight"):
        learned = two.net.state_dict()[name]
        assert torch.equal(learned, three.net.state_dict()[name])
        assert not torch.equal(learned, other.net.state_dict()[name])
        assert not torch.equal(learned, fresh.net.state_dict()[name])
    assert torch.equal(two.net.state_dict()["output.weight"], fresh.net.state_dict()["output.weight"])
    assert torch.equal(states[0], torch.get_rng_state())
    assert np.array_equal(states[1], np.random.get_state()[1])
    assert states[2] == random.getstate()
    for _ in range(30):
        assert all(torch.equal(a, b) for a, b in zip(next(two.batches), next(fresh.batches), strict=True))


def test_pretrained_parameters_are_views_of_the_flat_buffers(tmp_path: Path) -> None:
    session = after_pretraining(digits("rbm"), tmp_path)
    for layer in session.net.layers:
        for p in layer.parameters:
            start = p.storage_offset()
            assert torch.equal(session.flat.weights[start : start + p.numel()].view(p.shape), p)
            assert p.grad is not None
            assert p.grad.untyped_storage().data_ptr() == session.flat.gradients.untyped_storage().data_ptr()


def test_next_layer_learns_from_norms_in_evaluation_mode(tmp_path: Path) -> None:
    """The layer above must not depend on who else was in a batch; and the net trains on as nets do."""
    exp = pretrained(net__0__norm="batch")
    session = after_pretraining(exp, tmp_path)
    assert all(module.training for module in session.net.modules())
    norms = [m for m in session.net.modules() if isinstance(m, torch.nn.BatchNorm1d)]
    assert all(int(norm.num_batches_tracked) == 5 * EPOCHS for norm in norms), "160 examples in 5 batches"
    session.net.eval()
    before, layers = hidden_layers(session.net)
    x = run_through(before, session.dataset.train_x)
    torch.testing.assert_close(run_through([layers[0]], x)[:1], run_through([layers[0]], x[:1]))
    run, _ = trained(tmp_path / "run", exp)
    assert run.status.step == 10


def test_stop_in_pretraining_leaves_no_checkpoint(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    send(folder, "stop")
    run, ending = trained(folder, pretrained(cures__pretrain__epochs=100_000))
    assert ending == ("stopped", "stopped on request")
    assert run.steps == 0
    assert not list(folder.glob("checkpoints/*"))
    stop = StopRequest()
    stop.wanted = True
    _, ending = trained(tmp_path / "other", pretrained(cures__pretrain__epochs=100_000), stop)
    assert ending == ("stopped", "the trainer was told to stop (SIGTERM)")


def test_pause_does_not_change_the_pretraining(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controls_module, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(controls_module, "PAUSED_SECONDS", 0.0)
    folder = tmp_path / "paused"
    folder.mkdir()
    script = {3: "pause", 40: "step", 60: "resume"}
    weights: list[torch.Tensor] = []
    real = Controls.poll

    def look(self: Controls) -> None:
        weights.append(self._session.flat.weights.clone())
        if len(weights) in script:
            send(folder, script[len(weights)])  # type: ignore[arg-type]
        real(self)

    monkeypatch.setattr(Controls, "poll", look)
    session = after_pretraining(pretrained(), folder)
    moves = [not torch.equal(a, b) for a, b in itertools.pairwise(weights)]
    assert not any(moves[2:38])
    assert sum(moves[38:58]) == 1, "one step of the pretraining"
    assert all(moves[60:65])
    monkeypatch.setattr(Controls, "poll", real)
    assert torch.equal(session.flat.weights, after_pretraining(pretrained(), tmp_path / "b").flat.weights)


def test_pretrained_net_has_a_checkpoint_of_step_0(tmp_path: Path) -> None:
    run, _ = trained(tmp_path / "run", pretrained(run__steps=2))
    kept = [(event["step"], event["path"]) for event in said(run, "checkpoint")]
    assert kept[0] == (0, "checkpoints/step-000000000.safetensors")
