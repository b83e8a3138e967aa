"""Import the modules of the charts in a thread while the first frames are painted.

None of them is needed for the first frame, and all a moment later: numpy alone takes a tenth of a second.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from types import ModuleType


def import_charts() -> None:
    """Import what reads and draws a run, in the order in which it is drawn."""
    from gradtui.ui import view_data  # noqa: F401
    from gradtui.ui.widgets import layer_charts, waterfall  # noqa: F401

    with contextlib.suppress(ImportError):  # its wheel may lack the compiled part: the curves say so
        import_plotext()
    from gradtui.ui.widgets import curve_plot  # noqa: F401


def import_plotext() -> None:
    """Import plotext without the pages of its manual, which are two thirds of what its import takes.

    Raises:
        ImportError: plotext cannot be imported.
    """
    manual = "plotext._doc.doc"
    if "plotext" not in sys.modules and importlib.util.find_spec("plotext") is not None:
        pages = ModuleType(manual)
        pages.docs = None  # type: ignore[attr-defined]
        sys.modules[manual] = pages
    import plotext  # noqa: F401
