"""Test which differences between runs the comparison shows."""

from __future__ import annotations

import pytest

from gradtui.experiment import Experiment, resolve, set_fields
from gradtui.ui.screens.compare.differences import differing, differing_configs
from gradtui.ui.screens.compare.overlays import NARROWEST_WATERFALL, abreast, places

SIGMOID = resolve("sigmoid-20")


def fields(*experiments: Experiment | None) -> dict[str, tuple[str, ...]]:
    return {line.field: line.values for line in differing(experiments)}


def test_only_fields_that_differ_are_named_and_each_run_has_its_own() -> None:
    other = set_fields(SIGMOID, {"optimizer.lr": 0.5, "net.0.activation": "relu", "name": "another"})
    third = set_fields(SIGMOID, {"cures.clip_norm": 1.0})
    assert fields(SIGMOID, other, third) == {
        "net.0.activation": ("sigmoid", "relu", "sigmoid"),
        "optimizer.lr": ("0.001", "0.5", "0.001"),
        "cures.clip_norm": ("off", "off", "1"),
    }


def test_nets_of_another_number_of_groups_are_told_group_by_group() -> None:
    deeper = resolve("cure-shortcut")
    assert len(deeper.net) == 2
    said = fields(SIGMOID, deeper)
    assert said["net.0"][0].startswith("20× dense 64 sigmoid")
    assert said["net.1"][0] == "–"
    assert "shortcut" in said["net.1"][1]
    assert not [field for field in said if field.startswith("net.0.")]


def test_configurations_of_scripts_are_compared_field_by_field() -> None:
    said = differing_configs(
        [
            {"lr": 0.1, "width": 64, "seed": 0},
            {"lr": 0.01, "width": 64, "seed": 0},
            {"lr": 0.1, "seed": 0, "ema": True},
        ]
    )
    assert {line.field: line.values for line in said} == {
        "config.lr": ("0.1", "0.01", "0.1"),
        "config.width": ("64", "64", "–"),
        "config.ema": ("–", "–", "True"),
    }
    assert differing_configs([{}, {}]) == []


def test_a_scripts_training_has_no_fields() -> None:
    other = set_fields(SIGMOID, {"seed": 3})
    assert fields(None, SIGMOID, other) == {"seed": ("–", "0", "3")}
    assert fields(None, None) == {}
    assert fields(SIGMOID, None) == {}
    assert fields(SIGMOID, SIGMOID) == {}


def test_layers_stand_by_number_or_by_their_share_of_the_depth() -> None:
    assert places(3, relative=False).tolist() == [1, 2, 3]
    assert places(3, relative=True).tolist() == [0, 0.5, 1]
    assert places(1, relative=True).tolist() == [0.5]


@pytest.mark.parametrize("count", range(1, 9))
@pytest.mark.parametrize(("width", "height"), [(58, 10), (78, 18), (130, 20), (20, 40)])
def test_waterfalls_stand_in_as_few_rows_as_they_can(count: int, width: int, height: int) -> None:
    across = abreast(width, height, count)
    rows = -(-count // across)
    assert 1 <= across <= count
    if rows > 1:
        # One row less would have been too narrow, and each has the height for its frame and four lines.
        assert width // -(-count // (rows - 1)) < NARROWEST_WATERFALL
        assert height // rows >= 5
