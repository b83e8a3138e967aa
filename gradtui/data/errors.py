"""What is wrong with a data file, in one line."""

from __future__ import annotations

from pathlib import Path

from gradtui.experiment.errors import ExperimentError


class DataError(ExperimentError):
    """A file that is missing, cut short or of another format: ``str()`` is one line that names it.

    An ExperimentError of the field ``data.path``, so that who reports the one reports the other: headers are
    looked at without torch (experiment/data_shapes.py), contents here.
    """

    def __init__(self, path: Path, problem: str, expected: str = "") -> None:
        super().__init__("data.path", str(path), expected, problem=f"{path} {problem}")
        self.path = path


def reason(error: OSError) -> str:
    """Why the operating system refused, without the number and the path that Python adds."""
    return error.strerror or str(error)
