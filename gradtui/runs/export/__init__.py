"""Export a run's numbers for other programs: CSV, Parquet, TensorBoard's event files."""

from __future__ import annotations

from typing import Literal, get_args

Kind = Literal["csv", "parquet", "tensorboard"]
KINDS: tuple[Kind, ...] = get_args(Kind)
