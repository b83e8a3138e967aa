"""Try random cases for a number of seconds, and name the seed that reproduces each fault.

`GRADTUI_FUZZ_SECONDS=480 pytest -m long -k fuzz` tries each kind for eight minutes. `GRADTUI_FUZZ_SEED=17,18` tries
only these cases.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

SECONDS = float(os.environ.get("GRADTUI_FUZZ_SECONDS", "20"))
MOST_FAULTS = 20

Attack = Callable[[random.Random, Path], list[str]]
"""A function that makes one case in an empty folder, runs the program on it, and returns the program's faults."""


def fuzz(attack: Attack, place: Path) -> None:
    """Try cases until the time is over, and fail with all faults."""
    given = os.environ.get("GRADTUI_FUZZ_SEED", "")
    seeds: Iterator[int] = (
        map(int, given.split(",")) if given else count(random.SystemRandom().randrange(10**9))
    )
    end = time.monotonic() + SECONDS
    faults: list[str] = []
    tried = 0
    for seed in seeds:
        tried += 1
        faults += faults_of_case(attack, seed, place)
        if (not given and time.monotonic() > end) or len(faults) >= MOST_FAULTS:
            break
    print(f"{tried} cases")
    assert not faults, "\n".join(faults)


def warm(*modules: str) -> None:
    """Import modules once for all cases, which are forked from this process."""
    for name in modules:
        importlib.import_module(name)


def faults_of_case(attack: Attack, seed: int, place: Path) -> list[str]:
    """Return the faults of the program in the case of a seed."""
    case = place / "case"
    shutil.rmtree(case, ignore_errors=True)
    case.mkdir()
    return [f"seed {seed}: {fault}" for fault in attack(random.Random(seed), case)]


def toml(value: Any) -> str:
    """Return any value of JSON as TOML writes it inline; None, which TOML does not know, is an empty list."""
    if isinstance(value, dict):
        members = (f"{json.dumps(str(key))} = {toml(member)}" for key, member in value.items())
        return "{" + ", ".join(members) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    return "[]" if value is None else json.dumps(value)


def document(table: dict[str, Any]) -> str:
    """Return a table as a document of TOML, with numbers of any length and nested as deep as may be."""
    digits, depth = sys.get_int_max_str_digits(), sys.getrecursionlimit()
    sys.set_int_max_str_digits(0)
    sys.setrecursionlimit(20_000)
    try:
        return "".join(f"{json.dumps(str(key))} = {toml(value)}\n" for key, value in table.items())
    finally:
        sys.set_int_max_str_digits(digits)
        sys.setrecursionlimit(depth)
