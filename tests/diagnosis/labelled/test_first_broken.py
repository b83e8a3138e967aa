"""Test where the diagnosis finds the first number that is not finite, against hooks of the tests."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from gradtui.diagnosis import diagnose, evidence_of
from gradtui.experiment import Experiment, set_fields
from gradtui.training.session import build
from gradtui.training.step import Stepper
from tests.diagnosis.labelled.cases import SEEDS, cases
from tests.diagnosis.labelled.trainings import Trainings

pytestmark = pytest.mark.long

MOST = 150
"""Steps; what has not broken by then does not break."""


def first_broken(experiment: Experiment, seed: int) -> tuple[int, str] | None:
    """Return the step and the layer at which the numbers broke; None where they did not.

    The layer is the first whose output is not finite, or else the last whose parameters' gradient is not; it is empty
    where only the loss broke.
    """
    session = build(set_fields(experiment, {"seed": seed}))
    stepper, layers = Stepper(session), session.net.layers
    bad: list[int] = []

    def hook(index: int) -> None:
        def look(module: nn.Module, inputs: object, output: Tensor) -> None:
            if not torch.isfinite(output).all():
                bad.append(index)

        layers[index].module.register_forward_hook(look)

    for index in range(len(layers)):
        hook(index)
    for step in range(1, MOST + 1):
        loss, accuracy = stepper.forward()
        if bad:
            return step, layers[bad[0]].name
        if not torch.isfinite(loss):
            return step, ""
        mean_loss = stepper.backward(loss)
        norms, penalty = stepper.measure()
        broken = [
            layer.name
            for layer in layers
            if not all(torch.isfinite(p.grad).all() for p in layer.parameters if p.grad is not None)
        ]
        if broken:
            return step, broken[-1]
        stepper.move(mean_loss, accuracy, norms, penalty)
    return None


def test_step_and_layer_are_those_that_hooks_find(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    trainings = Trainings(tmp_path)
    off, count = [], 0
    for case in cases():
        if case.label != "exploding":
            continue
        for seed in SEEDS:
            findings = diagnose(evidence_of(trainings(case.experiment, seed)))
            found = next((finding for finding in findings if finding.code == "nonfinite"), None)
            truth = first_broken(case.experiment, seed)
            said = None
            if found is not None:
                at_output = "from the output on" in found.evidence
                said = found.step, (found.layers[-1 if at_output else 0] if found.layers else "")
            count += truth is not None
            if said != truth:
                off.append((case.name, seed, said, truth))
    trainings.close()
    assert not off
    assert count >= 40
