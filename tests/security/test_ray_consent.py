"""No Ray cluster that listens on the network is started unless it was asked for."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gradtui import cli
from gradtui.study.engines import engine_of, ray_needs_consent
from gradtui.study.engines.ray_engine import keep_strangers_out


class StartedRay(ModuleType):
    """Ray, as far as it is needed to see whether a cluster is started."""

    def __init__(self) -> None:
        super().__init__("ray")
        self.started: list[dict[str, Any]] = []

    def is_initialized(self) -> bool:
        return False

    def init(self, **options: Any) -> None:
        self.started.append(options)
        raise RuntimeError("not in a test")


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> StartedRay:
    library = StartedRay()
    monkeypatch.setitem(sys.modules, "ray", library)
    monkeypatch.setitem(sys.modules, "ray.exceptions", ModuleType("ray.exceptions"))
    return library


def test_ray_without_an_address_is_refused_and_says_what_it_would_open(
    ray: StartedRay, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["study", "degradation", "--engine", "ray"]) == 2
    output, complaint = capsys.readouterr()
    assert output == ""
    assert complaint.count("\n") == 1
    assert "listens on all network interfaces" in complaint
    assert "--ray-listen" in complaint
    assert not ray.started
    assert not home.exists()


@pytest.mark.parametrize(
    ("version", "mode", "asks"),
    [
        ("2.40.0", None, False),
        ("2.52.0", None, True),
        ("2.60.1", "token", True),
        ("3.0.0.dev0", None, True),
        ("2.60.1", "disabled", False),
        ("", None, False),
        ("odd", None, False),
    ],
)
def test_refusal_says_who_could_enter(
    version: str, mode: str | None, asks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version_of(name: str) -> str:
        if not version:
            raise metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(metadata, "version", version_of)
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    if mode:
        monkeypatch.setenv("RAY_AUTH_MODE", mode)
    said = ray_needs_consent()
    assert ("obeys everyone who knows its token" in said) == asks
    assert ("anyone who reaches its ports can run commands as you" in said) != asks


def test_engine_without_an_address_is_refused_in_python_too(ray: StartedRay) -> None:
    with pytest.raises(OSError, match="--ray-listen"):
        engine_of("ray")(1, 1)
    assert not ray.started


def test_ray_is_started_where_it_was_asked_for(ray: StartedRay) -> None:
    with pytest.raises(OSError, match="not in a test"):
        engine_of("ray", listen=True)(1, 1)
    assert ray.started[0]["address"] == "local"


@pytest.mark.parametrize(
    "words",
    [["--ray-listen"], ["--engine", "ray", "--ray-listen", "--address", "auto"]],
    ids=["without ray", "with an address"],
)
def test_consent_that_makes_no_sense_is_bad_input(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["study", "degradation", *words]) == 2
    assert capsys.readouterr().err.startswith("gradtui: --ray-listen")


@pytest.mark.parametrize("mode", [None, "disabled"])
def test_cluster_that_is_started_here_gets_a_token_of_its_own(
    mode: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    environment = {} if mode is None else {"RAY_AUTH_MODE": mode}
    monkeypatch.setattr("gradtui.study.engines.ray_engine.os.environ", environment)
    keep_strangers_out()
    if mode is None:
        assert environment["RAY_AUTH_MODE"] == "token"
        assert len(environment["RAY_AUTH_TOKEN"]) == 64
    else:
        assert environment == {"RAY_AUTH_MODE": "disabled"}, "what the person has set stays"
