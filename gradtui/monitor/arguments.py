"""Read the arguments of `gradtui.watch`: models and optimizers by name, the configuration, the note, the run's name."""

from __future__ import annotations

import dataclasses
import math
import operator
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path, PurePath
from typing import Any

from torch import nn
from torch.optim import Optimizer

from gradtui.monitor.guard import reason_of, warn
from gradtui.monitor.layers import class_name
from gradtui.runs.event_check import LARGEST_STEP
from gradtui.runs.label import LONGEST_NOTE, note_of


def by_name(given: Any, kind: type, argument: str) -> dict[str, Any]:
    """Return the given objects by name; a single one has an empty name."""
    if given is None:
        return {}
    if kind is Optimizer:
        given = optimizers_in(given)
    if isinstance(given, kind):
        return {"": given}
    named = dict(given) if isinstance(given, Mapping) else dict(enumerate(given, 1))
    wrong = next((one for one in named.values() if not isinstance(one, kind)), None)
    if wrong is not None or not named:
        raise TypeError(f"watch({argument}=…): expected {kind.__name__}, not {type(wrong).__name__}")
    return {str(label): one for label, one in named.items()}


def named_by_model(models: Mapping[str, nn.Module], optimizers: list[Optimizer]) -> dict[str, Optimizer]:
    """Return optimizers by the name of the model that each moves.

    The names are numbers if an optimizer moves several models, or if several move the same.
    """
    owners = {id(p): label for label, model in models.items() for p in model.parameters()}
    moved = [
        {owners.get(id(p), "") for group in optimizer.param_groups for p in group["params"]}
        for optimizer in optimizers
    ]
    labels = [next(iter(names)) for names in moved if len(names) == 1]
    if len(set(labels)) < len(optimizers):
        labels = [str(number) for number in range(1, len(optimizers) + 1)]
    return dict(zip(labels, optimizers, strict=True))


def fields_of(config: object) -> dict[str, Any]:
    """Return the fields of a configuration; one that cannot be read is left out, with a warning."""
    try:
        return config_fields(config)
    except Exception as error:
        warn(f"gradtui leaves out the configuration: {reason_of(error)}", level=4)
        return {}


def note_text(text: object) -> str:
    """Return a note; one that is too long is cut, with a warning."""
    given = str(text or "")
    if len(given) > LONGEST_NOTE:
        warn(
            f"gradtui shortens the note: it has {len(given):,} characters, of which {LONGEST_NOTE:,} are kept",
            level=4,
        )
    return note_of(given[:LONGEST_NOTE])


def step_of(given: object, argument: str = "step") -> int | None:
    """Return a number of steps; None where none is given. Raises TypeError on anything else."""
    if given is None:
        return None
    try:
        step = operator.index(given)  # type: ignore[arg-type]
    except TypeError:
        step = -1
    if isinstance(given, bool) or not 0 <= step <= LARGEST_STEP:
        raise TypeError(f"watch({argument}=…): expected a number of steps, not {given!r}")
    return step


def default_name(models: Mapping[str, nn.Module]) -> str:
    """Return the name of a run that was given none: those of the script and of the models' classes."""
    script = Path(sys.argv[0]).stem if sys.argv and sys.argv[0] not in ("", "-c", "-m") else ""
    classes = " and ".join(class_name(model) for model in models.values())
    return f"{script} · {classes}" if script else classes


# -- find the optimizer inside the objects that libraries wrap around one, by their attributes

MOST_WRAPPERS = 4
"""The most wrappers around each other that are searched."""


def optimizers_in(given: Any) -> Any:
    """Return the given optimizers, with each wrapper replaced by the optimizer that it holds."""
    if isinstance(given, Mapping):
        return {label: inner_optimizer(one) for label, one in given.items()}
    if not hasattr(given, "step"):
        return [inner for one in given for inner in _optimizers_of(one)]
    inner = _optimizers_of(given)
    return inner if len(inner) > 1 else inner[0]


def _optimizers_of(one: Any) -> list[Any]:
    """Return the optimizer that an object is or holds; the object itself where it is none and holds none.

    A wrapper that has only `step` may hold several.
    """
    plain = hasattr(one, "step") and not hasattr(one, "param_groups")
    return (_held_optimizers(one) if plain else []) or [inner_optimizer(one)]


def inner_optimizer(wrapper: Any) -> Any:
    """Return the innermost optimizer that a wrapper holds, which takes the steps; return other objects unchanged.

    A wrapper has `step` and `param_groups` itself. Some derive from Optimizer without calling its `__init__`.
    """
    found = _innermost(wrapper, MOST_WRAPPERS)
    return wrapper if found is None else found


def _held_optimizers(wrapper: Any) -> list[Optimizer]:
    """Return the optimizers that an object holds, each by itself or in a list, a tuple or a dict."""
    held: list[Any] = []
    for one in list(getattr(wrapper, "__dict__", {}).values()):
        inside = one.values() if isinstance(one, dict) else one if isinstance(one, list | tuple) else (one,)
        held += inside
    found = [inner for one in held if (inner := _innermost(one, MOST_WRAPPERS)) is not None]
    return list({id(one): one for one in found}.values())


def _innermost(one: Any, depth: int) -> Optimizer | None:
    try:
        held = list(vars(one).values())
        wraps = hasattr(one, "step") and hasattr(one, "param_groups")
    except Exception:
        return None
    if not wraps:
        return None
    made = isinstance(one, Optimizer) and "_optimizer_step_pre_hooks" in vars(one)
    for inner in held if depth else ():
        # A wrapper has parameters of the optimizer that it holds; an object that only keeps another optimizer does not.
        found = None if inner is one else _innermost(inner, depth - 1)
        if found is not None and (not made or _moved(found) == _moved(one)):
            return found
    return one if made else None


def _moved(optimizer: Any) -> set[int]:
    return {id(p) for group in optimizer.param_groups for p in group["params"]}


# -- turn the configuration of a watched script into plain fields by dotted path

MOST_FIELDS = 1000
"""The most fields of a configuration that are kept."""
DEEPEST_LEVEL = 8
"""The number of levels of a configuration that are read; deeper values are kept as text."""
LONGEST_TEXT = 200
MOST_ITEMS = 32
"""The most members of a list that are kept."""

Plain = bool | int | float | str | list[Any] | None


def config_fields(config: object) -> dict[str, Plain]:
    """Return the fields of a dict, a dataclass, an argparse.Namespace, or an object like these, by their paths.

    The script's objects are neither changed nor copied deeply. Raises TypeError where the object has no fields.
    """
    members = _members(config)
    if members is None:
        raise TypeError(f"watch(config=…): {type(config).__name__} has no fields")
    found: dict[str, Plain] = {}
    for path, value in _walk(members, "", DEEPEST_LEVEL):
        if len(found) >= MOST_FIELDS:
            break
        found[path] = value
    return found


def _walk(members: Mapping[Any, Any], before: str, depth: int) -> Iterator[tuple[str, Plain]]:
    for name, value in members.items():
        path = f"{before}{name}"
        inner = None if _is_plain(value) or depth <= 0 else _members(value)
        if inner:
            yield from _walk(inner, f"{path}.", depth - 1)
        else:
            yield path, _plain(value)


def _members(value: Any) -> Mapping[Any, Any] | None:
    """Return the named members of a value; None if it has none, as a function or a tensor."""
    if isinstance(value, Mapping):
        return {name: _got(value.__getitem__, name) for name in value}
    if isinstance(value, type) or callable(value):
        return None
    if dataclasses.is_dataclass(value):
        return {one.name: getattr(value, one.name, None) for one in dataclasses.fields(value)}
    if hasattr(value, "shape") or isinstance(value, Sequence | set | PurePath):
        return None
    if callable(getattr(value, "keys", None)) and hasattr(value, "__getitem__"):
        # Libraries have mappings of their own that are none to Python, such as ml_collections.
        return {name: _got(value.__getitem__, name) for name in value.keys()}  # noqa: SIM118
    own = getattr(value, "__dict__", None) or {}
    slots = getattr(value, "__struct_fields__", None) or getattr(value, "__slots__", None)
    names = [*own, *(slots if isinstance(slots, list | tuple) else ())]
    public = {name: getattr(value, name, None) for name in names if not str(name).startswith("_")}
    return public or None


def _got(get: Callable[[Any], Any], name: Any) -> Any:
    """Return a member; None where reading it fails, as of a value that OmegaConf calls missing."""
    try:
        return get(name)
    except Exception:
        return None


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


def _plain(value: Any) -> Plain:
    if isinstance(value, bool) or value is None:
        return value
    # A script's own class may derive from int or str.
    if isinstance(value, int):
        return int(value) if abs(int(value)) < 2**63 else str(int(value))[:LONGEST_TEXT]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, str):
        return str(value)[:LONGEST_TEXT]
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_plain(one) for one in islice(value, MOST_ITEMS)]
    if (
        getattr(value, "shape", None) == ()
        and hasattr(value, "item")
        and not getattr(value, "is_cuda", False)
    ):
        return _plain(value.item())
    if hasattr(value, "shape"):
        return f"{type(value).__name__} of shape {tuple(value.shape)}"
    return str(value)[:LONGEST_TEXT]
