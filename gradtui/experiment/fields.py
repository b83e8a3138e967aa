"""Read the kind, range, default and text of each field of an experiment from the annotations of ``spec.py``.

The builder on the screen makes its inputs from them, and errors say from them which values are allowed, so that a
range, a choice or a text is written once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from msgspec import NODEFAULT, Meta, Struct
from msgspec.structs import fields as struct_fields

from gradtui.experiment.activations import ACTIVATIONS
from gradtui.experiment.optimizers import OPTIMIZERS

Kind = Literal["choice", "int", "float", "text", "float-or-word"]


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """A FieldInfo describes one field as the screens show it.

    ``low`` and ``high`` are the bounds (for text: of its length), None where there is none; ``low_open`` and
    ``high_open`` say that the bound itself is not allowed. ``choices`` are the words that are allowed.
    """

    name: str
    kind: Kind
    default: object
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    low_open: bool = False
    high_open: bool = False
    format: str = ""
    doc: str = ""

    @property
    def allowed(self) -> str:
        """Return in words which values are allowed: ``a whole number from 1 to 65536``."""
        if self.kind == "choice":
            return "one of " + ", ".join(self.choices)
        if self.kind == "text":
            return self.format or (
                f"text of {self.low:g} to {self.high:g} characters" if self.high else "text"
            )
        number = ("a whole number" if self.kind == "int" else "a number") + self._range()
        return number if not self.choices else f'{number}, or "{self.choices[0]}"'

    def _range(self) -> str:
        if self.low is None:
            return ""
        low = f"{self.low:.12g}"
        if self.high is None:
            return f" above {low}" if self.low_open else f", {low} or more"
        high = f"{self.high:.12g}"
        return f" from {low} to {'below ' if self.high_open else ''}{high}"


def fields_of(part: type[Struct]) -> tuple[FieldInfo, ...]:
    """Return the fields of a class of the experiment, such as ``Data``, in the order of ``spec.py``.

    Fields that are parts themselves (``Experiment.data``, ``Cures.pretrain``) are left out: see ``parts_of``.
    """
    return _fields_of(part, tuple(ACTIVATIONS), tuple(OPTIMIZERS))


@cache
def _fields_of(part: type[Struct], *choices: tuple[str, ...]) -> tuple[FieldInfo, ...]:
    """Return the fields of a part. The ``choices``, which can be registered, are arguments only for the cache's key."""
    hints = get_type_hints(part, include_extras=True)
    inner = parts_of(part)
    return tuple(
        _info(field.name, hints[field.name], _default(field))
        for field in struct_fields(part)
        if field.name not in inner
    )


@cache
def parts_of(part: type[Struct]) -> dict[str, type[Struct]]:
    """Return the fields of a part that are parts themselves; for ``Experiment.net`` the part in the list."""
    found: dict[str, type[Struct]] = {}
    for name, hint in get_type_hints(part).items():
        inner = get_args(hint)[0] if get_origin(hint) is tuple else hint
        if isinstance(inner, type) and issubclass(inner, Struct):
            found[name] = inner
    return found


def _info(name: str, hint: Any, default: object) -> FieldInfo:
    bare, meta, doc = _unwrap(hint)
    if meta and meta.extra:
        return FieldInfo(name, "choice", default, choices=tuple(meta.extra["choices"]), doc=doc)
    if get_origin(bare) is Literal:
        return FieldInfo(name, "choice", default, choices=get_args(bare), doc=doc)
    words: tuple[str, ...] = ()
    kind: Kind
    if get_origin(bare) in (Union, UnionType):
        number, word = get_args(bare)
        bare, meta, _ = _unwrap(number)
        kind, words = "float-or-word", get_args(word)
    else:
        kinds: dict[type, Kind] = {int: "int", float: "float", str: "text"}
        kind = kinds[bare]
    text = (meta.description or "") if meta else ""
    return FieldInfo(name, kind, default, words, *_bounds(bare, meta), text, doc)


def _unwrap(hint: Any) -> tuple[Any, Meta | None, str]:
    """Return the bare type of an annotation, its bounds and its text."""
    if get_origin(hint) is not Annotated:
        return hint, None, ""
    bare, *notes = get_args(hint)
    meta = next((note for note in notes if isinstance(note, Meta)), None)
    return bare, meta, next((note for note in notes if isinstance(note, str)), "")


def _bounds(bare: Any, meta: Meta | None) -> tuple[float | None, float | None, bool, bool]:
    if meta is None:
        return None, None, False, False
    if bare is str:
        return meta.min_length, meta.max_length, False, False
    low = meta.ge if meta.gt is None else meta.gt
    if bare is int and meta.lt is not None:
        return low, meta.lt - 1, False, False
    high = meta.le if meta.lt is None else meta.lt
    return low, high, meta.gt is not None, meta.lt is not None


def _default(field: Any) -> object:
    return None if field.default is NODEFAULT else field.default
