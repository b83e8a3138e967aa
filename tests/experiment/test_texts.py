"""Test that the texts of cures and fields are shown, however gradtui is installed and started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import gradtui

PACKAGE = Path(gradtui.__file__).parent

TELL = """
import json, gradtui
from gradtui.experiment import spec
from gradtui.experiment.cures import CURES
from gradtui.experiment.fields import fields_of
parts = (spec.Data, spec.Group, spec.Optimizer, spec.Pretrain, spec.Cures, spec.RunSettings, spec.Experiment)
print(json.dumps({
    "from": gradtui.__file__,
    "cures": {cure.key: [cure.name, cure.why, cure.price] for cure in CURES},
    "fields": {f"{part.__name__}.{field.name}": field.doc for part in parts for field in fields_of(part)},
}))
"""


def told(*options: str, path: Path = PACKAGE.parent) -> dict:
    """Return the texts as another Python process sees them, with gradtui imported from `path`."""
    done = subprocess.run(
        [sys.executable, *options, "-c", TELL],
        # Python looks in the working directory first.
        cwd=path.parent,
        env={**os.environ, "PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict = json.loads(done.stdout)
    assert found.pop("from").startswith(str(path))
    return found


def test_every_cure_and_field_has_its_texts() -> None:
    texts = told()
    assert len(texts["cures"]) >= 25
    assert len(texts["fields"]) >= 50
    assert all(all(lines) for lines in texts["cures"].values())
    assert all(texts["fields"].values())
    assert texts["cures"]["clip-value"][2] == ("wherever it acts, it changes the direction of the gradient.")
    assert texts["fields"]["Optimizer.lr"] == "Learning rate."


def test_optimised_python_shows_the_same_texts() -> None:
    assert told("-OO") == told()


def test_a_zipped_install_shows_the_same_texts(tmp_path: Path) -> None:
    zipped = tmp_path / "gradtui.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        for file in PACKAGE.rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                archive.write(file, file.relative_to(PACKAGE.parent))
    assert told(path=zipped) == told()
