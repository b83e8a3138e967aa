"""Test that experiments load msgspec and no heavy module in a fresh process."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
import gradtui.experiment
from gradtui.experiment.cures import CURES
exp = gradtui.experiment.resolve("sigmoid-20")
gradtui.experiment.net_shape(exp)
gradtui.experiment.dumps(exp)
CURES[0].set_of(exp)
print(*sys.modules)
"""


def test_nothing_heavy_is_imported() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "gradtui.experiment.spec" in loaded
    assert not loaded & {"torch", "numpy", "textual", "plotext", "rich", "asyncio"}


def test_the_parsers_of_toml_wait_until_they_are_needed() -> None:
    code = "import sys, gradtui.experiment; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"tomllib", "tomli_w", "difflib"}
