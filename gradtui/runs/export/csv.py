"""Comma-separated values: what any program reads."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import IO, Any

import numpy as np

from gradtui.runs.export.sheets import Piece, Sheet


def write_csv(sheet: Sheet, file: IO[bytes]) -> int:
    """Write a sheet under one line of names; returns how many rows. Raises OSError.

    Numbers are the shortest that read back as the same float32; NaN and infinity are `nan`, `inf` and `-inf`; a
    cell is empty where nothing was recorded at that step.
    """
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    try:
        writer = csv.writer(text)
        writer.writerow(["step", "time", *sheet.columns])
        rows = 0
        for piece in sheet.pieces():
            writer.writerows(_rows(piece))
            rows += len(piece.steps)
    finally:
        # The file is its owner's to close.
        text.detach()
    return rows


def _rows(piece: Piece) -> Iterator[list[Any]]:
    cells = np.where(piece.present, piece.values.astype(str), "").tolist()
    for step, time, values in zip(piece.steps.tolist(), piece.times.tolist(), cells, strict=True):
        yield [step, time, *values]
