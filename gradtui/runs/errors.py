"""What can be wrong with a run, said in one line."""

from __future__ import annotations


class RunError(ValueError):
    """A folder or file that is no readable run. Its text is one line that names the file."""


class RunNotFound(RunError):
    """No run, or more than one, is meant by what the person typed."""
