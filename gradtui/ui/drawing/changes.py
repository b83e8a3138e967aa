"""What makes one experiment of another, field by field and group by group, as people read it."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher

from gradtui.experiment import Experiment, Group
from gradtui.experiment.overrides import diff
from gradtui.ui.drawing.outline import title
from gradtui.ui.edit.values import show, value_at


@dataclass(frozen=True)
class Change:
    """One line: what it is, and its values; a group that came has no `old`, one that went no `new`."""

    what: str
    old: str | None
    new: str | None


def changes(before: Experiment, after: Experiment) -> list[Change]:
    """In the order of the fields, groups that came or went among them."""
    found = []
    for path in diff(before, after):
        if path == "net":
            found += _groups(before.net, after.net)
        else:
            found.append(_field(path, value_at(before, path), value_at(after, path)))
    return found


def _field(path: str, old: object, new: object) -> Change:
    return Change(path, show(path, old), show(path, new))


def _groups(before: tuple[Group, ...], after: tuple[Group, ...]) -> list[Change]:
    """Groups that are the same are found again wherever they stand; of what is between, the first are pairs."""
    found: list[Change] = []
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for tag, a, a_end, b, b_end in matcher.get_opcodes():
        if tag == "equal":
            continue
        pairs = min(a_end - a, b_end - b)
        for k in range(pairs):
            found += _within(b + k, before[a + k], after[b + k])
        found += [Change(f"group {k + 1}", describe(before[k]), None) for k in range(a + pairs, a_end)]
        found += [Change(f"group {k + 1}", None, describe(after[k])) for k in range(b + pairs, b_end)]
    return found


def _within(index: int, old: Group, new: Group) -> list[Change]:
    pairs = ((name, getattr(old, name), getattr(new, name)) for name in old.__struct_fields__)
    return [_field(f"net.{index}.{name}", a, b) for name, a, b in pairs if a != b]


def describe(group: Group) -> str:
    """``conv 32 ×3 relu``."""
    function = "" if group.block in ("lstm", "gru") else f" {group.activation}"
    return title(group) + (f" ×{group.repeat:,}" if group.repeat > 1 else "") + function
