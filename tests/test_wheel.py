"""Test that the wheel and the sdist build without a network, and that the installed wheel trains."""

from __future__ import annotations

import json
import os
import site
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.long

BUILD = (
    "import sys; from hatchling import build; "
    "print(build.build_wheel(sys.argv[1])); print(build.build_sdist(sys.argv[1]))"
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel and the sdist, by the build backend that pyproject.toml names."""
    pytest.importorskip("hatchling")
    out = tmp_path_factory.mktemp("built")
    subprocess.run(
        [sys.executable, "-c", BUILD, str(out)], cwd=ROOT, check=True, capture_output=True, timeout=120
    )
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return wheel, sdist


def test_the_wheel_holds_the_package_and_its_data_and_nothing_else(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[0]) as wheel:
        inside = wheel.namelist()
    tracked = subprocess.run(
        ["git", "ls-files", "gradtui"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\n")
    assert {name for name in inside if not name.startswith("gradtui-")} == {
        "gradtui/README.md",
        *filter(None, tracked),
    }
    assert "gradtui/py.typed" in inside
    assert built[0].name.endswith("-none-any.whl")


def test_the_sdist_can_be_built_from(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[1]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "gradtui/py.typed", "gradtui/cli.py"} <= names


def test_the_installed_wheel_trains_outside_the_checkout(built: tuple[Path, Path], tmp_path: Path) -> None:
    """In a new environment that has the dependencies of this one, and nothing of this checkout."""
    pytest.importorskip("pip")
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env" / "bin" / "python"
    command = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
    ]
    subprocess.run([*command, str(built[0])], check=True, capture_output=True, timeout=120)
    (packages,) = (tmp_path / "env" / "lib").glob("python3*/site-packages")
    # Behind those of the new environment; as paths alone, so that no .pth of theirs leads back to the checkout.
    places = [path for path in [*site.getsitepackages(), *sys.path] if path.endswith("-packages")]
    (packages / "dependencies.pth").write_text("\n".join(dict.fromkeys(places)) + "\n")
    home = {"GRADTUI_HOME": str(tmp_path / "home"), "PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    told = subprocess.run(
        [str(python.with_name("gradtui")), "run", "sigmoid-20", "--steps", "5", "--json"],
        cwd=tmp_path, env=home, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    result = json.loads(told.stdout)
    assert (result["status"], result["steps"]) == ("finished", 5)
    shown = subprocess.run(
        [str(python.with_name("gradtui")), "help", "Start"], cwd=tmp_path, env=home, capture_output=True
    )
    assert shown.stdout.startswith(b"## Start")
    where = subprocess.run(
        [str(python), "-c", "import gradtui; print(gradtui.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    ).stdout.strip()
    assert where == str(packages / "gradtui" / "__init__.py")
