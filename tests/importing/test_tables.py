"""Test the tables that are made from hand-made logs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gradtui.importing.log import Log
from gradtui.importing.tables import tables_of


def log_of(rows: dict[int, dict[str, float]], *, ordered: bool = True) -> Log:
    log = Log("a", "TensorBoard", Path("a"), ordered)
    for step, numbers in rows.items():
        for tag, value in numbers.items():
            log.add(tag, step, 1e9 + step, value)
    return log


def test_the_norm_of_a_layer_is_that_of_its_parameters_together() -> None:
    rows = {
        s: {"grad_norm/a.weight": 3.0 * s, "grad_norm/a.bias": 4.0 * s, "grad_norm/b.weight": 1.0}
        for s in (1, 2)
    }
    tables = tables_of(log_of(rows))
    gradients = tables.layers["grad_norm"]
    assert gradients.columns == ("a", "b")
    np.testing.assert_array_equal(gradients.values, [[5, 1], [10, 1]])
    assert tables.scalars is not None
    assert tables.scalars.columns == ("grad_norm",)
    np.testing.assert_allclose(tables.scalars.values[:, 0], np.sqrt([26, 101]))


def test_nan_and_infinity_stay() -> None:
    rows = {1: {"loss": np.nan, "grad_norm/a.weight": np.inf, "grad_norm/a.bias": 1.0, "grad_norm/b": np.nan}}
    tables = tables_of(log_of(rows))
    np.testing.assert_array_equal(tables.layers["grad_norm"].values, [[np.inf, np.nan]])
    assert tables.scalars is not None
    assert np.isnan(tables.scalars.values[0, 0])


def test_steps_and_layers_that_are_not_whole_are_left_out_and_said() -> None:
    rows = {step: {"grad_norm/a": 1.0, "grad_norm/b": 2.0} for step in range(1, 11)}
    del rows[4]["grad_norm/b"]
    rows[10]["grad_norm/seldom"] = 1.0
    tables = tables_of(log_of(rows))
    assert tables.layers["grad_norm"].columns == ("a", "b")
    assert tables.layers["grad_norm"].steps.tolist() == [1, 2, 3, 5, 6, 7, 8, 9, 10]
    assert tables.left == ["1 layer that was rarely logged", "1 step at which not every layer was logged"]


def test_a_scalar_that_was_logged_elsewhere_stands_with_its_newest_value() -> None:
    rows: dict[int, dict[str, float]] = {step: {"train/loss": float(step)} for step in range(1, 7)}
    rows[2]["lr-SGD"], rows[5]["lr-SGD"] = 0.1, 0.01
    tables = tables_of(log_of(rows | {7: {"lr-SGD": 0.001}}))
    assert tables.scalars is not None
    assert tables.scalars.columns == ("loss", "lr")
    assert tables.scalars.steps.tolist() == [1, 2, 3, 4, 5, 6]
    assert tables.scalars.values[:, 1].tolist() == [0.1, 0.1, 0.1, 0.1, 0.01, 0.01]


def test_of_a_step_that_was_taken_again_the_last_entry_stands() -> None:
    log = log_of({1: {"loss": 1.0}, 2: {"loss": 2.0}, 3: {"loss": 3.0}})
    log.add("loss", 2, 2e9, 20.0)
    tables = tables_of(log)
    assert tables.scalars is not None
    assert tables.scalars.steps.tolist() == [1, 2, 3]
    assert tables.scalars.values[:, 0].tolist() == [1, 20, 3]
    assert tables.scalars.times[1] == 2e9


def test_of_two_losses_the_one_logged_more_often_is_the_loss() -> None:
    rows: dict[int, dict[str, float]] = {step: {"train_loss_step": float(step)} for step in (1, 2, 3)}
    rows[3]["train/loss"] = 9.0
    tables = tables_of(log_of(dict(reversed(rows.items()))))
    assert tables.scalars is not None
    assert tables.scalars.columns == ("loss", "train/loss")
    assert tables.scalars.values[:, 0].tolist() == [1, 2, 3]


def test_evaluations_are_apart() -> None:
    tables = tables_of(log_of({5: {"loss": 1.0, "val/loss": 2.0, "val/acc": 0.5}, 9: {"val/loss": 1.5}}))
    assert tables.evaluations == [
        (5, 1e9 + 5, {"test_loss": 2.0, "test_accuracy": 0.5}),
        (9, 1e9 + 9, {"test_loss": 1.5}),
    ]


def test_without_an_order_layers_are_sorted_by_name() -> None:
    rows = {1: {"gradients/10.weight": 1.0, "gradients/2.weight": 2.0, "gradients/0.weight": 3.0}}
    assert tables_of(log_of(rows, ordered=False)).layers["grad_norm"].columns == ("0", "2", "10")
    assert tables_of(log_of(rows)).layers["grad_norm"].columns == ("10", "2", "0")


def test_norms_of_histograms_are_taken_where_no_norms_were_logged() -> None:
    log = log_of({1: {"loss": 1.0}})
    log.add_norm("gradients/a.weight", 1, 1e9, 3.0, size=20, estimated=False)
    log.add_norm("gradients/a.bias", 1, 1e9, 4.0, size=5, estimated=False)
    tables = tables_of(log)
    assert tables.layers["grad_norm"].values.tolist() == [[5.0]]
    assert (tables.sizes, tables.source) == ({"a": 25}, "from sums of squares of histograms")
    log.add("grad_norm/a", 1, 1e9, 6.0)
    assert tables_of(log).layers["grad_norm"].values.tolist() == [[6.0]]
