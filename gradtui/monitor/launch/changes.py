"""Parse the changes of a training that `gradtui watch --try` makes at run time, from the text of the command line."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

INITIALISATIONS = ("he", "xavier", "orthogonal", "default")
_BETWEEN_PARTS = re.compile(r"\+(?=[a-z])")
"""Matches the separator of the parts of a change, such as `lr=x0.1+clip=1`, but not the plus sign of 1e+3."""


class WrongChange(ValueError):
    """A WrongChange error says in one line what is wrong with the text of a change."""


@dataclass(frozen=True)
class ChangePart:
    """A ChangePart changes one setting of a training."""

    setting: str
    """One of SETTINGS."""
    numbers: tuple[float, ...] = ()
    factor: bool = False
    """Whether the number multiplies what the script has, instead of replacing it."""
    word: str = ""
    """The name of an initialisation."""

    @property
    def number(self) -> float:
        """Return its only number."""
        return self.numbers[0]

    def applied(self, before: float) -> float:
        """Return the value that replaces the script's own."""
        return before * self.number if self.factor else self.number


@dataclass(frozen=True)
class TrialChange:
    """A TrialChange is what a trial changes in the training: one or several parts, such as `lr=x0.1+clip=1`."""

    text: str
    """The text of the command line; empty for the unchanged training."""
    parts: tuple[ChangePart, ...] = ()

    def part(self, setting: str) -> ChangePart | None:
        """Return the part that changes a setting; None where there is none."""
        return next((part for part in self.parts if part.setting == setting), None)


def parse_change(text: str) -> TrialChange:
    """Return the change that a text such as `lr=x0.1` describes. Raises WrongChange."""
    parts = tuple(_parse_part(part) for part in _BETWEEN_PARTS.split(text)) if text else ()
    names = [part.setting for part in parts]
    if double := next((name for name in names if names.count(name) > 1), ""):
        raise WrongChange(f"{text}: {double} is given twice")
    return TrialChange(text, parts)


def _parse_part(text: str) -> ChangePart:
    name, separator, value = text.partition("=")
    setting = SETTINGS.get(name)
    if setting is None:
        near = get_close_matches(name, SETTINGS, 1)
        hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(SETTINGS)}, or all"
        raise WrongChange(f"{text}: no change is called {name or 'that'}; {hint}")
    if bool(separator) != setting.takes_value:
        raise WrongChange(f"{text}: expected {name}{f'={setting.form}' if setting.takes_value else ''}")
    part = setting.parse(name, value)
    if part is None:
        raise WrongChange(f"{text}: expected {name}={setting.form}")
    return part


@dataclass(frozen=True)
class Setting:
    """A Setting is something that a trial can change, and how its value is written."""

    form: str
    """The words for what is expected behind the equals sign."""
    parse: Callable[[str, str], ChangePart | None]
    """A function that returns the part for a name and a value; None for a wrong value."""
    takes_value: bool = True


def _number(
    least: float, *, factor: bool = False, above: bool = True
) -> Callable[[str, str], ChangePart | None]:
    """Return a parser of a number that is above `least`, or at least `least`, or of a factor such as x0.1."""

    def parse(name: str, value: str) -> ChangePart | None:
        is_factor = factor and value.startswith("x")
        number = _as_number(value[1:] if is_factor else value)
        if not math.isfinite(number) or number < least or (above and number == least):
            return None
        if is_factor and number == 1:
            return None
        return ChangePart(name, (number,), factor=is_factor)

    return parse


def _betas(name: str, value: str) -> ChangePart | None:
    numbers = tuple(_as_number(part) for part in value.split(","))
    fits = len(numbers) == 2 and all(0 <= number < 1 for number in numbers)
    return ChangePart(name, numbers) if fits else None


def _steps(name: str, value: str) -> ChangePart | None:
    fits = value.isascii() and value.isdecimal() and len(value) <= 10 and 1 <= int(value) <= 10**9
    return ChangePart(name, (float(value),)) if fits else None


def _initialisation(name: str, value: str) -> ChangePart | None:
    return ChangePart(name, word=value) if value in INITIALISATIONS else None


def _without_value(name: str, value: str) -> ChangePart | None:
    return ChangePart(name)


def _as_number(text: str) -> float:
    # Python also reads "1_0" and " 1" as numbers, but here they are mistakes.
    try:
        return float(text) if re.fullmatch(r"[-+0-9.eE]+", text) else math.nan
    except ValueError:
        return math.nan


SETTINGS = {
    "lr": Setting("0.01 or x0.1, a rate above 0 or a factor", _number(0, factor=True)),
    "clip": Setting("1.0, the largest norm of the gradient", _number(0)),
    "clip_value": Setting("0.5, the largest number in the gradient", _number(0)),
    "weight_decay": Setting("0.01 or x0.1, not below 0", _number(0, factor=True, above=False)),
    "init": Setting(f"one of {', '.join(INITIALISATIONS)}", _initialisation),
    "eps": Setting("1e-6 or x100, above 0", _number(0, factor=True)),
    "betas": Setting("0.9,0.95, two numbers from 0 to below 1", _betas),
    "loss_scale": Setting("1024, above 0", _number(0)),
    "warmup": Setting("50, a number of steps", _steps),
    "skip_nonfinite": Setting("", _without_value, takes_value=False),
}
"""What a trial can change, by its name on the command line."""


def problem_with_steps(change: TrialChange, steps: int) -> str:
    """Return in one line why a change has no effect within `steps` steps; empty if it can have one."""
    warmup = change.part("warmup")
    if warmup is not None and warmup.number >= steps:
        return f"{change.text}: the trial has only {steps} steps, all of them in the warm-up"
    return ""
