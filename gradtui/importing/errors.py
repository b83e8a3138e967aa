"""What can be wrong with an import."""

from __future__ import annotations


class ImportFailed(ValueError):
    """Something that cannot be made a run; the text is one line that names the file."""
