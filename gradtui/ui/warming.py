"""What the charts need, imported in a thread while the screens are being put up.

None of it is needed for the first frame, and all of it a moment later: numpy alone takes a tenth of a second.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from types import ModuleType


def import_lab() -> None:
    """All that shows a run, in the order in which it is needed."""
    from gradtui.ui.screens.lab import lab_screen  # noqa: F401

    import_charts()


def import_charts() -> None:
    """What reads and draws a run; first what is drawn first."""
    from gradtui.ui import sight  # noqa: F401
    from gradtui.ui.widgets import layer_charts, waterfall  # noqa: F401

    with contextlib.suppress(ImportError):  # its wheel may lack the compiled part: the curves say so
        import_plotext()
    from gradtui.ui.widgets import curve_plot  # noqa: F401


def import_plotext() -> None:
    """Plotext, without the pages of its interactive manual, which are two thirds of what its import takes.

    Raises ImportError where plotext does.
    """
    manual = "plotext._doc.doc"
    if "plotext" not in sys.modules and importlib.util.find_spec("plotext") is not None:
        pages = ModuleType(manual)
        pages.docs = None  # type: ignore[attr-defined]
        sys.modules[manual] = pages
    import plotext  # noqa: F401
