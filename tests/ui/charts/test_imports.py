"""What the charts pull in, in a process of their own."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["profile", "waterfall", "plot", "text", "bench"])
def test_neither_torch_nor_plotext_before_the_first_curve(module: str) -> None:
    code = (
        f"import sys, gradtui.ui.charts.{module}\n"
        "print([name for name in ('torch', 'plotext', 'gradtui.runs', 'gradtui.nets') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
