"""Find out which layers are on one path from input to output, and at how many places a weight is used.

This is read from the autograd graph of one early backward pass. The graph is only traversed: it gets no hook, nothing
is computed, and none of its tensors is kept.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

MOST_NODES = 200_000
"""The most nodes of a graph that is read; a larger one (a recurrence over very many steps) is ignored."""
MOST_PATHS = 4
"""The most paths of one model, which may have a body with some heads, or towers that meet."""
FEWEST_NEW_LAYERS = 3
"""The number of new layers in a row that a further path must have: a second tower has them, a projection has only
one."""

_RESHAPING = (
    "T", "Transpose", "Permute", "View", "UnsafeView", "ReshapeAlias", "ToCopy", "Unsqueeze", "Squeeze", "Expand",
    "Slice", "Select", "Split", "SplitWithSizes", "Chunk", "Clone", "AsStrided", "Alias", "WeightNormInterface", "Mv",
)  # fmt: skip
"""Operations that change the form of a weight before it is used, by the names of their nodes without "Backward"."""
_MULTIPLYING = ("Addmm", "Mm", "Bmm", "Baddbmm", "Linear", "Addbmm")
"""Operations whose output has its features along the last axis, and a row for each place of each example."""
_NORMS = ("NativeLayerNorm", "FusedRmsNorm", "RmsNorm")
FEWEST_NORMS = 4
"""The least number of norms behind sums that make a net one of post-norm blocks."""
_COMPILED = ("CompiledFunction", "DifferentiableGraph")
"""Nodes of torch.compile and TorchScript that stand for many operations, whose order is then unknown."""


@dataclass(frozen=True)
class GradientGraph:
    """A GradientGraph is what the autograd graph of one model's output says of the model's layers."""

    paths: tuple[tuple[int, ...], ...]
    """Layers that lie on one path, by their numbers, in the order from input to output; the longest path first, and
    those of further heads last, each of which ends in a layer of its own."""
    places: Mapping[int, float]
    """The number of places of one example at which each layer's weight is used: pixels, tokens, steps."""
    half: bool
    """Whether a layer's output is float16, as under autocast."""
    post_norm: bool
    """Whether norms follow the sums of shortcuts and branches: on every way back each norm is passed."""
    forms: Mapping[int, str]
    """The form of each layer's weights: layers of different forms are not compared, since their gradients differ also
    in healthy nets."""


def gradient_graph(
    nodes: Sequence[Any], layer_of: Mapping[int, int], compared: set[int]
) -> GradientGraph | None:
    """Return the gradient graph of one model.

    Args:
        nodes: The nodes of the graph, as `nodes_behind` gives them.
        layer_of: The number of the layer of each parameter, by the parameter's id.
        compared: The layers of the model whose gradients are compared over depth.

    Return None if there is no graph, or if a part of it was compiled as a whole.
    """
    if not nodes or any(kind_of(node) in _COMPILED for node in nodes):
        return None
    users = _users(nodes)
    used: defaultdict[Any, dict[int, None]] = defaultdict(dict)
    uses: defaultdict[int, float] = defaultdict(float)
    forms: defaultdict[int, set[str]] = defaultdict(set)
    half = False
    for node in nodes:
        weight: Tensor | None = getattr(node, "variable", None)
        layer = None if weight is None else layer_of.get(id(weight))
        if weight is None or layer is None or layer not in compared or weight.dim() < 2:
            continue
        for user in _users_of_weight(node, users):
            used[user].setdefault(layer)
            kind = kind_of(user)
            half = half or _dtype(user) == torch.float16
            rows = _rows(user, kind)
            if math.isnan(rows):
                continue
            uses[layer] += rows
            forms[layer].add(_form(kind, weight))
    examples = _examples(nodes)
    return GradientGraph(
        paths=_paths(nodes, used),
        places={layer: count / max(1, examples) for layer, count in uses.items()},
        half=half,
        post_norm=_has_post_norm(nodes, users),
        forms={layer: " + ".join(sorted(several)) for layer, several in forms.items()},
    )


def _has_post_norm(nodes: Sequence[Any], users: Mapping[Any, list[Any]]) -> bool:
    """Return whether most norms of sums are the only user of their sum; a shortcut around a norm is another one."""
    sums = [
        following
        for node in nodes
        if kind_of(node) in _NORMS
        for following in _following(node)[:1]
        if kind_of(following) == "Add" and len(_following(following)) > 1 and not _is_leaf_sum(following)
    ]
    alone = sum(len(users.get(one, ())) == 1 for one in sums)
    return alone >= FEWEST_NORMS and 2 * alone > len(sums)


def _is_leaf_sum(node: Any) -> bool:
    return any(getattr(following, "variable", None) is not None for following in _following(node))


def sequential_path(model: nn.Module, layer_of: Mapping[int, int], compared: set[int]) -> tuple[int, ...]:
    """Return the layers of a model that is only a sequence, so that their path is known without a graph."""
    found: dict[int, None] = {}
    for module in model.modules():
        leaf = not any(True for _ in module.children())
        if not leaf and type(module) is not nn.Sequential:
            return ()
        for parameter in module.parameters(recurse=False) if leaf else ():
            layer = layer_of.get(id(parameter))
            if layer is not None and layer in compared:
                found.setdefault(layer)
    return tuple(found)


def nodes_behind(roots: Sequence[Tensor]) -> list[Any]:
    """Return the nodes behind the roots, each after those that it depends on; none if there are too many."""
    order: list[Any] = []
    seen: set[Any] = set()
    waiting: list[tuple[Any, bool]] = [(root.grad_fn, False) for root in roots if root.grad_fn is not None]
    while waiting:
        node, done = waiting.pop()
        if done:
            order.append(node)
            continue
        if node in seen:
            continue
        seen.add(node)
        if len(seen) > MOST_NODES:
            return []
        waiting.append((node, True))
        waiting += [(following, False) for following in _following(node) if following not in seen]
    return order


def _examples(nodes: Sequence[Any]) -> int:
    """Return the number of examples: the most rows of any input of the loss."""
    found, scalars = 1, [nodes[-1]]
    for node in scalars:
        for following in _following(node):
            shape = shape_of(following)
            if len(shape):
                found = max(found, shape[0])
            elif following not in scalars and getattr(following, "variable", None) is None:
                scalars.append(following)
    return found


def _following(node: Any) -> list[Any]:
    return [following for following, _ in node.next_functions if following is not None]


def _users(order: Iterable[Any]) -> Mapping[Any, list[Any]]:
    users: defaultdict[Any, list[Any]] = defaultdict(list)
    for node in order:
        for following in _following(node):
            users[following].append(node)
    return users


def _users_of_weight(node: Any, users: Mapping[Any, list[Any]]) -> list[Any]:
    """Return the operations that use a weight, possibly after its form was changed."""
    found: list[Any] = []
    waiting, seen = list(users.get(node, ())), set()
    while waiting:
        user = waiting.pop()
        if user in seen:
            continue
        seen.add(user)
        if kind_of(user) in _RESHAPING and users.get(user):
            waiting += users[user]
        else:
            found.append(user)
    return found


def kind_of(node: Any) -> str:
    """Return the operation of a node, such as Addmm."""
    name: str = node.name()
    return name.partition("Backward")[0].rpartition("::")[2]


def _rows(node: Any, kind: str) -> float:
    """Return how often an operation uses its weight, over all examples; NaN where that is not known."""
    shape = shape_of(node)
    if kind == "Convolution" and len(shape) > 2:
        return math.prod(shape) / max(1, shape[1])
    if kind in _MULTIPLYING and shape:
        return math.prod(shape[:-1])
    return math.nan


def shape_of(node: Any) -> tuple[int, ...]:
    """Return the shape of what an operation returned."""
    metadata = getattr(node, "_input_metadata", None)
    return tuple(metadata[0].shape) if metadata else ()


def _dtype(node: Any) -> torch.dtype | None:
    """Return the type of the numbers that an operation returned; None where it is not known."""
    metadata = getattr(node, "_input_metadata", None)
    return getattr(metadata[0], "dtype", None) if metadata else None


def _form(kind: str, weight: Tensor) -> str:
    if kind != "Convolution":
        return "linear"
    kernel = "x".join(map(str, weight.shape[2:]))
    return f"conv {kernel}{' depthwise' if weight.shape[1] == 1 else ''}"


def _paths(order: Sequence[Any], used: Mapping[Any, Mapping[int, None]]) -> tuple[tuple[int, ...], ...]:
    """Return the longest path, and further ones with enough layers in a row that are on no earlier path."""
    paths: list[tuple[int, ...]] = []
    covered: set[int] = set()
    for _ in range(MOST_PATHS):
        path = _longest_path(order, used, covered)
        fresh = [layer not in covered for layer in path]
        if paths and not _run_of(fresh) >= FEWEST_NEW_LAYERS:
            break
        if len(path) < 2:
            break
        paths.append(path)
        covered.update(path)
    ends = {path[-1] for path in paths}
    for layer, node in _heads(order, used).items():
        if layer not in ends and len(paths) < MOST_PATHS:
            path = _longest_path(order, used, set(), node)
            paths += [path] if len(path) > 1 else []
    return tuple(paths)


def _heads(order: Sequence[Any], used: Mapping[Any, Mapping[int, None]]) -> dict[int, Any]:
    """Return the last layer before each term of the loss, with the node that uses it.

    There are none where the loss has one term, or where several layers come last before a term.
    """
    heads: dict[int, Any] = {}
    for term in _terms(order):
        waiting, seen = [term], {term}
        last: dict[int, Any] = {}
        while waiting:
            node = waiting.pop()
            if used.get(node):
                last |= dict.fromkeys(used[node], node)
                continue
            new = [one for one in _following(node) if one not in seen]
            seen.update(new)
            waiting += new
        if len(last) == 1:
            heads |= last
    return heads if len(heads) > 1 else {}


def _terms(order: Sequence[Any]) -> list[Any]:
    """Return the nodes from which the scalars that add up to the loss are computed."""
    scalars, terms = [order[-1]] if order else [], []
    for node in scalars:
        for following in _following(node):
            if shape_of(following):
                terms.append(following)
            elif following not in scalars and getattr(following, "variable", None) is None:
                scalars.append(following)
    return terms


def _run_of(flags: Sequence[bool]) -> int:
    longest = run = 0
    for flag in flags:
        run = run + 1 if flag else 0
        longest = max(longest, run)
    return longest


def _longest_path(
    order: Sequence[Any], used: Mapping[Any, Mapping[int, None]], covered: set[int], end: Any = None
) -> tuple[int, ...]:
    """Return the layers along the path with the most layers that are not covered, and then with the most layers.

    `end` is the node at which it ends; by default any.
    """
    best: dict[Any, tuple[int, int]] = {}
    came_from: dict[Any, Any] = {}
    for node in order:
        before = max(_following(node), key=lambda one: best[one], default=None)
        layers = used.get(node, {})
        fresh = sum(layer not in covered for layer in layers)
        behind = best[before] if before is not None else (0, 0)
        best[node] = (behind[0] + fresh, behind[1] + len(layers))
        came_from[node] = before
    node = max(order, key=lambda one: best[one]) if end is None else end
    along: list[Any] = []
    while node is not None:
        along.append(node)
        node = came_from[node]
    return tuple(dict.fromkeys(layer for one in reversed(along) for layer in used.get(one, ())))
