"""Test the steps of a block against the modules that torch calls and their parameters."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gradtui.experiment import Experiment, from_dict, resolve
from gradtui.experiment.data_shapes import TOKEN_SOURCES
from gradtui.experiment.net_plan import net_plan, net_shape
from gradtui.ui.drawing.block import BlockSteps, Chain, Join, Split, Wire, WireMark, block_steps
from tests.support.experiments import experiments

KINDS = {"qkv": "weights", "out": "weights", "mlp": "weights", "after": "activation"}


def drawn(block: BlockSteps) -> list[str]:
    """Weights, norms and nonlinearities in the order of the drawing, and where the sums are."""
    found = []
    for step in block.steps:
        if isinstance(step, Join) and step.sign == "⊕":
            found.append("sum")
        for row in (row for layer in step.layers for row in layer) if isinstance(step, Chain) else ():
            if row.weights and row.name != "input":
                found.append("weights")
            elif row.name.endswith(" norm"):
                found.append("norm")
            elif row.curve and not row.looped:
                found.append("activation")
    return found


def called(exp: Experiment, index: int) -> list[str]:
    """Return the same, of the modules of the group's first block as torch calls them."""
    import torch

    from gradtui.experiment import data_shape
    from gradtui.nets import build

    shape = data_shape(exp.data)
    net = build(exp, shape, generator_seed=0)
    group, number = exp.net[index], 1 + sum(other.repeat for other in exp.net[:index])
    found: list[str] = []
    for name, module in net.get_submodule(f"{group.block}{number}").named_children():
        kind = KINDS.get(name.rstrip("0123456789"), name.rstrip("0123456789"))
        if kind in ("weights", "activation") or (kind == "norm" and group.norm != "none"):
            module.register_forward_hook(lambda *_, kind=kind: found.append(kind))
    if exp.data.source in TOKEN_SOURCES:
        net(torch.zeros(2, *shape.input, dtype=torch.int64))
    else:
        net(torch.randn(2, *shape.input))
    return found


@given(experiments(), st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_order_is_torchs_and_parameters_add_up(exp: Experiment, data: st.DataObject) -> None:
    pytest.importorskip("torch")
    plan = net_plan(exp)
    index = data.draw(st.integers(0, len(exp.net) - 1))
    block = block_steps(plan, index)
    assert [kind for kind in drawn(block) if kind != "sum"] == called(exp, index)
    assert block.parameters == plan.groups[index].first.parameters
    if block.repeat > 1:
        total = sum(layer.parameters for layer in net_shape(exp).layers if layer.group == index)
        assert block.repeat * block.parameters == total
    splits = [step for step in block.steps if isinstance(step, Split)]
    joins = [step for step in block.steps if isinstance(step, Join)]
    assert sorted(step.lane for step in splits) == sorted(step.lane for step in joins)
    assert bool(splits) == (exp.net[index].shortcut != "none")
    assert isinstance(block.steps[0], Wire)
    assert isinstance(block.steps[-1], Wire)


def block_of(**fields: Any) -> BlockSteps:
    group = {"width": 64, "layers": 2, "norm": "batch", "activation": "relu", **fields}
    return block_steps(net_plan(from_dict({"net": [group]})), 0)


@pytest.mark.parametrize(
    ("order", "shortcut", "expected"),
    [
        ("post", "none", "weights norm activation weights norm activation"),
        ("post", "identity", "weights norm activation weights norm sum activation"),
        ("post", "rezero", "weights norm activation weights norm activation sum"),
        ("post", "highway", "weights norm activation weights norm activation sum"),
        ("pre", "none", "norm activation weights norm activation weights"),
        ("pre", "identity", "norm activation weights norm activation weights sum"),
    ],
)
def test_the_sum_stands_where_the_papers_have_it(order: str, shortcut: str, expected: str) -> None:
    """He et al. 2016 twice, Bachlechner et al. 2020, Srivastava et al. 2015."""
    assert " ".join(drawn(block_of(order=order, shortcut=shortcut))) == expected


def test_a_transformer_block_has_two_sums() -> None:
    post, pre = (block_steps(net_plan(resolve(f"attention-{order}")), 0) for order in ("post", "pre"))
    assert " ".join(drawn(post)) == "weights weights sum norm weights activation weights sum norm"
    assert " ".join(drawn(pre)) == "norm weights weights sum norm weights activation weights sum"
    assert any(isinstance(step, WireMark) and step.sign == "+" for step in pre.steps)


def test_many_layers_are_folded_and_all_parameters_counted() -> None:
    block = block_of(layers=16, shortcut="rezero", activation="prelu")
    assert block.parameters == 16 * (64 * 64 + 64 + 128 + 1) + 1
    rows = [row for step in block.steps if isinstance(step, Chain) for layer in step.layers for row in layer]
    assert len(rows) == 3 * 3 + 1
    assert any(row.text == "13 more like this" for row in rows)


def test_branch_gain_is_drawn_as_a_factor() -> None:
    def rows(**fields: Any) -> list[str]:
        block = block_of(shortcut="identity", repeat=4, **fields)
        chains = [step for step in block.steps if isinstance(step, Chain)]
        return [f"{row.name} {row.note}" for chain in chains for layer in chain.layers for row in layer]

    assert "× 0.5 1/sqrt(4 blocks)" in rows(branch_gain="depth")
    assert "× 0.1 " in rows(branch_gain=0.1)
    assert not [row for row in rows() if row.startswith("×")]
    assert rows(branch_gain=0.0).count("dense starts at 0") == 1
    fixup = {"init": "fixup", "norm": "none"}
    assert [row for row in rows(**fixup) if row.startswith("dense")] == ["dense fixup", "dense starts at 0"]


def test_other_blocks_that_differ_are_described() -> None:
    block = block_steps(net_plan(resolve("resnet-20")), 2)
    assert block.repeat == 1
    assert block.others.replace("\xa0", " ") == ("the other 2 blocks read 32 × 4 × 4: 18,624 parameters each")
    assert block_steps(net_plan(resolve("resnet-20")), 1).repeat == 3
