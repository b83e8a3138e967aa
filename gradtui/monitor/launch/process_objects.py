"""Find the models whose parameters an optimizer moves, and the other optimizers of these models.

The garbage collector lists every object of the process, once at the first step of an optimizer. No method of the
script's own objects is called that could have an effect.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from gradtui.monitor.session import WatchSession


class ProcessObjects:
    """A ProcessObjects holds the modules, optimizers and watch sessions that a process has at one moment."""

    def __init__(self) -> None:
        self.modules: list[nn.Module] = []
        self.optimizers: list[Optimizer] = []
        """The optimizers that take steps themselves, without wrappers that pass each step on."""
        self.sessions: list[WatchSession] = []
        lists: dict[type, list[Any] | None] = {}
        for one in gc.get_objects():
            kind = type(one)
            if kind not in lists:
                lists[kind] = self._list_of(kind)
            if (found := lists[kind]) is not None:
                found.append(one)
        self.optimizers = [one for one in self.optimizers if "_optimizer_step_pre_hooks" in vars(one)]
        self._parents: dict[int, list[nn.Module]] = {}
        for module in self.modules:
            for child in _children(module):
                self._parents.setdefault(id(child), []).append(module)

    def _list_of(self, kind: type) -> list[Any] | None:
        if issubclass(kind, nn.Module):
            return self.modules
        if issubclass(kind, Optimizer):
            return self.optimizers
        return self.sessions if issubclass(kind, WatchSession) else None

    def models_of(self, parameters: Sequence[Tensor]) -> list[nn.Module]:
        """Return the outermost modules that hold the parameters, as few as possible, in the order of the parameters.

        A parameter that no module holds is left out. If several modules hold equally many, the smallest is chosen.
        """
        places = {id(p): place for place, p in reversed(list(enumerate(parameters)))}
        missing = set(places)
        owners = [m for m in self.modules if not missing.isdisjoint(map(id, _own_parameters(m)))]
        roots = [(root, {id(p) for p in root.parameters()}) for root in self._roots_of(owners)]
        models: list[tuple[int, nn.Module]] = []
        while roots:
            root, held = max(roots, key=lambda entry: (len(entry[1] & missing), -len(entry[1])))
            if not held & missing:
                break
            models.append((min(places[number] for number in held & missing), root))
            missing -= held
        return [model for _, model in sorted(models, key=lambda entry: entry[0])]

    def _roots_of(self, owners: Iterable[nn.Module]) -> list[nn.Module]:
        seen: dict[int, nn.Module] = {}
        waiting = list(owners)
        roots: dict[int, nn.Module] = {}
        while waiting:
            module = waiting.pop()
            if id(module) in seen:
                continue
            seen[id(module)] = module
            parents = self._parents.get(id(module), [])
            waiting += parents
            if not parents:
                roots[id(module)] = module
        return list(roots.values())

    def optimizers_of(self, models: Sequence[nn.Module], first: Optimizer) -> list[Optimizer]:
        """Return `first` and the optimizers that move other parameters of these models, and of no other model."""
        held = {id(p) for model in models for p in model.parameters()}
        taken = {id(p) for p in parameters_of(first)}
        chosen = [first]
        for optimizer in self.optimizers:
            moved = {id(p) for p in parameters_of(optimizer)}
            if moved <= held and moved.isdisjoint(taken):
                chosen.append(optimizer)
                taken |= moved
        return chosen

    def sessions_on(self, parameters: Sequence[Tensor]) -> list[WatchSession]:
        """Return the sessions that record any of these parameters in this process."""
        wanted = {id(p) for p in parameters}
        return [
            session
            for session in self.sessions
            if session.guard.open
            and any(id(p) in wanted for model in session.models() for p in model.parameters())
        ]


def parameters_of(optimizer: Optimizer) -> list[Tensor]:
    """Return the tensors that an optimizer moves."""
    return [p for group in optimizer.param_groups for p in group["params"]]


def _children(module: nn.Module) -> list[nn.Module]:
    children = vars(module).get("_modules")
    # A scripted module keeps its children in an object of its own.
    values = children.values() if isinstance(children, dict) else [c for _, c in module.named_children()]
    return [child for child in values if child is not None]


def _own_parameters(module: nn.Module) -> list[Tensor]:
    own = vars(module).get("_parameters")
    values = own.values() if isinstance(own, dict) else module.parameters(recurse=False)
    return [p for p in values if p is not None]
