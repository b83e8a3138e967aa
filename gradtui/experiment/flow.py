"""Which blocks may follow which: conv needs an image, recurrent and attention blocks a sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from gradtui.experiment.data_shapes import TOKEN_SOURCES
from gradtui.experiment.errors import ExperimentError

if TYPE_CHECKING:
    from gradtui.experiment.spec import Block, Data, Experiment

Form = Literal["flat", "image", "sequence", "unknown"]
"""What a block reads. unknown is an npz file that nobody has opened yet: anything may follow."""

RECURRENT: frozenset[Block] = frozenset({"rnn", "lstm", "gru"})
SEQUENTIAL: frozenset[Block] = RECURRENT | {"attention"}
"""Blocks that read a sequence step by step."""

READERS: dict[Form, str] = {
    "flat": "dense",
    "image": "dense or conv",
    "sequence": "dense, rnn, lstm, gru or attention",
}


def check_flow(exp: Experiment, rank: int | None = None) -> None:
    """Raises ExperimentError at the first group that cannot read what stands before it.

    ``rank`` is the number of dimensions of one example, where known; before an npz file is opened it is not.
    """
    form = _form_of(exp.data, rank)
    _check_reading(exp, form)
    for index, group in enumerate(exp.net):
        if group.block == "dense":
            form = "sequence" if exp.data.source in TOKEN_SOURCES else "flat"
            continue
        needed: Form = "image" if group.block == "conv" else "sequence"
        if form not in (needed, "unknown"):
            before = f"after {exp.net[index - 1].block}" if index else f"on {exp.data.source}"
            thing = "an image" if needed == "image" else "a sequence"
            raise ExperimentError(
                f"net.{index}.block", group.block, f"{READERS[form]} {before}: {group.block} reads {thing}"
            )
        form = needed


def _check_reading(exp: Experiment, form: Form) -> None:
    """The same picture is an image or a sequence, as ``data.sequence`` says: there lies the remedy."""
    block, reading = exp.net[0].block, exp.data.sequence
    picture = exp.data.source in ("digits", "idx", "cifar10", "npz")
    if picture and form == "image" and block in SEQUENTIAL:
        raise ExperimentError("data.sequence", reading, f"rows or pixels: {block} reads a sequence")
    if picture and form == "sequence" and block == "conv":
        raise ExperimentError("data.sequence", reading, "none: conv reads the image as it is")


def _form_of(data: Data, rank: int | None) -> Form:
    if data.source in TOKEN_SOURCES or data.source == "adding":
        return "sequence"
    if data.source == "spirals" or rank == 1:
        return "flat"
    if data.sequence != "none":
        return "sequence"
    return "unknown" if data.source == "npz" and rank is None else "image"
