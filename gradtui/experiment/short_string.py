"""Turn an experiment into a short string that one can paste into a message and open with `gradtui STRING`, and back.

The string is a prefix with a version, and the compressed TOML of the fields that are not at their default, in letters,
digits, - and _. It may come from anybody, so its size is limited before and after it is decompressed, and it is checked
like a file.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib

from gradtui.experiment.errors import ExperimentError
from gradtui.experiment.spec import Experiment
from gradtui.experiment.toml import dumps, loads

PREFIX = "gt1-"
ANY_VERSION = re.compile(r"gt\d+-")
LONGEST_STRING = 20_000
"""The most characters of a string. An experiment has a few hundred."""
LARGEST_TEXT = 1_000_000
"""The most bytes of TOML in a string, which could decompress to a thousand times its length."""
NAME = "the experiment's string"


def is_short_string(text: str) -> bool:
    """Return whether a text has the prefix of a short string, of this version or another."""
    return ANY_VERSION.match(text) is not None


def to_short_string(experiment: Experiment) -> str:
    """Return an experiment as a short string."""
    packed = zlib.compress(dumps(experiment).encode(), 9)
    return PREFIX + base64.urlsafe_b64encode(packed).decode().rstrip("=")


def from_short_string(text: str) -> Experiment:
    """Return the experiment in a string, completely checked. Raises ExperimentError, in one line."""
    if not text.startswith(PREFIX):
        raise ExperimentError(NAME, problem=f"is of another version; this gradtui reads {PREFIX}…")
    if len(text) > LONGEST_STRING:
        raise ExperimentError(NAME, problem=f"has more than {LONGEST_STRING:,} characters")
    packed = text.removeprefix(PREFIX)
    if not re.fullmatch(r"[\w-]+", packed, re.ASCII):
        raise ExperimentError(NAME, problem="holds characters other than letters, digits, - and _")
    try:
        compressed = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
        unpacking = zlib.decompressobj()
        content = unpacking.decompress(compressed, LARGEST_TEXT + 1)
        toml = content.decode()
    except (binascii.Error, zlib.error, UnicodeDecodeError):
        raise ExperimentError(NAME, problem="is damaged; copy the whole string") from None
    if len(content) > LARGEST_TEXT:
        raise ExperimentError(NAME, problem="is larger than 1 MB")
    if not unpacking.eof or unpacking.unused_data:
        raise ExperimentError(NAME, problem="is damaged; copy the whole string")
    return loads(toml, NAME)
