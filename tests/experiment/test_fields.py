"""Test the descriptions of fields for the screens against the annotations."""

from __future__ import annotations

import msgspec
import pytest

from gradtui.experiment import spec
from gradtui.experiment.fields import FieldInfo, fields_of, parts_of

PARTS = (spec.Data, spec.Group, spec.Optimizer, spec.Pretrain, spec.Cures, spec.RunSettings, spec.Experiment)


def field(part: type[msgspec.Struct], name: str) -> FieldInfo:
    return next(info for info in fields_of(part) if info.name == name)


@pytest.mark.parametrize("part", PARTS)
def test_every_field_is_a_field_or_a_part_and_is_explained(part: type[msgspec.Struct]) -> None:
    names = [info.name for info in fields_of(part)]
    assert sorted([*names, *parts_of(part)]) == sorted(part.__struct_fields__)
    for info in fields_of(part):
        assert info.doc
        assert "\n" not in info.doc
        assert info.default == getattr(part(), info.name)


def test_the_text_beneath_a_field_is_its_own() -> None:
    assert field(spec.Optimizer, "lr").doc == "Learning rate."
    assert field(spec.Data, "source").doc.endswith(
        "text, idx (MNIST's format), cifar10 and npz are read from `path`."
    )
    assert field(spec.Cures, "l2").doc.startswith("Penalty on weights (not biases)")


def test_fields_have_kind_bounds_and_default() -> None:
    width = field(spec.Group, "width")
    assert (width.kind, width.low, width.high, width.default) == ("int", 1, 65_536, 64)
    momentum = field(spec.Optimizer, "momentum")
    assert (momentum.kind, momentum.low, momentum.high, momentum.high_open) == ("float", 0.0, 1.0, True)
    gain = field(spec.Group, "branch_gain")
    assert (gain.kind, gain.choices, gain.low) == ("float-or-word", ("depth",), 0.0)
    assert field(spec.Group, "norm").choices == ("none", "batch", "layer", "group", "rms")
    assert field(spec.Experiment, "seed").high == 2**32 - 1
    assert field(spec.Group, "bias_mean").allowed == "a number"
    assert field(spec.Data, "path").kind == "text"


@pytest.mark.parametrize("part", PARTS)
def test_the_bounds_are_those_that_the_parser_holds(part: type[msgspec.Struct]) -> None:
    """The oracle is msgspec: it takes the bound itself (unless open) and refuses what lies beyond."""

    def takes(name: str, value: object) -> bool:
        try:
            msgspec.convert({name: value}, part)
        except msgspec.ValidationError:
            return False
        return True

    for info in fields_of(part):
        if info.kind not in ("int", "float", "float-or-word"):
            continue
        step = 1 if info.kind == "int" else 1e-9
        for bound, is_open, outwards in ((info.low, info.low_open, -step), (info.high, info.high_open, step)):
            if bound is not None:
                assert takes(info.name, bound) is not is_open
                assert not takes(info.name, bound + outwards)
                assert takes(info.name, bound - outwards)
