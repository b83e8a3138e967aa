"""Test that the configuration of a script is kept, shown, and found by filters."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections import UserDict, UserList
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

import gradtui
from gradtui.cli import main
from gradtui.monitor.arguments import config_fields
from gradtui.monitor.guard import WatchWarning
from gradtui.runs.filter import parse_filter
from gradtui.runs.label import write_note
from gradtui.runs.library import list_runs


@dataclasses.dataclass
class Model:
    width: int = 64
    kind: str = "vit"


@dataclasses.dataclass
class Config:
    lr: float = 0.1
    model: Model = dataclasses.field(default_factory=Model)


WANTED = {"lr": 0.1, "model.width": 64, "model.kind": "vit"}


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ({"lr": 0.1, "model": {"width": 64, "kind": "vit"}}, WANTED),
        (Config(), WANTED),
        (argparse.Namespace(lr=0.1, model=argparse.Namespace(width=64, kind="vit")), WANTED),
        (SimpleNamespace(lr=0.1, model=Model(), _hidden=1), WANTED),
        ({"a": (1, 2), "b": None, "c": True, "d": Path("x"), 5: "y"},
         {"a": [1, 2], "b": None, "c": True, "d": "x", "5": "y"}),
        ({"nan": float("nan"), "scalar": torch.tensor(3), "many": torch.zeros(2, 3), "big": 10**30},
         {"nan": "nan", "scalar": 3, "many": "Tensor of shape (2, 3)", "big": str(10**30)}),
    ],
    ids=["dict", "dataclass", "namespace", "object", "kinds", "odd"],
)  # fmt: skip
def test_fields_are_read_by_their_paths(config: object, wanted: dict[str, Any]) -> None:
    assert config_fields(config) == wanted


class Missing(UserDict[str, Any]):
    """A mapping with a value that cannot be read, as OmegaConf's missing ones."""

    def __getitem__(self, name: str) -> Any:
        if name == "missing":
            raise KeyError(name)
        return super().__getitem__(name)


class OwnMapping:
    """A mapping that is none to Python, as that of ml_collections."""

    def keys(self) -> list[str]:
        return ["lr"]

    def __getitem__(self, name: str) -> Any:
        return 0.1


class Slots:
    """An object without a dict, as attrs and msgspec make them."""

    __slots__ = ("_hidden", "lr")

    def __init__(self) -> None:
        self.lr = 0.1


def test_the_configurations_of_libraries_are_read() -> None:
    found = config_fields(Missing(lr=0.1, missing=0, inner=Missing(sizes=UserList([1, 2]), missing=1)))
    assert found == {"lr": 0.1, "missing": None, "inner.sizes": [1, 2], "inner.missing": None}
    assert config_fields(OwnMapping()) == config_fields(Slots()) == {"lr": 0.1}
    assert config_fields({"a": OwnMapping(), "b": Slots()}) == {"a.lr": 0.1, "b.lr": 0.1}
    for other in (torch.zeros(3), [1, 2], "text", 3, print):
        with pytest.raises(TypeError, match="has no fields"):
            config_fields(other)


def test_a_note_is_shown_found_and_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with gradtui.watch(model, optimizer, runs=tmp_path, name="a", note="second seed,\nno clipping") as probe:
        model(torch.randn(3, 4)).sum().backward()
        optimizer.step()
    assert probe.run is not None
    assert main(["diagnose", str(probe.run), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["note"] == "second seed,\nno clipping"
    assert main(["diagnose", str(probe.run)]) == 0
    assert "note      second seed,\n          no clipping\n" in capsys.readouterr().out
    (info,) = list_runs(tmp_path)
    assert all(parse_filter(text).matches(info) for text in ('"second seed"', "note:*CLIP*", "-note:none"))
    write_note(probe.run, "the good one")
    (info,) = list_runs(tmp_path)
    assert info.note == gradtui.open_run(probe.run).note == "the good one"
    assert not parse_filter("clipping").matches(info)


def test_a_note_that_is_too_long_is_cut_with_a_warning(tmp_path: Path) -> None:
    with pytest.warns(WatchWarning, match="2,001 characters"):
        probe = gradtui.watch(nn.Linear(2, 2), runs=tmp_path, note="x" * 2001)
    probe.close()
    assert probe.run is not None
    assert gradtui.open_run(probe.run).note == "x" * 2000


def test_a_configuration_within_itself_ends() -> None:
    inner: dict[str, Any] = {"lr": 1}
    inner["self"] = inner
    assert len(config_fields(inner)) < 20


def test_a_configuration_is_shown_and_filtered_by(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for lr, kind in ((0.1, "vit"), (0.01, "resnet")):
        model = nn.Linear(4, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr)
        with gradtui.watch(
            model, optimizer, runs=tmp_path, name=kind, config={"lr": lr, "model": {"Kind": kind}}
        ):
            model(torch.randn(3, 4)).sum().backward()
            optimizer.step()
    runs = {info.name: info for info in list_runs(tmp_path)}

    def fitting(text: str) -> list[str]:
        return sorted(name for name, info in runs.items() if parse_filter(text).matches(info))

    assert fitting("config.lr>=0.1") == ["vit"]
    assert fitting("config.lr=0.01") == ["resnet"]
    assert fitting("config.model.kind:res*") == ["resnet"]
    assert fitting("config.model.kind!=resnet") == ["vit"]
    assert fitting("config.missing=1") == []
    folder = str(runs["vit"].run)
    assert main(["diagnose", folder, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["config"] == {"lr": 0.1, "model.Kind": "vit"}
    assert main(["diagnose", folder]) == 0
    assert "config    lr=0.1, model.Kind=vit" in capsys.readouterr().out


@pytest.mark.parametrize("config", [3, "text", nn.Linear, lambda: 1])
def test_what_has_no_fields_is_one_warning_and_the_run_is_recorded(tmp_path: Path, config: object) -> None:
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with pytest.warns(WatchWarning, match="config") as warned:
        probe = gradtui.watch(model, optimizer, runs=tmp_path, config=config)
    assert len(warned) == 1
    assert probe.run is not None
