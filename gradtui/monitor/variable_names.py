"""Find names for the runs and models of a watched command: those of the script, its variables and its classes."""

from __future__ import annotations

import inspect
import os
import sys
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from torch import nn

from gradtui.monitor.layers import class_name, unwrapped

NO_SCRIPTS = ("", "-", "-c", "-m", "ipykernel_launcher", "pytest", "py.test")
"""Names of programs that say nothing about the training."""

CONTAINERS = (dict, OrderedDict, list, tuple)
LARGEST_CONTAINER = 1000
"""The most objects of a container that are searched."""


def script_name() -> str:
    """Return the name of the script, the package or the test that runs; empty where it has none."""
    # A script that a test has started is not a test itself.
    if "pytest" in sys.modules and (test := os.environ.get("PYTEST_CURRENT_TEST")):
        # The form is "tests/test_net.py::test_it (call)".
        return test.rpartition("/")[2].partition(" (")[0]
    script = Path(sys.argv[0] if sys.argv else "")
    name = script.parent.name if script.stem == "__main__" else script.stem
    return "" if name in NO_SCRIPTS else name


def model_name(model: nn.Module) -> str:
    """Return the name of a model's class, without wrappers."""
    return class_name(model)


def variable_name(wanted: Any) -> str:
    """Return the name of the script's variable or attribute that holds an object; "" if none is found.

    The variables of all running functions are searched. The script's own come first, because in libraries every model
    may be called `model`. An object in a dict has its key as its name, and one in a list is `variable[0]`.
    """
    in_container = ""
    for frame in reversed(list(_frames())):
        for variables in _scopes(frame):
            for name, value in list(variables.items()):
                if name.startswith("_"):
                    continue
                if value is wanted:
                    return name
                # Tools that rewrite code, such as pytest, have variables whose names are no identifiers.
                if not in_container and name.isidentifier():
                    in_container = _name_within(name, value, wanted)
    return in_container


def _name_within(variable: str, container: Any, wanted: Any) -> str:
    """Return the name of an object in a small dict, list or tuple of the script; "" if it is not there."""
    if type(container) not in CONTAINERS or len(container) > LARGEST_CONTAINER:
        return ""
    if isinstance(container, dict):
        key = next((key for key, value in list(container.items()) if value is wanted), None)
        return key if isinstance(key, str) else ""
    place = next((place for place, value in enumerate(container) if value is wanted), None)
    return "" if place is None else f"{variable}[{place}]"


def names_of(things: Sequence[Any], otherwise: Sequence[str]) -> list[str]:
    """Return different names of things: those of their variables, or else those in `otherwise`."""
    names: list[str] = []
    for thing, fallback in zip(things, otherwise, strict=True):
        name = variable_name(thing) or (
            variable_name(unwrapped(thing)) if isinstance(thing, nn.Module) else ""
        )
        name = (name or fallback).replace(".", "_")
        count, free = 1, name
        while free in names:
            count += 1
            free = f"{name} {count}"
        names.append(free)
    return names


def _frames() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.partition(".")[0] not in ("torch", "gradtui", "sitecustomize"):
            yield frame
        frame = frame.f_back


def _scopes(frame: FrameType) -> Iterator[dict[str, Any]]:
    own = _locals(frame)
    yield own
    if isinstance(attributes := getattr(own.get("self"), "__dict__", None), dict):
        yield attributes
        if isinstance(modules := attributes.get("_modules"), dict):
            yield modules
    yield frame.f_globals


def _locals(frame: FrameType) -> dict[str, Any]:
    """Return the variables of a running function, and leave no reference to them behind.

    Up to Python 3.12 a frame keeps the dictionary of its locals once it is read, and with it every object that the
    script deletes later. This empties the dictionary, unless the script holds it too, by `locals()`.
    """
    known = frame.f_locals
    found = dict(known)
    # There are three references: the frame's, that of `known`, and that of the call.
    unshared = sys.getrefcount(known) <= 3
    if frame.f_code.co_flags & inspect.CO_OPTIMIZED and type(known) is dict and unshared:
        known.clear()
    return found
