"""Which blocks may follow which: conv needs an image, recurrent and attention blocks a sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from gradtui.experiment.data_shapes import TOKEN_SOURCES
from gradtui.experiment.errors import ExperimentError

if TYPE_CHECKING:
    from gradtui.experiment.spec import Block, Data, Experiment

Form = Literal["flat", "image", "sequence", "unknown"]

RECURRENT: frozenset[Block] = frozenset({"rnn", "lstm", "gru"})


def check_flow(exp: Experiment, rank: int | None = None) -> None:
    """Raises ExperimentError at the first group that cannot read what stands before it.

    ``rank`` is the number of dimensions of one example, where known; before an npz file is opened it is not.
    """
    form = _form_of(exp.data, rank)
    for index, group in enumerate(exp.net):
        field = f"net.{index}.block"
        before = f"after {exp.net[index - 1].block}" if index else f"on {exp.data.source}"
        if group.block == "conv":
            if index == 0 and exp.data.sequence != "none" and form == "sequence":
                raise ExperimentError(
                    "data.sequence", exp.data.sequence, '"none": a conv block reads the image as it is'
                )
            if form not in ("image", "unknown"):
                raise ExperimentError(
                    field, group.block, f"another block {before}: conv reads an image, and there is none"
                )
            form = "image"
        elif group.block == "dense":
            form = "sequence" if exp.data.source in TOKEN_SOURCES else "flat"
        elif form == "image" and index == 0:
            raise ExperimentError(
                "data.sequence", exp.data.sequence, f'"rows" or "pixels": {group.block} reads a sequence'
            )
        elif form not in ("sequence", "unknown"):
            raise ExperimentError(
                field,
                group.block,
                f"dense or conv {before}: {group.block} reads a sequence, and there is none"
                if form == "image"
                else f"dense {before}: {group.block} reads a sequence, and there is none",
            )
        else:
            form = "sequence"


def _form_of(data: Data, rank: int | None) -> Form:
    if data.source in TOKEN_SOURCES or data.source == "adding":
        return "sequence"
    if data.source == "spirals" or rank == 1:
        return "flat"
    if data.sequence != "none":
        return "sequence"
    return "unknown" if data.source == "npz" and rank is None else "image"
