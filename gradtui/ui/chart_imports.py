"""Import the modules of the charts in a thread while the first frames are painted.

The first frame needs none of them, but the next ones need all: numpy alone takes a tenth of a second.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from types import ModuleType


def import_charts() -> None:
    """Import the modules that read and draw a run, in the order in which they are needed."""
    from gradtui.ui import view_data  # noqa: F401
    from gradtui.ui.widgets import layer_charts, waterfall  # noqa: F401

    with contextlib.suppress(ImportError):  # its wheel may lack the compiled part: the curves say so
        import_plotext()
    from gradtui.ui.widgets import curve_plot  # noqa: F401


def import_plotext() -> None:
    """Import plotext without the pages of its manual, which take two thirds of its import time.

    Raises:
        ImportError: plotext cannot be imported.
    """
    manual = "plotext._doc.doc"
    if "plotext" not in sys.modules and importlib.util.find_spec("plotext") is not None:
        pages = ModuleType(manual)
        pages.docs = None  # type: ignore[attr-defined]
        sys.modules[manual] = pages
    import plotext  # noqa: F401
