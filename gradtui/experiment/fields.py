"""The fields of each part of an experiment: kind, range, default and the text beneath it in ``spec.py``.

The builder on the screen draws its inputs from this, and the errors say from it what is allowed, so a range
or a choice is written once, in the annotations of ``spec.py``.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from msgspec import NODEFAULT, Meta, Struct
from msgspec.structs import fields as struct_fields

from gradtui.experiment import spec
from gradtui.experiment.activations import ACTIVATIONS
from gradtui.experiment.optimizers import OPTIMIZERS

Kind = Literal["choice", "int", "float", "text", "float-or-word"]


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """One field as a person sees it.

    ``low`` and ``high`` are the bounds (of text: its length), None where there is none; ``low_open`` and
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
        """What may stand here, in words: ``a whole number from 1 to 65536``."""
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
    """The fields of ``Data``, ``Group``, ``Optimizer`` …, in the order of ``spec.py``.

    Fields that are parts themselves (``Experiment.data``, ``Cures.pretrain``) are left out: see ``parts_of``.
    """
    return _fields_of(part, tuple(ACTIVATIONS), tuple(OPTIMIZERS))


@cache
def _fields_of(part: type[Struct], *choices: tuple[str, ...]) -> tuple[FieldInfo, ...]:
    """Return the fields of a part. The ``choices`` are words that can be registered, for the cache to know of them."""
    hints = get_type_hints(part, include_extras=True)
    docs = _docs().get(part.__name__, {})
    inner = parts_of(part)
    return tuple(
        _info(field.name, hints[field.name], _default(field), docs.get(field.name, ""))
        for field in struct_fields(part)
        if field.name not in inner
    )


@cache
def parts_of(part: type[Struct]) -> dict[str, type[Struct]]:
    """The fields of a part that are parts themselves; of ``Experiment.net`` the part in the list."""
    found: dict[str, type[Struct]] = {}
    for name, hint in get_type_hints(part).items():
        inner = get_args(hint)[0] if get_origin(hint) is tuple else hint
        if isinstance(inner, type) and issubclass(inner, Struct):
            found[name] = inner
    return found


def _info(name: str, hint: Any, default: object, doc: str) -> FieldInfo:
    hint, meta = _unwrap(hint)
    low, high, low_open, high_open = _bounds(hint, meta)
    words: tuple[str, ...] = ()
    kind: Kind
    if meta and meta.extra:
        return FieldInfo(name, "choice", default, choices=tuple(meta.extra["choices"]), doc=doc)
    if get_origin(hint) is Literal:
        return FieldInfo(name, "choice", default, choices=get_args(hint), doc=doc)
    if get_origin(hint) in (Union, UnionType):
        number, word = get_args(hint)
        number, meta = _unwrap(number)
        low, high, low_open, high_open = _bounds(number, meta)
        kind, words = "float-or-word", get_args(word)
    else:
        kinds: dict[type, Kind] = {int: "int", float: "float", str: "text"}
        kind = kinds[hint]
    return FieldInfo(
        name,
        kind,
        default,
        words,
        low,
        high,
        low_open,
        high_open,
        (meta.description or "") if meta else "",
        doc,
    )


def _unwrap(hint: Any) -> tuple[Any, Meta | None]:
    if get_origin(hint) is not Annotated:
        return hint, None
    bare, meta = get_args(hint)
    return bare, meta


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


@cache
def _docs() -> dict[str, dict[str, str]]:
    """The string beneath each field of each class of ``spec.py``. Python itself keeps it nowhere."""
    tree = ast.parse(Path(spec.__file__).read_text(encoding="utf-8"))
    docs: dict[str, dict[str, str]] = {}
    for part in tree.body:
        if not isinstance(part, ast.ClassDef):
            continue
        texts = docs.setdefault(part.name, {})
        for above, below in zip(part.body, part.body[1:], strict=False):
            if (
                isinstance(above, ast.AnnAssign)
                and isinstance(above.target, ast.Name)
                and isinstance(below, ast.Expr)
                and isinstance(below.value, ast.Constant)
                and isinstance(below.value.value, str)
            ):
                texts[above.target.id] = " ".join(below.value.value.split())
    return docs
