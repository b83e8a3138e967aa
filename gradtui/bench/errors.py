"""Why a figure could not be taken."""

from __future__ import annotations


class CannotMeasure(Exception):
    """Something that was to be measured did not happen; ``str()`` is one line."""
