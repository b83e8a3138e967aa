"""Define ABSENT, the number for a missing value: a layer that is frozen or unused in a step, the other half of a GAN.

A table of numbers has to tell three states apart: a number; no number; and NaN or infinity, which mean that a
calculation failed. ABSENT is a NaN with a special payload, like R's missing values. Every reader of a table sees NaN
where there is no number, readers that know this module also see why, and tables of earlier versions stay readable.

numpy is imported only where arrays are read, because the first frame of the app has to come without it.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

# The bits of a NaN whose payload is 1 in float32; a cast to float64 and back keeps it.
_BITS = {4: 0x7FC00001, 8: 0x7FC00001 << 29 & 0x000FFFFFFFFFFFFF | 0x7FF0000000000000}
_WITHOUT_SIGN = {4: 0x7FFFFFFF, 8: 0x7FFFFFFFFFFFFFFF}

ABSENT: float = struct.unpack("<d", struct.pack("<Q", _BITS[8]))[0]
"""The number that stands for a missing value. It is a NaN: compare with `is_absent`."""


def is_absent(value: float) -> bool:
    """Return whether a number is ABSENT."""
    bits: int = struct.unpack("<Q", struct.pack("<d", value))[0]
    return bits & _WITHOUT_SIGN[8] == _BITS[8]


def absent_in(values: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Return which numbers of an array of float32 or float64 are ABSENT, in its shape."""
    # Most arrays hold no NaN; comparing them with themselves is faster than looking at their bits.
    missing = values != values
    if missing.any():
        size = values.dtype.itemsize
        bits = values[missing].view(f"u{size}") & _WITHOUT_SIGN[size]
        missing[missing] = bits == _BITS[size]
    return cast("NDArray[np.bool_]", missing)


def log10_of(values: ArrayLike) -> NDArray[np.float64]:
    """Return log10 of norms, without warnings: 0 gives -inf, negatives give NaN; infinity, NaN and ABSENT stay."""
    import numpy as np

    numbers = np.asarray(values, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        logarithms: NDArray[np.float64] = np.log10(numbers)
    if numbers.ndim:
        logarithms[absent_in(numbers)] = ABSENT
    return logarithms
