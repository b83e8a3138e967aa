"""Test how a study file becomes experiments."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradtui.experiment import ExperimentError, from_dict, net_shape, resolve, set_fields
from gradtui.experiment.cures import cure
from gradtui.experiment.net_plan import hidden_depth
from gradtui.study.plan import key_of, plan
from gradtui.study.spec import dumps, load, loads

CROSSED = """
name = "depth"
base = "plain-21"
seeds = [0, 1]
set = { run.steps = 7 }

[grid]
net.1.repeat = [2, 10]
"optimizer.lr" = [0.1, 0.2, 0.3]

[[change]]
name = "plain"

[[change]]
name = "residual"
set = { net.1.shortcut = "identity", net.1.branch_gain = "depth" }
"""


def test_every_change_is_crossed_with_every_grid_point_and_seed() -> None:
    members = plan(loads(CROSSED))
    assert len(members) == len({member.key for member in members}) == 2 * 2 * 3 * 2
    expected = set_fields(
        resolve("plain-21"),
        {
            "run.steps": 7,
            "net.1.repeat": 10,
            "optimizer.lr": 0.3,
            "seed": 1,
            "net.1.shortcut": "identity",
            "net.1.branch_gain": "depth",
        },
    )
    (found,) = [m for m in members if key_of(m.experiment) == key_of(expected)]
    assert found.changes == {"change": "residual", "net.1.repeat": 10, "optimizer.lr": 0.3, "seed": 1}
    assert found.depth == hidden_depth(expected) == 21
    assert found.on("depth") == 21
    assert found.on("net.0.width") == 64
    assert found.label("net.1.repeat") == "residual · lr 0.3"
    assert found.name == "residual · 21 layers, lr 0.3 · seed 1", "with the word of the axis"
    assert {member.seed for member in members[:12]} == {0}, "seed by seed"


def test_cure_is_applied_after_the_grid_point() -> None:
    text = 'base = "sigmoid-20"\n[grid]\nnet.0.repeat = [4, 8]\n[[change]]\ncure = "shortcuts"\n'
    for member, repeat in zip(plan(loads(text)), (4, 8), strict=True):
        failing = set_fields(resolve("sigmoid-20"), {"net.0.repeat": repeat})
        assert key_of(member.experiment) == key_of(cure("shortcuts").apply(failing))
        assert (member.cure, member.change) == ("shortcuts", "residual shortcuts")


def test_key_depends_on_the_training_not_on_names() -> None:
    base = resolve("sigmoid-20")
    same = set_fields(base, {"name": "other", "description": "other", "run.checkpoint_every": 5})
    assert key_of(base) == key_of(same)
    assert key_of(base) != key_of(set_fields(base, {"seed": 1}))


def test_study_written_as_toml_reads_back_equal() -> None:
    spec = loads(CROSSED)
    assert plan(loads(dumps(spec))) == plan(spec)


def test_base_file_is_found_beside_the_study_file(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text('name = "base"\nrun = { steps = 3 }\n')
    (tmp_path / "study.toml").write_text('base = "base.toml"\n')
    assert plan(load(tmp_path / "study.toml"))[0].experiment.run.steps == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nmae = 1", 'nmae: no such field; did you mean "name"?'),
        ("compare = { y = ['accuracy'] }", "compare.y"),
        ("compare = { knid = 'map' }", 'compare.knid: no such field; did you mean "kind"?'),
        ("seeds = []", "seeds: a list is not allowed; expected a list of whole numbers"),
        ("seeds = [-1]", "seeds.0: -1 is not allowed"),
        ("seeds = [1, 1]", "is the same experiment as"),
        ("change = [{ cure = 'prayer' }]", "change.0.cure: no such cure"),
        ("change = [{ sett = {} }]", 'change.0.sett: no such field; did you mean "set"?'),
        (
            "base = 'plain-21'\nchange = [{ cure = 'scale-loss' }]",
            "change.0.cure: changes nothing in this net",
        ),
        ("change = [{ name = 'a', set = { net.0.width = 2 } }, { name = 'a' }]", "change.1.name"),
        (
            "grid = { net.0.width = 3 }",
            "grid.net.0.width: 3 is not allowed; expected a list of words or numbers",
        ),
        ("grid = { net.0.width = [] }", "grid.net.0.width"),
        ("grid = { net.0.width = [3, -3] }", "net.0.width: -3 is not allowed"),
        ("grid = { net.0.widht = [3] }", "net.0.widht: no such field"),
        ("grid = { seed = [1] }", "grid.seed"),
        ("compare = { x = 'dpeth' }", 'compare.x: no such axis; did you mean "depth"?'),
        ("grid = { net.0.init = ['he', 'xavier'] }\ncompare = { x = 'net.0.init' }", "compare.x"),
        ("base = 'plain-22'", "plain-22: no such preset or file; did you mean"),
        ("base = { seed = -1 }", "seed: -1 is not allowed"),
        (
            f"seeds = {list(range(200))}\ngrid = {{ net.0.width = {list(range(1, 101))} }}",
            "20,000 experiments",
        ),
        ("name = [", "study: not valid TOML"),
    ],
)
def test_invalid_study_raises_one_line_that_names_the_field(text: str, said: str) -> None:
    with pytest.raises(ExperimentError) as caught:
        plan(loads(text))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_depth_counts_every_layer_of_a_transformer_block() -> None:
    exp = from_dict({"data": {"sequence": "rows"}, "net": [{"block": "attention", "width": 8, "repeat": 3}]})
    assert hidden_depth(exp) == 12
    assert hidden_depth(exp) == net_shape(exp).depth - 1, "the output layer is not counted"
