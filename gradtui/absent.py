"""ABSENT is the number that says "there is none": a frozen layer, one not used in a step, the other half of a GAN.

A table of numbers has to tell three states apart: a number; none; NaN or infinite, which means that a calculation
broke. "None" is a NaN with a payload of its own, as R has it for missing values. Every reader of a table sees NaN
where there is no number, those that know this module also see why, and tables of earlier versions stay readable.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# A payload of one in float32; a cast to float64 and back keeps it.
_BITS = {4: 0x7FC00001, 8: 0x7FC00001 << 29 & 0x000FFFFFFFFFFFFF | 0x7FF0000000000000}
_WITHOUT_SIGN = {4: 0x7FFFFFFF, 8: 0x7FFFFFFFFFFFFFFF}

ABSENT: float = struct.unpack("<d", struct.pack("<Q", _BITS[8]))[0]
"""The number that stands for none. It is a NaN: compare with `is_absent`."""


def is_absent(value: float) -> bool:
    """Return whether a number stands for none."""
    bits: int = struct.unpack("<Q", struct.pack("<d", value))[0]
    return bits & _WITHOUT_SIGN[8] == _BITS[8]


def absent_in(values: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Return which numbers of an array, of float32 or float64, stand for none, in its shape."""
    # Only what is NaN at all has bits worth looking at, and most arrays hold no NaN.
    missing = values != values
    if missing.any():
        size = values.dtype.itemsize
        bits = values[missing].view(f"u{size}") & _WITHOUT_SIGN[size]
        missing[missing] = bits == _BITS[size]
    return cast("NDArray[np.bool_]", missing)


def is_known(value: float | None) -> bool:
    """Return whether there is a number at all; NaN and infinity that broke are such numbers."""
    return value is not None and not is_absent(value)
