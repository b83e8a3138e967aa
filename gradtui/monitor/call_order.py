"""Learn in which order the layers of watched models are used, from the graphs of their first backward passes.

This needs no hook on a module, so a model can be compiled, scripted, traced, copied or transformed as if it were not
watched.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from gradtui.monitor.graph import GradientGraph, gradient_graph, kind_of, nodes_behind

MOST_PASSES = 16
"""The number of backward passes that are read; a parameter that none of them reaches is put behind its neighbour."""
BACKWARDS = "DifferentiableGraph"
"""The node by which TorchScript runs a whole graph; its inputs are in the opposite order."""

Rank = tuple[tuple[int, int], ...]
"""The sorting key of a parameter's use: the sequence number of the operation, and the place among its inputs. Within a
checkpoint, the key of the checkpoint precedes it."""


class CallOrder:
    """A CallOrder learns in which order the parameters of some models are used, and reads a graph of each model.

    Autograd numbers the operations of a forward pass. A graph that was compiled as a whole has its inputs in the order
    in which they are used.
    """

    def __init__(self, models: Sequence[nn.Module], layer_of: Mapping[int, int], compared: set[int]) -> None:
        """Take the models without their wrappers; `layer_of` and `compared` are as in `gradient_graph`."""
        self._models = [weakref.ref(model) for model in models]
        self._layer_of = layer_of
        self._compared = compared
        self._ranks: dict[int, Rank] = {}
        self._passes = 0
        self._over = False
        self.graphs: dict[int, GradientGraph] = {}
        """The graphs by the id of the model."""

    @property
    def wanted(self) -> bool:
        """Return whether to read the graph of the pass that begins."""
        return not self._over

    def stop(self) -> None:
        """Stop reading graphs."""
        self._over = True

    def read(self, roots: Sequence[Tensor], within: Any = None) -> None:
        """Read the graph behind the roots of a backward pass that begins, before it is freed.

        `within` is the node of another pass that has begun this one, as in a re-entrant checkpoint.
        """
        # Without the graph, only the order of the layers and which of them can be compared remain unknown.
        with contextlib.suppress(Exception):
            nodes = nodes_behind(roots)
            stand_ins = self._stand_ins()
            before: Rank = () if within is None else ((within._sequence_nr(), -1),)
            for node in nodes:
                self._take(node, before, stand_ins)
            if within is not None:
                return
            layer_of = {**self._layer_of, **{one: self._layer_of[whole] for one, whole in stand_ins.items()}}
            for model in self._alive():
                own = {self._layer_of[id(p)] for p in model.parameters() if id(p) in self._ranks}
                if own and id(model) not in self.graphs:
                    # A model's input may come from another model, which has another loss.
                    graph = gradient_graph(nodes, layer_of, self._compared & own)
                    if graph is not None:
                        self.graphs[id(model)] = graph
            self._passes += 1
            self._over = self._passes >= MOST_PASSES or not self._missing()

    def _take(self, node: Any, before: Rank, stand_ins: Mapping[int, int]) -> None:
        number = node._sequence_nr()
        turned = kind_of(node) == BACKWARDS
        for place, (following, _) in enumerate(node.next_functions):
            parameter = id(getattr(following, "variable", None))
            parameter = stand_ins.get(parameter, parameter)
            if parameter in self._layer_of:
                rank = (*before, (number, -place if turned else place))
                self._ranks[parameter] = min(rank, self._ranks.get(parameter, rank))

    def _stand_ins(self) -> dict[int, int]:
        """Map the ids of the unsharded parameters that fully_shard computes with to those of the parameters."""
        modules: list[Any] = [module for model in self._alive() for module in model.modules()]
        states = (module._get_fsdp_state() for module in modules if hasattr(module, "_get_fsdp_state"))
        return {
            id(one._unsharded_param): id(one.sharded_param)
            for state in states
            for group in getattr(state, "_fsdp_param_groups", [getattr(state, "_fsdp_param_group", None)])
            for one in getattr(group, "fsdp_params", ())
            if hasattr(one, "_unsharded_param") and id(one.sharded_param) in self._layer_of
        }

    def _alive(self) -> list[nn.Module]:
        return [model for reference in self._models if (model := reference()) is not None]

    def _missing(self) -> bool:
        return any(
            p.requires_grad and not is_lazy(p) and id(p) not in self._ranks
            for model in self._alive()
            for p in model.parameters()
        )

    @property
    def known(self) -> bool:
        """Return whether the order is known of every model."""
        ranked = self._ranks.keys()
        return all(any(id(p) in ranked for p in model.parameters()) for model in self._alive())

    def modules(self) -> list[int]:
        """Return the ids of the modules whose parameters were used, in the order of their first uses."""
        owners: dict[int, list[nn.Module]] = {}
        for model in self._alive():
            for module in model.modules():
                for parameter in module.parameters(recurse=False):
                    owners.setdefault(id(parameter), []).append(module)
        found: dict[int, None] = {}
        used = sorted(owners.keys() & self._ranks.keys(), key=lambda number: self._ranks[number])
        alone = {id(owners[number][0]) for number in used if len(owners[number]) == 1}
        for number in used:
            # Of the modules that share a weight, the embedding is used first, since it takes the input.
            first, *others = sorted(owners[number], key=lambda module: not isinstance(module, nn.Embedding))
            found.setdefault(id(first))
            for other in others:
                # A module that also has a bias gets its place from the bias.
                if id(other) not in alone:
                    found.setdefault(id(other))
        return list(found)


def running_node() -> Any:
    """Return the node of the backward pass that this thread is in; None where that is not known."""
    return getattr(torch._C, "_current_autograd_node", lambda: None)()
