"""Choose among runs by a text that a person types: ``findings:vanishing depth>20 -tag:old sigmoid``.

A filter consists of words separated by spaces, and a run must fit all of them:

- ``sigmoid``: its name, its folder, its note or a tag contains this; ``"two words"`` includes the blank;
- ``status:finished``, ``findings:vanishing``, ``tag:paper``, ``name:sig*``, ``id:2026*``: the value is this, with ``*``
  for anything and ``,`` between alternatives; ``findings:none``, ``tag:none`` and ``note:none`` fit runs without any;
  ``note:*clip*`` fits a part of the note;
- ``depth>20``, ``step``, ``accuracy<50%`` (on the test set, or else on the training set), ``train``, ``test``,
  ``loss``, ``seconds``, ``age<2h`` (s, min, h or d): also with ``>=``, ``<=``, ``=`` and ``!=``;
- ``optimizer.lr>=0.1``, ``net.0.activation:relu``: any field of the experiment, by its dotted path;
- ``config.lr>=0.1``, ``config.model.name:vit*``: any field of the configuration that a script gave to ``watch``;
- ``-tag:old``: the run does not fit what follows the minus.

Capitals make no difference. A value that a run does not have fits no comparison.
"""

from __future__ import annotations

import operator
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from gradtui.experiment.toml import field_at, value_in
from gradtui.runs.run_info import RunInfo

CONFIG = "config."
"""The beginning of the fields of a script's configuration."""
Test = Callable[[RunInfo], bool]

_WORD = re.compile(r'(?:[^\s"]|"[^"]*")+')
_TERM = re.compile(
    r"(?P<key>[a-z_][a-z0-9_.]*)(?P<sign>:|>=|<=|!=|=|>|<)(?P<value>.*)\Z", re.IGNORECASE | re.DOTALL
)
_UNITS = {"%": 0.01, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "k": 1e3, "m": 1e6}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ":": operator.eq, "=": operator.eq, "!=": operator.ne,
    ">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le,
}  # fmt: skip


class FilterError(ValueError):
    """A FilterError says in one line which word of a filter cannot be understood."""


@dataclass(frozen=True)
class Filter:
    """A Filter holds a test for each word that was typed."""

    tests: tuple[Test, ...] = ()

    def matches(self, info: RunInfo) -> bool:
        """Return whether the run fits every word."""
        return all(test(info) for test in self.tests)


def accuracy_of(info: RunInfo) -> float | None:
    """Return the accuracy on the test set; if there is none, on the training set."""
    summary = info.summary
    return summary.test if summary.test is not None else summary.train


_WORDS: dict[str, Callable[[RunInfo], Iterable[str]]] = {
    "name": lambda info: (info.name,),
    "id": lambda info: (info.id,),
    "status": lambda info: (info.status.state,),
    "findings": lambda info: info.summary.findings or ("none",),
    "tag": lambda info: info.label.tags or ("none",),
    "note": lambda info: (info.note or "none",),
}
_NUMBERS: dict[str, Callable[[RunInfo], float | None]] = {
    "depth": lambda info: info.summary.depth or None,
    "step": lambda info: info.steps,
    "accuracy": accuracy_of,
    "train": lambda info: info.summary.train,
    "test": lambda info: info.summary.test,
    "loss": lambda info: info.summary.loss,
    "seconds": lambda info: info.summary.seconds,
    "age": lambda info: time.time() - info.started if info.started else None,
}
_OTHERWISE = {"finding": "findings", "notes": "note", "tags": "tag", "state": "status", "steps": "step"}
KEYS = (*_WORDS, *_NUMBERS)


def parse_filter(text: str, *, typing: bool = False) -> Filter:
    """Return the filter of a text. With `typing`, the last word may be the beginning of a longer one.

    Raises FilterError.
    """
    if text.count('"') % 2:
        raise FilterError('a " that is not closed')
    words = _WORD.findall(text)
    goes_on = len(words) - 1 if typing and text[-1:] not in ('"', " ") else -1
    return Filter(tuple(_test(word, at == goes_on) for at, word in enumerate(words)))


def _test(word: str, goes_on: bool) -> Test:
    if word.startswith("-") and (bare := word.lstrip("-")):
        # Adding them one by one would nest as many functions.
        test = _test(bare, goes_on)
        return partial(_fails, test) if (len(word) - len(bare)) % 2 else test
    found = _TERM.match(word)
    if found is None:
        return partial(_holds, word.replace('"', "").lower())
    key, sign, value = found["key"].lower(), found["sign"], found["value"].replace('"', "")
    key = _OTHERWISE.get(key, key)
    if not value:
        raise FilterError(f"{word.rstrip(':')}: the value of {key} is missing")
    if goes_on and sign == ":" and key in _WORDS:
        value += "*"
    if key in _WORDS:
        return _word_test(_WORDS[key], key, sign, value)
    if key in _NUMBERS:
        return partial(_compares, _NUMBERS[key], _COMPARE[sign], _number(key, value))
    if key.startswith(CONFIG):
        return _config_test(key.removeprefix(CONFIG), sign, value)
    if "." in key or key == "seed":
        return _field_test(key, sign, value)
    raise FilterError(f"{key}: unknown field; the fields are {', '.join(KEYS)}, and fields like optimizer.lr")


def _word_test(get: Callable[[RunInfo], Iterable[str]], key: str, sign: str, value: str) -> Test:
    if sign not in (":", "=", "!="):
        raise FilterError(f"{key}{sign}{value}: {key} is not a number; write {key}:{value}")
    wanted = value.lower().split(",")
    fits = partial(_is_one_of, get, wanted)
    return partial(_fails, fits) if sign == "!=" else fits


def _field_test(path: str, sign: str, value: str) -> Test:
    """Return the test of a field of the experiment, given by its dotted path."""
    info = field_at(tuple(path.split(".")))
    if info is None:
        raise FilterError(f"{path}: an experiment has no such field")
    get = partial(_field, path=path)
    if info.kind in ("int", "float"):
        return partial(_compares, get, _COMPARE[sign], _number(path, value))
    return _word_test(partial(_field_word, path=path), path, sign, value)


def _config_test(path: str, sign: str, value: str) -> Test:
    """Return the test of a field of a script's configuration: by number if the value is one, else by word."""
    words = partial(_word_test, partial(_config_words, path=path), CONFIG + path)
    try:
        number = _number(path, value)
    except FilterError:
        return words(sign, value)
    compared = partial(_compares, partial(_config_number, path=path), _COMPARE[sign], number)
    return compared if sign not in (":", "=") else partial(_either, compared, words(sign, value))


def _either(one: Test, other: Test, info: RunInfo) -> bool:
    return one(info) or other(info)


def _config_value(info: RunInfo, path: str) -> Any:
    # Capitals make no difference.
    return next((value for name, value in info.config.items() if name.lower() == path), None)


def _config_number(info: RunInfo, path: str) -> float | None:
    value = _config_value(info, path)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _config_words(info: RunInfo, path: str) -> tuple[str, ...]:
    value = _config_value(info, path)
    return () if value is None else (str(value),)


def _number(key: str, text: str) -> float:
    found = re.fullmatch(
        r"(?P<number>[^a-z%]*(?:e[+-]?\d+)?|nan|-?inf)(?P<unit>%|min|[shdkm])?", text.lower()
    )
    try:
        return float(found["number"].replace(",", "")) * _UNITS.get(found["unit"] or "", 1.0)  # type: ignore[index]
    except (TypeError, ValueError):
        raise FilterError(f"{key}: {text!r} is not a number") from None


def _fails(test: Test, info: RunInfo) -> bool:
    return not test(info)


def _holds(word: str, info: RunInfo) -> bool:
    return any(word in text.lower() for text in (info.name, info.id, info.note, *info.label.tags))


def _is_one_of(get: Callable[[RunInfo], Iterable[str]], wanted: list[str], info: RunInfo) -> bool:
    return any(fnmatchcase(word.lower(), pattern) for word in get(info) for pattern in wanted)


def _compares(
    get: Callable[[RunInfo], float | None], compare: Callable[[Any, Any], bool], number: float, info: RunInfo
) -> bool:
    value = get(info)
    # NaN is a value like others, but fits no comparison; two NaN are equal.
    alike = value is not None and value != value and number != number
    return value is not None and (compare(0, 0) if alike else compare(value, number))


def _field(info: RunInfo, path: str) -> Any:
    return value_in(info.experiment, tuple(path.split(".")))


def _field_word(info: RunInfo, path: str) -> tuple[str, ...]:
    value = _field(info, path)
    return () if value is None else (str(value),)
