"""The layers of somebody's model: modules that own parameters, in the order in which they are first called."""

from __future__ import annotations

import re
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import nn
from torch.nn.parameter import is_lazy

WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")
"""What torch.compile, FSDP and activation checkpointing put into a module's name."""


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer. Its parameters and modules are the script's: they are not kept alive."""

    name: str
    kind: str
    """Its module's class, in small letters."""
    count: int
    """Parameters that it owns; one that is tied belongs to the first layer that uses it."""
    parameters: tuple[weakref.ref[nn.Parameter], ...]
    modules: tuple[weakref.ref[nn.Module], ...]
    """Those that own them."""


def unwrapped(model: nn.Module) -> nn.Module:
    """The model inside of what torch.compile and (Distributed)DataParallel make of it."""
    while True:
        children = dict(model.named_children())
        inner = children.get("_orig_mod")
        if inner is None and type(model).__name__ in ("DistributedDataParallel", "DataParallel"):
            inner = children.get("module")
        if inner is None:
            return model
        model = inner


def plain_name(name: str) -> str:
    """A module's name without those of wrappers: what it is called in the script that wrote it."""
    path = f"{name}."
    for wrapper in WRAPPERS:
        path = path.replace(wrapper, "")
    return path.removesuffix(".")


def class_name(model: nn.Module) -> str:
    """The class of a model as the script knows it: fully_shard (FSDP2) makes one of its own of it."""
    kinds = type(unwrapped(model)).__mro__
    sharded = len(kinds) > 2 and kinds[1].__name__ == "FSDPModule"
    return kinds[2 if sharded else 0].__name__


def layers_of(
    models: Mapping[str, nn.Module], order: Sequence[int] = (), pattern: str = "", *, fold: bool = True
) -> list[Layer]:
    """The layers of some models, one model after another; of several, names begin with the model's.

    `order`: ids of modules as they were first called; those that were not are taken to follow the module
    registered before them. `pattern`: only layers in whose name this regular expression is found. `fold`: what
    belongs together in a repeated block is one layer: `h.0.attn` for `h.0.attn.c_attn` and `h.0.attn.c_proj`.

    Raises re.error on a wrong pattern.
    """
    wanted = re.compile(pattern)
    taken: set[int] = set()
    found: list[Layer] = []
    for prefix, model in models.items():
        found += _of_one(unwrapped(model), prefix, order, taken, fold)
    return [layer for layer in found if wanted.search(layer.name)]


def _of_one(model: nn.Module, prefix: str, order: Sequence[int], taken: set[int], fold: bool) -> list[Layer]:
    modules = {plain_name(name): module for name, module in model.named_modules()}
    blocks = _blocks(modules) if fold else set()
    groups: dict[str, list[nn.Module]] = {}
    for name, module in _in_order(modules, order):
        if any(True for _ in module.parameters(recurse=False)):
            groups.setdefault(_folded(name, blocks), []).append(module)
    layers = []
    for name, owners in groups.items():
        own = [p for owner in owners for p in owner.parameters(recurse=False) if id(p) not in taken]
        own = list({id(p): p for p in own}.values())
        taken.update(map(id, own))
        if not own:
            continue
        # The model itself may own some: it goes by the name that it was given.
        shown = ".".join(part for part in (prefix, name) if part) or class_name(model)
        layers.append(
            Layer(
                name=shown,
                kind=class_name(modules.get(name, owners[0])).lower(),
                count=sum(0 if is_lazy(p) else p.numel() for p in own),
                parameters=tuple(weakref.ref(p) for p in own),
                modules=tuple(weakref.ref(owner) for owner in owners),
            )
        )
    return layers


def _in_order(modules: Mapping[str, nn.Module], order: Sequence[int]) -> list[tuple[str, nn.Module]]:
    rank = {identity: place for place, identity in enumerate(order)}
    keyed = []
    last = -1
    for place, (name, module) in enumerate(modules.items()):
        last = rank.get(id(module), last)
        keyed.append(((last, place), name, module))
    return [(name, module) for _, name, module in sorted(keyed, key=lambda entry: entry[0])]


def _blocks(modules: Mapping[str, nn.Module]) -> set[str]:
    """Names of blocks that repeat: numbered, of one class, and made of several modules."""
    families: dict[tuple[str, type], list[str]] = {}
    for name, module in modules.items():
        parent, _, last = name.rpartition(".")
        if last.isdigit() and any(True for _ in module.children()):
            families.setdefault((parent, type(module)), []).append(name)
    return {name for family in families.values() if len(family) > 1 for name in family}


def _folded(name: str, blocks: set[str]) -> str:
    # A weight that is made of others (weight norm, spectral norm) is its layer's all the same.
    parts = name.partition("parametrizations.")[0].removesuffix(".").split(".")
    for end in range(len(parts) - 1, 0, -1):
        if ".".join(parts[:end]) in blocks:
            return ".".join(parts[: end + 1])
    return ".".join(parts)
