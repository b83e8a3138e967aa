"""Write the lines below the drawing: figures of the net, the changes since the last run, and what theory expects."""

from __future__ import annotations

import math
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from textual.content import Content

from gradtui.experiment import Experiment, Group
from gradtui.experiment.memory import Memory, examples
from gradtui.experiment.overrides import diff
from gradtui.ui.drawing.canvas import cut
from gradtui.ui.drawing.outline import Outline, title
from gradtui.ui.field_values import show, value_at
from gradtui.words import ratio

if TYPE_CHECKING:
    from gradtui.diagnosis import Prediction

SHOWN_CHANGES = 16
LEVEL = math.log10(2)
"""A change of the gradient by fewer decades over the whole depth counts as none: seeds of one net differ by as much."""


@dataclass(frozen=True)
class NetChange:
    """A NetChange is one field that differs between two experiments, or a group that was added or removed."""

    what: str
    """The field's path, or the group."""
    old: str | None
    """The old value; None for an added group."""
    new: str | None
    """The new value; None for a removed group."""


def changes(before: Experiment, after: Experiment) -> list[NetChange]:
    """Return what differs between two experiments, in the order of the fields."""
    found = []
    for path in diff(before, after):
        if path == "net":
            found += _groups(before.net, after.net)
        else:
            found.append(_field(path, value_at(before, path), value_at(after, path)))
    return found


def _field(path: str, old: object, new: object) -> NetChange:
    return NetChange(path, show(path, old), show(path, new))


def _groups(before: tuple[Group, ...], after: tuple[Group, ...]) -> list[NetChange]:
    """Match equal groups wherever they are; the groups between them are paired in order."""
    found: list[NetChange] = []
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for tag, a, a_end, b, b_end in matcher.get_opcodes():
        if tag == "equal":
            continue
        pairs = min(a_end - a, b_end - b)
        for k in range(pairs):
            found += _within(b + k, before[a + k], after[b + k])
        found += [NetChange(f"group {k + 1}", describe(before[k]), None) for k in range(a + pairs, a_end)]
        found += [NetChange(f"group {k + 1}", None, describe(after[k])) for k in range(b + pairs, b_end)]
    return found


def _within(index: int, old: Group, new: Group) -> list[NetChange]:
    pairs = ((name, getattr(old, name), getattr(new, name)) for name in old.__struct_fields__)
    return [_field(f"net.{index}.{name}", a, b) for name, a, b in pairs if a != b]


def describe(group: Group) -> str:
    """Return a group in words: ``conv 32 ×3 relu``."""
    function = "" if group.block in ("lstm", "gru") else f" {group.activation}"
    return title(group) + (f" ×{group.repeat:,}" if group.repeat > 1 else "") + function


def figures(outline: Outline, memory: Memory, width: int) -> Content:
    """Return parameters, depth and memory on one line, in as many words as fit."""
    count = outline.shape.parameters
    net = f"{count:,} parameters · {outline.shape.depth:,} layers deep"
    total, kept = size(memory.total), size(memory.activations)
    batch = f"a batch of {examples(outline.exp):,}"
    parts = (
        f"weights {size(memory.weights)}, gradients {size(memory.gradients)}, "
        f"optimizer {size(memory.optimizer)}, {batch} {kept}"
    )
    longest_first = (
        f"{net} · {total} to train: {parts}",
        f"{net} · {total} to train, {kept} of it for {batch}",
        f"{net} · {total} to train",
        f"{count:,} parameters · {outline.shape.depth:,} deep · {total}",
        f"{short(count)} params · {outline.shape.depth:,} deep · {total}",
    )
    text = next((text for text in longest_first if len(text) <= width), longest_first[-1])
    return Content.styled(cut(text, width), "bold")


def short(count: int) -> str:
    """Return a count in three digits: ``83.9 k``."""
    for unit, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= 0.9995 * factor:
            return (
                f"{count / factor:.3g} {unit}" if count < 999.5 * factor else f"{count / factor:,.0f} {unit}"
            )
    return str(count)


def size(count: int) -> str:
    """Return bytes in two digits, since they are an estimate: ``1.4 MB``."""
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= 0.995 * factor or unit == "kB":
            break
    return f"{count / factor:.2g} {unit}" if count < 99.5 * factor else f"{count / factor:,.0f} {unit}"


def differences(before: Experiment | None, after: Experiment, width: int) -> list[Content]:
    """Return what changed since the last run, one line per field."""
    if before is None:
        return [Content.styled("Not trained yet", "$secondary")]
    found = changes(before, after)
    if not found:
        return [Content.styled("Unchanged since the last run", "$secondary")]
    lines = [Content.styled("Changed since the last run", "bold")]
    widest = max(len(change.what) for change in found[:SHOWN_CHANGES])
    lines += [_change(change, min(widest, width // 2), width) for change in found[:SHOWN_CHANGES]]
    if len(found) > SHOWN_CHANGES:
        lines.append(Content.styled(f"  and {len(found) - SHOWN_CHANGES:,} more", "$secondary"))
    return lines


def _change(change: NetChange, column: int, width: int) -> Content:
    """Return the line of a change: a sign for an added or removed group, old and new value for a field."""
    sign = "−" if change.new is None else "+" if change.old is None else " "
    ink = "$secondary" if change.new is None else "$accent"
    front = f"{sign} {cut(change.what, column):<{column}}  "
    room = max(1, width - len(front))
    if change.old is None or change.new is None:
        return Content.assemble((front, ink), (cut(change.old or change.new or "", room), ink))
    old = cut(change.old, max(1, (room - 3) // 2))
    new = cut(change.new, max(1, room - 3 - len(old)))
    line = Content.assemble((front, "$secondary"), (old, "$secondary"), (" → ", ""), (new, "bold $accent"))
    # Names may have wide characters, so the line is cut by cells.
    return line.truncate(width, ellipsis=True)


def expectation(prediction: Prediction) -> str:
    """Return how theory expects the gradient to run over depth or over time, or why it makes no prediction."""
    if not prediction.applies:
        return f"No prediction: {prediction.why}"
    if prediction.log10_lags:
        lags = prediction.log10_lags
        back = len(lags) - 1
        where = "1 step back" if back == 1 else f"{back} steps back"
        return "Theory: " + _run(lags[-1], back, "step back in time", where)
    profile = prediction.log10_profile
    if len(profile) < 2:
        return "Theory: nothing to compare, since the net has only one hidden layer"
    return "Theory: " + _run(profile[0] - profile[-1], len(profile) - 1, "layer", "at the input")


def _run(decades: float, count: int, each: str, where: str) -> str:
    if not math.isfinite(decades):
        return f"the gradient falls to zero {where}"
    if abs(decades) < LEVEL or not count:
        return "the gradient keeps its size"
    how = "shrinks" if decades < 0 else "grows"
    factor = 10 ** (decades / count)
    # A factor of 1.0018 must not be shown as 1, since it matters over a thousand layers.
    digits = 5 if abs(factor - 1) < 0.01 else 3
    return f"each {each} {how} the gradient to {factor:.{digits}g}×; {ratio(decades)} {where}"
