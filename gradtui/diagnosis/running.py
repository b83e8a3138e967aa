"""The running median of a long series, at a cost that grows with its length alone."""

from __future__ import annotations

import numpy as np

from gradtui.diagnosis.evidence import Floats

LOOKS = 16
"""Medians that are taken within one span's length; those between two of them are the earlier one. A span of so many
values or fewer has every one taken: the windows of long spans at every value would cost the square of the length."""


def running_median(values: Floats, span: int) -> Floats:
    """The median of every `span` values in a row, (n - span + 1,) of (n,); of long spans as LOOKS says."""
    windows = np.lib.stride_tricks.sliding_window_view(values, span)
    stride = max(1, span // LOOKS)
    medians = np.median(windows[::stride], axis=1)
    return np.asarray(np.repeat(medians, stride)[: len(windows)], np.float64)
