"""Find the layers of a watched model: modules that own parameters, in the order in which they are first used."""

from __future__ import annotations

import re
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn.parameter import is_lazy

WRAPPER_NAMES = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")
"""The parts of a module's name that torch.compile, FSDP and activation checkpointing add."""
WRAPPER_CLASSES = {
    "DistributedDataParallel": "module",
    "DataParallel": "module",
    "_FabricModule": "_forward_module",
}
"""By the class of a wrapper, the child that holds the model."""
EACH_PARAMETER = "params"
"""The choice of layers by which every parameter is a layer of its own; `params:REGEX` shows some of them."""


class ParameterRef:
    """A ParameterRef finds a parameter again by its place in its model, and does not keep it alive.

    A weak reference to the parameter would do so too, but PyTorch refuses to swap tensors that have one
    (`torch.utils.swap_tensors`, on which some conversions of models depend).
    """

    __slots__ = ("_identity", "_model", "_name", "_owner")

    def __init__(self, parameter: nn.Parameter, owner: nn.Module, name: str, model: nn.Module) -> None:
        """Take a parameter that `owner`, a module of `model`, holds under this name."""
        self._identity = id(parameter)
        self._owner, self._name, self._model = weakref.ref(owner), name, weakref.ref(model)

    def __call__(self) -> nn.Parameter | None:
        """Return the parameter; None if the model no longer has it."""
        owner = self._owner()
        if owner is not None:
            found = _own_parameters(owner).get(self._name)
            if id(found) == self._identity:
                return found
        # A parametrisation that is added or removed moves the parameter to another module.
        model = self._model()
        return (
            None if model is None else next((p for p in model.parameters() if id(p) == self._identity), None)
        )


def _own_parameters(module: nn.Module) -> Mapping[str, nn.Parameter | None]:
    own = vars(module).get("_parameters")
    # A scripted module keeps its parameters in an object of its own.
    return own if isinstance(own, dict) else dict(module.named_parameters(recurse=False))


@dataclass(frozen=True, eq=False)
class WatchedLayer:
    """A WatchedLayer describes one layer of the script's model, and keeps none of its modules alive."""

    name: str
    kind: str
    """The class of its module, in lower case."""
    parameter_count: int
    """The count of numbers in its parameters. A tied parameter belongs to the first layer that uses it."""
    parameters: tuple[ParameterRef, ...]
    modules: tuple[weakref.ref[nn.Module], ...]
    """The modules that own the parameters."""
    parameter_names: tuple[str, ...] = ()
    """The name of each parameter, without the parts that wrappers add."""

    @property
    def frozen(self) -> bool:
        """Return whether none of its parameters takes a gradient now."""
        return not any(p.requires_grad for reference in self.parameters if (p := reference()) is not None)

    @property
    def dtype(self) -> str:
        """Return the smallest number format of its parameters, such as float32."""
        kinds = {p.dtype for reference in self.parameters if (p := reference()) is not None}
        return str(min(kinds, key=lambda kind: kind.itemsize, default="")).removeprefix("torch.")


def layers_of(
    models: Mapping[str, nn.Module], order: Sequence[int] = (), pattern: str = "", *, fold: bool = True
) -> list[WatchedLayer]:
    """Return the layers of all models, one model after another.

    Args:
        models: The models by name; a name that is not empty precedes the names of the layers.
        order: The ids of modules in the order of their first uses. A module that was not used is put behind
            the module that was registered before it.
        pattern: A regular expression; only layers in whose name it is found are returned. With EACH_PARAMETER every
            parameter is a layer of its own.
        fold: Whether the modules within one part of a repeated block form one layer: `h.0.attn` for
            `h.0.attn.c_attn` and `h.0.attn.c_proj`.

    Raises re.error on a wrong pattern.
    """
    apart = bool(every_layer(pattern))
    wanted = re.compile(pattern.removeprefix(EACH_PARAMETER).removeprefix(":") if apart else pattern)
    taken: set[int] = set()
    found: list[WatchedLayer] = []
    for prefix, model in models.items():
        found += _layers_of_model(unwrapped(model), prefix, order, taken, fold)
    if apart:
        found = [part for layer in found for part in _parts(layer)]
    return [layer for layer in found if wanted.search(layer.name)]


def every_layer(pattern: str) -> str:
    """Return the pattern by which all layers are returned, cut into the same parts as by this one."""
    apart = pattern == EACH_PARAMETER or pattern.startswith(f"{EACH_PARAMETER}:")
    return EACH_PARAMETER if apart else ""


def _parts(layer: WatchedLayer) -> list[WatchedLayer]:
    """Return the parameters of a layer as layers. Biases and the like are of a kind that is not compared over depth."""
    parts = []
    for name, reference in zip(layer.parameter_names, layer.parameters, strict=True):
        parameter, label = reference(), name.rpartition(".")[2]
        owners = [owner for owner in layer.modules if _owns(owner(), parameter)]
        matrix = label == "weight" or (parameter is not None and parameter.dim() > 1)
        kind = class_name(owners[0]()).lower() if owners else layer.kind  # type: ignore[arg-type]
        parts.append(
            replace(
                layer,
                name=name,
                kind=kind if matrix else f"{kind}.{label}",
                parameter_count=0 if parameter is None or is_lazy(parameter) else parameter.numel(),
                parameters=(reference,),
                # Activations belong to the weight alone.
                modules=tuple(owners) if matrix else (),
                parameter_names=(name,),
            )
        )
    return parts


def _owns(module: nn.Module | None, parameter: nn.Parameter | None) -> bool:
    return module is not None and any(one is parameter for one in module.parameters(recurse=False))


def _layers_of_model(
    model: nn.Module, prefix: str, order: Sequence[int], taken: set[int], fold: bool
) -> list[WatchedLayer]:
    modules = {plain_name(name): module for name, module in model.named_modules()}
    names_of = {id(module): name for name, module in modules.items()}
    blocks = _repeated_blocks(modules) if fold else set()
    groups: dict[str, list[nn.Module]] = {}
    for name, module in _in_call_order(modules, order):
        if any(True for _ in module.parameters(recurse=False)):
            groups.setdefault(_folded_name(name, blocks), []).append(module)
    layers = []
    for name, owners in groups.items():
        named = {
            id(p): (p, owner, label)
            for owner in reversed(owners)
            for label, p in reversed(list(owner.named_parameters(recurse=False)))
            if id(p) not in taken
        }
        own = list(reversed(named.values()))
        taken.update(named)
        if not own:
            continue
        # Parameters that the model itself owns are shown under the name of the model.
        shown = _joined(prefix, name) or class_name(model)
        layers.append(
            WatchedLayer(
                name=shown,
                kind=class_name(modules.get(name, owners[0])).lower(),
                parameter_count=sum(0 if is_lazy(p) else p.numel() for p, _, _ in own),
                parameters=tuple(ParameterRef(*one, model) for one in own),
                modules=tuple(weakref.ref(owner) for owner in owners),
                parameter_names=tuple(_joined(prefix, names_of[id(owner)], label) for _, owner, label in own),
            )
        )
    return layers


def _joined(*parts: str) -> str:
    return ".".join(part for part in parts if part)


def _in_call_order(modules: Mapping[str, nn.Module], order: Sequence[int]) -> list[tuple[str, nn.Module]]:
    rank = {identity: place for place, identity in enumerate(order)}
    keyed = []
    last = -1
    for place, (name, module) in enumerate(modules.items()):
        last = rank.get(id(module), last)
        keyed.append(((last, place), name, module))
    return [(name, module) for _, name, module in sorted(keyed, key=lambda entry: entry[0])]


def _repeated_blocks(modules: Mapping[str, nn.Module]) -> set[str]:
    """Return the names of blocks that repeat: numbered, of one class, and made of several modules."""
    families: dict[tuple[str, type], list[str]] = {}
    for name, module in modules.items():
        parent, _, last = name.rpartition(".")
        if last.isdigit() and any(True for _ in module.children()):
            families.setdefault((parent, type(module)), []).append(name)
    return {name for family in families.values() if len(family) > 1 for name in family}


def _folded_name(name: str, blocks: set[str]) -> str:
    # With weight norm and spectral norm, a weight is computed from parameters of a submodule.
    parts = name.partition("parametrizations.")[0].removesuffix(".").split(".")
    for end in range(len(parts) - 1, 0, -1):
        if ".".join(parts[:end]) in blocks:
            return ".".join(parts[: end + 1])
    return ".".join(parts)


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the model inside the wrappers of torch.compile, (Distributed)DataParallel and Lightning Fabric."""
    while True:
        children = dict(model.named_children())
        inner = children.get("_orig_mod")
        if inner is None:
            inner = children.get(WRAPPER_CLASSES.get(type(model).__name__, ""))
        if inner is None:
            return model
        model = inner


def plain_name(name: str) -> str:
    """Return the name of a module without the parts that wrappers add."""
    path = f"{name}."
    for wrapper in WRAPPER_NAMES:
        path = path.replace(wrapper, "")
    return path.removesuffix(".")


def class_name(model: nn.Module) -> str:
    """Return the name of a model's class in the script; fully_shard (FSDP2) replaces the class by its own."""
    kinds = type(unwrapped(model)).__mro__
    sharded = len(kinds) > 2 and kinds[1].__name__ == "FSDPModule"
    return kinds[2 if sharded else 0].__name__


def device_of(layers: Sequence[WatchedLayer]) -> torch.device:
    """Return the device of the first parameter that is not on the CPU, whose results have to be waited for."""
    parameters = (reference() for layer in layers for reference in layer.parameters)
    devices = [p.device for p in parameters if p is not None]
    return next((device for device in devices if device.type != "cpu"), torch.device("cpu"))
