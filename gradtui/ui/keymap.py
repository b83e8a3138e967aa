"""Other keys for what has an id: how the person's choice becomes what Textual understands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from textual.binding import Binding, BindingType


def keymap_of(keys: Mapping[str, str], bindings: Iterable[BindingType]) -> dict[str, str]:
    """The keys by id, and those that must be said besides.

    Textual takes a key from everything that shares it when one of them gets another: with another key for "train",
    space would no longer pause. So the others are given theirs anew.

    Args:
        keys: what the person wishes, by id.
        bindings: those of the screen, several of which may share a key.
    """
    known = _with_id(bindings)
    given_up = {key for binding in known if binding.id in keys for key in binding.key.split(",")}
    kept = {
        str(binding.id): binding.key
        for binding in known
        if binding.id not in keys and given_up.intersection(binding.key.split(","))
    }
    return {**kept, **keys}


def without_key(keys: Mapping[str, str], bindings: Iterable[BindingType]) -> list[str]:
    """What has no key any more, because the person gave the last one of it to something else."""
    taken = {binding.key for binding in Binding.make_bindings(Binding(wish, "") for wish in keys.values())}
    return [
        binding.description
        for binding in _with_id(bindings)
        if binding.id not in keys and taken.issuperset(binding.key.split(","))
    ]


def _with_id(bindings: Iterable[BindingType]) -> list[Binding]:
    return [binding for binding in bindings if isinstance(binding, Binding) and binding.id is not None]
