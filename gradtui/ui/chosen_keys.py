"""Turn the keys that a person chose in the settings into a keymap for Textual."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from textual.binding import Binding, BindingType


def keymap_of(keys: Mapping[str, str], bindings: Iterable[BindingType]) -> dict[str, str]:
    """Return the keys by id for Textual, including those that would otherwise be lost.

    If several actions share a key and one gets another key, Textual takes the shared key from all of them: with another
    key for "train", space would no longer pause. So the other actions are assigned their key again.

    Args:
        keys: the keys that the person chose, by id.
        bindings: the bindings of the screen, several of which may share a key.
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
    """Return the descriptions of actions without a key, because the person gave their last one to another action."""
    taken = {binding.key for binding in Binding.make_bindings(Binding(key, "") for key in keys.values())}
    return [
        binding.description
        for binding in _with_id(bindings)
        if binding.id not in keys and taken.issuperset(binding.key.split(","))
    ]


def _with_id(bindings: Iterable[BindingType]) -> list[Binding]:
    return [binding for binding in bindings if isinstance(binding, Binding) and binding.id is not None]
