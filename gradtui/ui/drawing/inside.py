"""What one block of a group consists of, in the order in which the signal goes through it.

The order is that of ``nets/stack.py``, ``nets/recurrent.py`` and ``nets/attention.py``. The block that is told of is
the group's first, which may be given another shape than those that follow.
"""

from __future__ import annotations

from dataclasses import replace

from gradtui.experiment.block_shapes import norm_parameters
from gradtui.experiment.flow import RECURRENT
from gradtui.ui.drawing.operations import Operations
from gradtui.ui.drawing.outline import Outline, shape_in_words
from gradtui.ui.drawing.steps import (
    ALPHA,
    CARRIED,
    GATED,
    IDENTITY,
    Chain,
    Fork,
    Inside,
    Mark,
    Merge,
    Row,
    Step,
    Wire,
)

MOST_LAYERS = 4
"""Of more weight layers in a block the equal ones in its middle are told of once."""


def inside(outline: Outline, index: int) -> Inside:
    """The first block of a group."""
    group = outline.exp.net[index]
    station = next(station for station in outline.stations if station.index == index)
    operations = Operations(outline, index, station.reads)
    # The steps are told apart before the first transformer block.
    attention = group.block == "attention"
    positions = attention and all(before.block != "attention" for before in outline.exp.net[:index])
    steps = _attention(operations, positions) if attention else _stack(operations)
    first, second = (sum(layer.parameters for layer in outline.block(index, number)) for number in (0, 1))
    strides = group.block == "conv" and group.stride > 1
    alike = (first, station.reads) == (second, operations.gives) and not positions and not strides
    if group.repeat == 1 or alike:
        return Inside(steps, group.repeat)
    rest = group.repeat - 1
    which = "the other block reads" if rest == 1 else f"the other {rest:,} blocks read"
    each = f"{second:,} parameters{'' if rest == 1 else ' each'}"
    return Inside(steps, 1, f"{which} {_unbroken(shape_in_words(operations.gives))}: {each}")


def _stack(of: Operations) -> tuple[Step, ...]:
    """Dense, conv and recurrent blocks."""
    group, post = of.group, of.group.order == "post"
    layers = [of.layer(number) for number in range(1, group.layers + 1)]
    after: list[Step] = []
    if group.shortcut == "identity" and post and group.block not in RECURRENT:
        # The last nonlinearity follows the addition.
        *rest, last = layers[-1]
        layers[-1] = rest
        after = [Chain(((last,),))]
    branch: list[Step] = [Chain(tuple(tuple(layer) for layer in _folded(layers)))]
    if group.block in RECURRENT and (gain := of.gain()):
        branch.append(Mark("×", f"{gain.name[2:]}  {gain.text}"))
    return Wire(shape_in_words(of.reads)), *_around(of, branch), *after, Wire(shape_in_words(of.gives))


def _around(of: Operations, branch: list[Step]) -> list[Step]:
    """The branch with its shortcut."""
    shortcut = of.group.shortcut
    if shortcut == "none":
        return branch
    fork = _fork(of)
    if shortcut == "rezero":
        return [fork, *branch, ALPHA, Merge(CARRIED, "⊕")]
    if shortcut == "highway":
        gate = Fork(GATED, "t = sigmoid(W x + b)", "gate t", of.layers["gate"].parameters)
        return [fork, gate, *branch, Merge(GATED, "×", "t"), Merge(CARRIED, "⊕", "× (1 − t)")]
    return [fork, *branch, Merge(CARRIED, "⊕")]


def _fork(of: Operations) -> Fork:
    """What goes around: the input itself, or a projection where shapes differ."""
    if "shortcut" not in of.layers:
        return IDENTITY
    kernel = f"1×1{of.stride(1)} " if of.group.block == "conv" else ""
    text = f"{kernel}{of.size:,} → {of.group.width:,}"
    return Fork(CARRIED, f"projection {text}", text, of.layers["shortcut"].parameters)


def _attention(of: Operations, positions: bool) -> tuple[Step, ...]:
    """The two branches of a transformer block."""
    group, post = of.group, of.group.order == "post"
    width, steps = group.width, of.reads[0]
    norm = norm_parameters(group.norm, width)
    alpha = int(group.shortcut == "rezero")

    def weights(name: str, text: str, less: int, last: bool) -> Row:
        return Row(name, text, of.start(last), of.layers[name].parameters - less, weights=True)

    before, behind = (0, norm) if post else (norm, 0)
    scores = f"{steps:,} × {steps:,} steps" + (", causal" if of.outline.tokens else "")
    heads = f"{group.heads} head{'s' if group.heads > 1 else ''} of {width // group.heads:,}"
    attend = [
        weights("qkv", f"{width:,} → 3×{width:,}", before, last=False),
        Row("attention", heads, scores),
        weights("out", f"{width:,} → {width:,}", behind, last=True),
    ]
    wide = of.layers["mlp1"].output[-1]
    hidden = [
        weights("mlp1", f"{width:,} → {wide:,}", before + of.learned, last=False),
        of.activation(),
        weights("mlp2", f"{wide:,} → {width:,}", behind + alpha, last=True),
    ]
    found: list[Step] = [Wire(shape_in_words(of.reads))]
    if "input" in of.layers:
        text = f"{of.reads[-1]:,} → {width:,}"
        row = Row("input", text, "lecun", of.layers["input"].parameters, weights=True)
        found += [Chain(((row,),)), Wire(shape_in_words(of.gives))]
    if positions:
        found.append(Mark("+", "positions, as sines"))
    around = [of.norm(width, norm)] if group.norm != "none" else []
    for rows, counted in ((attend, 0), (hidden, alpha)):
        if gain := of.gain():
            rows.append(gain)
        chain = Chain((tuple(rows if post else around + rows),))
        found += _joined(group.shortcut, chain, counted)
        if post and around:
            found.append(Chain((tuple(around),)))
    return *found, Wire(shape_in_words(of.gives))


def _joined(shortcut: str, chain: Chain, counted: int) -> list[Step]:
    """A branch with its shortcut. Both branches of rezero share one scalar, which is counted once."""
    if shortcut == "none":
        return [chain]
    scale: list[Step] = [replace(ALPHA, parameters=counted)] if shortcut == "rezero" else []
    return [IDENTITY, chain, *scale, Merge(CARRIED, "⊕")]


def _unbroken(text: str) -> str:
    """Text in which no line ends."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _folded(layers: list[list[Row]]) -> list[list[Row]]:
    """Of many layers the first, the second, how many more are like that, and the last."""
    if len(layers) <= MOST_LAYERS:
        return layers
    alike = layers[2:-1]
    total = sum(row.parameters for layer in alike for row in layer)
    return [*layers[:2], [Row("⋮", f"{len(alike)} more like this", parameters=total)], layers[-1]]
