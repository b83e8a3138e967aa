"""Test the pins of all dependencies and the commands of the README."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from gradtui.cli import COMMANDS
from gradtui.experiment.presets import names
from gradtui.study import presets as studies

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")

BROUGHT_BY_TORCH = ("nvidia-", "cuda-", "triton")
"""On Linux with CUDA; torch itself asks for exactly one version of each."""


def pins() -> dict[str, Requirement]:
    """Return the constraints, by name."""
    lines = (ROOT / ".ci/constraints.txt").read_text().splitlines()
    wanted = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(pin.name): pin for pin in wanted}


def needed(name: str, extras: frozenset[str], seen: dict[str, frozenset[str]]) -> None:
    """Fill `seen` with what `name` needs on this machine, and what that needs, with the extras asked for."""
    if name in seen and extras <= seen[name]:
        return
    seen[name] = extras | seen.get(name, frozenset())
    for text in metadata.requires(name) or []:
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras | {""}):
            needed(canonicalize_name(requirement.name), frozenset(requirement.extras), seen)


def test_everything_that_is_installed_for_us_is_pinned() -> None:
    seen: dict[str, frozenset[str]] = {}
    needed("gradtui", frozenset({"dev"}), seen)
    free = {name for name in seen if not name.startswith(BROUGHT_BY_TORCH)} - {"gradtui"} - pins().keys()
    assert not free
    assert {"torch", "textual", "pytest", "mdurl"} <= seen.keys()


def test_pins_are_exact_and_allow_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for pin in pins().values():
        assert re.fullmatch(r"==[\w.]+", str(pin.specifier)), pin
    for text in project["dependencies"] + project["optional-dependencies"]["dev"]:
        requirement = Requirement(text)
        (version,) = [spec.version for spec in pins()[canonicalize_name(requirement.name)].specifier]
        assert requirement.specifier.contains(version), text


def test_the_readme_lists_every_command() -> None:
    listed = set(re.findall(r"^\| `gradtui (\w+)", README, re.MULTILINE))
    assert listed == set(COMMANDS)


def test_the_readme_has_one_command_for_the_app_and_one_for_the_tests() -> None:
    both = re.findall(r"^python3 -m venv \.venv && .*$", README, re.MULTILINE)
    assert len(both) == 2
    assert all("-c .ci/constraints.txt" in command for command in both)
    assert both[0].endswith("&& .venv/bin/gradtui")
    assert both[1].endswith("&& .venv/bin/pytest -n auto --dist worksteal")


def test_the_readme_says_what_each_optional_group_brings() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(re.findall(r"^\| `(\w+)` \| ", README, re.MULTILINE)) >= set(groups)


IN_A_ZIP = """
import sys
sys.path.insert(0, sys.argv[1])
import gradtui
assert gradtui.__file__.startswith(sys.argv[1]), gradtui.__file__
from gradtui.commands.help_ import documentation
from gradtui.experiment.presets import load_preset, names
from gradtui.lessons.lesson import check_experiments
from gradtui.lessons.library import lessons, words_of
from gradtui.study import presets as studies
for language in ("en", "zh"):
    for entry in lessons(language):
        check_experiments(entry.lesson, language)
assert words_of("zh")("Right.") != "Right."
shipped = [load_preset(name) for name in names()]
many = [studies.load_preset(name) for name in studies.names()]
from gradtui.data.files import digits
print(len(lessons("zh")), len(shipped), len(many), "Start" in documentation(), len(digits(0).train_x))
"""


@pytest.mark.long
def test_all_that_ships_is_read_from_a_zip_and_without_docstrings(tmp_path: Path) -> None:
    """Presets, studies, lessons, digits and documentation, as a zipped installation under python -OO has them."""
    archive = tmp_path / "gradtui.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in (ROOT / "gradtui").rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                file.write(path, path.relative_to(ROOT))
        file.write(ROOT / "README.md", "gradtui/README.md")
    result = subprocess.run(
        [sys.executable, "-OO", "-c", IN_A_ZIP, str(archive)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert result.stdout.split() == ["15", str(len(names())), str(len(studies.names())), "True", "1437"], (
        result.stderr
    )
