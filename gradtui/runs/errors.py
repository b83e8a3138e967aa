"""Define the errors of reading a run; each has a one-line text."""

from __future__ import annotations


class RunError(ValueError):
    """A folder or file is no readable run. The text is one line that names the file."""


class RunNotFound(RunError):
    """No run, or more than one, matches what the person typed."""
