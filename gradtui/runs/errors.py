"""Define the errors of reading a run; each has a one-line text."""

from __future__ import annotations


class RunError(ValueError):
    """A RunError says, in one line that names the file, why a run cannot be read."""


class RunNotFound(RunError):
    """A RunNotFound error says that no run, or more than one, matches what a person typed."""
