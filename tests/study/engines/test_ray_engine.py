"""Test the resources that runs need of a cluster, and clusters that cannot be reached."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from gradtui import cli
from gradtui.experiment import Experiment, from_dict
from gradtui.study.engines.ray_engine import MEMORY_GRAIN, resources_for
from gradtui.study.engines.remote_run import Resources

STUDY = """
name = "none"
seeds = [0, 1]
[base]
net = [{ width = 16 }]
run = { steps = 1, device = "cpu" }
"""


def experiment(**run: object) -> Experiment:
    return from_dict({"net": [{"width": 16}], "run": {"steps": 1, **run}})


def cluster(*machines: dict[str, float]) -> SimpleNamespace:
    """Return what resources_for() reads of Ray."""
    dead = {"Alive": False, "Resources": {"CPU": 999.0, "GPU": 99.0, "memory": 1e15}}
    return SimpleNamespace(
        nodes=lambda: [{"Alive": True, "Resources": machine} for machine in machines] + [dead]
    )


def test_resources_are_a_core_per_thread_a_named_gpu_and_rounded_memory() -> None:
    large = cluster({"CPU": 64.0, "GPU": 8.0, "memory": 1e12})
    assert resources_for(experiment(threads=1), large) == Resources(1, 0, 2 * MEMORY_GRAIN)
    assert resources_for(experiment(threads=4, device="cuda"), large) == Resources(4, 1, 2 * MEMORY_GRAIN)
    assert resources_for(experiment(threads=1, device="auto"), large).gpus == 0


def test_resources_are_limited_to_the_largest_machine() -> None:
    small = cluster({"CPU": 2.0, "memory": 4e8}, {"CPU": 1.0, "memory": 3e8})
    assert resources_for(experiment(threads=8, device="cuda"), small) == Resources(2, 0, 400_000_000)


@pytest.mark.parametrize("found", [None, ModuleType("ray")], ids=["nothing", "a folder of that name"])
def test_missing_ray_is_one_line_on_how_to_install_it(
    found: ModuleType | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "ray", found)
    monkeypatch.setitem(sys.modules, "ray.exceptions", None)
    study = tmp_path / "none.toml"
    study.write_text(STUDY)
    assert cli.main(["study", str(study), "--engine", "ray", "--ray-listen"]) == 2
    output, complaint = capsys.readouterr()
    assert (output, complaint) == ("", "gradtui: --engine ray needs Ray: pip install 'gradtui[ray]'\n")
    assert not list((tmp_path / "home").glob("runs/*"))


def test_address_without_the_ray_engine_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["study", "degradation", "--address", "auto"]) == 2
    assert capsys.readouterr().err.startswith("gradtui: --address: ")


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "nonsense", "auto"])
def test_unreachable_cluster_is_one_line(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("ray")
    study = tmp_path / "none.toml"
    study.write_text(STUDY)
    assert cli.main(["study", str(study), "--engine", "ray", "--address", address]) == 2
    output, complaint = capsys.readouterr()
    assert output == ""
    assert complaint.startswith(f"gradtui: --address {address}: ")
    assert complaint.count("\n") == 1
