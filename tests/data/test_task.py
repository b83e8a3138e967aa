"""Test loss and accuracy against their definitions."""

from __future__ import annotations

import math

import pytest
import torch

from gradtui.data import loss_and_accuracy

GENERATOR = torch.Generator().manual_seed(0)


def test_cross_entropy_and_accuracy_equal_their_formulas() -> None:
    outputs = torch.randn(6, 4, generator=GENERATOR, dtype=torch.float64)
    answers = torch.tensor([0, 1, 2, 3, 0, 1])
    rows = [
        -(row[a] - math.log(sum(math.exp(v) for v in row)))
        for row, a in zip(outputs.tolist(), answers, strict=True)
    ]
    right = [
        max(range(4), key=row.__getitem__) == a
        for row, a in zip(outputs.tolist(), answers.tolist(), strict=True)
    ]
    loss, accuracy = loss_and_accuracy("classify")(outputs, answers)
    assert float(loss) == pytest.approx(sum(rows) / 6)
    assert float(accuracy) == pytest.approx(sum(right) / 6)
    assert float(loss_and_accuracy("classify", "sum")(outputs, answers)[0]) == pytest.approx(sum(rows))


def test_squared_error_and_its_accuracy_equal_their_formulas() -> None:
    outputs = torch.tensor([[1.0, 2.0], [0.0, 0.03], [0.05, 0.0]])
    answers = torch.tensor([[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]])
    loss, accuracy = loss_and_accuracy("regress")(outputs, answers)
    assert float(loss) == pytest.approx((1 + 0.03**2 + 0.05**2) / 6)
    assert float(accuracy) == pytest.approx(1 / 3)
    assert float(loss_and_accuracy("regress", "sum")(outputs, answers)[0]) == pytest.approx(3 * float(loss))


def test_sequences_count_only_the_steps_that_count() -> None:
    outputs = torch.randn(2, 5, 3, generator=GENERATOR)
    answers = torch.tensor([[-100, -100, -100, 1, 2], [-100, -100, -100, 0, 0]])
    flat, flat_answers = outputs[:, 3:].reshape(4, 3), answers[:, 3:].reshape(4)
    loss, accuracy = loss_and_accuracy("sequence")(outputs, answers)
    expected, right = loss_and_accuracy("classify")(flat, flat_answers)
    assert float(loss) == pytest.approx(float(expected))
    assert float(accuracy) == pytest.approx(float(right))
    # A batch of two gives twice the mean, however many steps count.
    assert float(loss_and_accuracy("sequence", "sum")(outputs, answers)[0]) == pytest.approx(2 * float(loss))


@pytest.mark.parametrize("task", ["classify", "regress", "sequence"])
def test_a_loss_that_is_not_finite_stays_so(task: str) -> None:
    shape = {"classify": (2, 3), "regress": (2, 3), "sequence": (2, 4, 3)}[task]
    answers = torch.zeros(shape) if task == "regress" else torch.zeros(shape[:-1], dtype=torch.int64)
    loss, _ = loss_and_accuracy(task)(torch.full(shape, float("nan")), answers)
    assert math.isnan(float(loss))
