"""Test which modules an import of the charts loads, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

import gradtui.charts
from tests.support.imports import loaded_by, modules_of


def test_drawing_loads_neither_textual_nor_torch_nor_plotext() -> None:
    assert not loaded_by(*modules_of(gradtui.charts)) & {"textual", "torch", "plotext"}


@pytest.mark.parametrize(
    "module", ["charts.text", "ui.widgets.layer_charts", "ui.widgets.waterfall", "ui.widgets.curve_plot"]
)
def test_importing_a_chart_loads_no_run_no_net_and_no_plotext(module: str) -> None:
    code = (
        f"import sys, gradtui.{module}\n"
        "print([name for name in ('torch', 'plotext', 'gradtui.runs', 'gradtui.nets') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
