"""Test that all presets are experiments, and that each cure differs from its problem in the named fields only."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gradtui.experiment import ExperimentError, dumps, load, loads, net_shape, presets
from gradtui.experiment.overrides import diff
from gradtui.experiment.presets import describe, load_preset, names

FOLDER = Path(presets.__file__).parent


def test_the_default_comes_first_and_every_file_is_listed_once() -> None:
    assert names()[0] == "sigmoid-20"
    assert sorted(names()) == sorted(path.stem for path in FOLDER.glob("*.toml"))


@pytest.mark.parametrize("name", names())
def test_a_preset_is_an_experiment_of_its_own_name(name: str) -> None:
    exp = load_preset(name)
    assert exp.name == name
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert 10 < len(describe(name)) <= 110
    assert loads(dumps(exp)) == exp
    assert net_shape(exp).parameters > 0
    assert not exp.data.path, "a preset runs everywhere"


def test_descriptions_tell_presets_apart() -> None:
    assert len({describe(name) for name in names()}) == len(names())


def test_the_default_is_the_one_that_the_readme_speaks_of() -> None:
    exp = load_preset("sigmoid-20")
    [group] = exp.net
    assert (group.block, group.width, group.repeat, group.activation, group.init) == (
        "dense",
        64,
        20,
        "sigmoid",
        "xavier",
    )
    assert (exp.optimizer.kind, exp.optimizer.lr, exp.data.batch_size, exp.run.steps) == (
        "adam",
        0.001,
        64,
        500,
    )


CHANGES = {
    ("vanish-sigmoid-10", "cure-batchnorm"): {"net.0.norm"},
    ("sigmoid-20", "relu-20"): {"net.0.activation", "net.0.init"},
    ("explode-relu-gain", "cure-explode-lr"): {"optimizer.lr"},
    ("explode-relu-gain", "cure-explode-shallow"): {"net.0.repeat"},
    ("explode-relu-gain", "cure-explode-clip"): {"cures.clip_norm"},
    ("explode-relu-gain", "cure-explode-gain"): {"net.0.gain", "optimizer.lr"},
    ("explode-batch", "cure-explode-batch"): {"data.batch_size"},
    ("explode-tanh-stuck", "explode-tanh-swings"): {"optimizer.lr"},
    ("explode-tanh-slow", "cure-l2"): {"cures.l2"},
    ("explode-tanh-slow", "cure-l1"): {"cures.l1"},
    ("explode-pixels", "cure-pixels-clip"): {"cures.clip_norm"},
    ("dead-bias", "cure-dead-prelu"): {"net.0.activation", "net.0.slope"},
    ("dead-bias", "cure-dead-elu"): {"net.0.activation"},
    ("dead-adam", "cure-dead-leaky"): {"net.0.activation", "net.0.slope"},
    ("plain-5", "plain-57"): {"net.1.repeat"},
    ("plain-57", "residual-57"): {"net.1.shortcut", "net.1.branch_gain"},
    ("plain-1001", "residual-1001"): {"net.1.shortcut", "net.1.branch_gain"},
    ("convnet-20", "resnet-20"): {
        f"net.{i}.{name}" for i in (1, 2, 3) for name in ("shortcut", "branch_gain")
    },
    ("attention-post", "attention-pre"): {"net.0.order"},
    ("pretrain-none", "pretrain-autoencoder"): {
        f"cures.pretrain.{name}" for name in ("kind", "epochs", "lr")
    },
    ("pretrain-none", "pretrain-rbm"): {f"cures.pretrain.{name}" for name in ("kind", "epochs", "lr")},
    ("underflow-fp16", "cure-underflow-scale"): {"run.loss_scale"},
    ("underflow-fp16", "cure-underflow-bf16"): {"run.precision", "run.loss_scale"},
}


@pytest.mark.parametrize(("failing", "cured"), CHANGES)
def test_a_cure_changes_only_what_it_says(failing: str, cured: str) -> None:
    changes = set(diff(load_preset(failing), load_preset(cured))) - {"name", "description"}
    assert changes == CHANGES[failing, cured]


@pytest.mark.parametrize(
    ("name", "depth"),
    [
        ("plain-57", 58),
        ("residual-1001", 1002),
        ("resnet-20", 20),
        ("resnet-110", 110),
        ("resnet-1202", 1202),
    ],
)
def test_depth_is_what_the_name_says(name: str, depth: int) -> None:
    assert net_shape(load_preset(name)).depth == depth


def test_an_unknown_preset_names_its_nearest() -> None:
    with pytest.raises(ExperimentError, match=r'^residul-57: no such preset; did you mean "residual-57"\?$'):
        load_preset("residul-57")


def test_a_preset_can_be_copied_and_edited(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes((FOLDER / "residual-57.toml").read_bytes())
    assert load(path) == load_preset("residual-57")
