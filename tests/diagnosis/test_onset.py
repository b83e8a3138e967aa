"""From when on something was so."""

from __future__ import annotations

import numpy as np
import pytest

from gradtui.diagnosis.onset import onset


@pytest.mark.parametrize(
    ("state", "index"),
    [
        ("1111", 0),
        ("0011", 2),
        ("0001", 3),
        ("0000", 3),
        ("01" + "1" * 20 + "0" + "1" * 10, 1),
        ("0100000" + "1" * 20, 7),
        ("1" * 20 + "0", 0),
        ("", 0),
    ],
)
def test_small_relapses_do_not_make_it_begin_anew(state: str, index: int) -> None:
    assert onset(np.array([sign == "1" for sign in state], dtype=bool)) == index
