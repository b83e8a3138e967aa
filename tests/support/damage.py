"""Damage files as disks, editors and attackers do: replace them, cut them, flip bytes, or put in odd values."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

DIGITS = 10**400

ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    1e300,
    -1e300,
    2**31,
    2**63,
    -(2**63),
    DIGITS,
    "",
    "x",
    "nan",
    "inf",
    "-inf",
    "a\0b",
    "\ud800",
    "../../x",
    "/etc/passwd",
    "\x1b[2J",
    "9" * 5000,
    "w" * 100_000,
    [],
    {},
    [1, "a", None],
    {"a": 1},
    [[1]],
)
"""Values that may replace any other in JSON."""


def deep(levels: int = 900) -> str:
    """Return JSON that is nested this deep."""
    return '{"a":' * levels + "1" + "}" * levels


def fifo(path: Path) -> None:
    """Replace the file by a FIFO."""
    _clear(path)
    os.mkfifo(path)


def folder(path: Path) -> None:
    """Replace the file by a folder."""
    _clear(path)
    path.mkdir()


def socket_file(path: Path) -> None:
    """Replace the file by a socket."""
    _clear(path)
    here = Path.cwd()
    # The path of a socket has 107 characters at most.
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind(path.name)
    finally:
        os.chdir(here)


def linked_to(target: str) -> Callable[[Path], None]:
    """Return a function that replaces a file by a symbolic link to `target`."""

    def damage(path: Path) -> None:
        _clear(path)
        path.symlink_to(target if target != "itself" else path)

    return damage


def holding(content: bytes) -> Callable[[Path], None]:
    """Return a function that replaces a file's content by other bytes."""

    def damage(path: Path) -> None:
        _clear(path)
        path.write_bytes(content)

    return damage


def hole(path: Path, size: int = 4_000_000_000) -> None:
    """Make the file 4 GB long without using space on the disk."""
    if not path.is_file():
        _clear(path)
        path.touch()
    os.truncate(path, size)


REPLACED: dict[str, Callable[[Path], None]] = {
    "fifo": fifo,
    "folder": folder,
    "socket": socket_file,
    "zeros without end": linked_to("/dev/zero"),
    "terminal": linked_to("/dev/tty"),
    "link to itself": linked_to("itself"),
    "link to nothing": linked_to("nothing"),
    "link to a folder": linked_to("/"),
    "hole of 4 GB": hole,
    "empty": holding(b""),
    "one null": holding(b"\0"),
    "nulls": holding(b"\0" * 10_000),
    "random bytes": holding(random.Random(1).randbytes(10_000)),
    "no UTF-8": holding(b'{"name": "\xff\xfe"}\n'),
    "UTF-16": holding("{}".encode("utf-16")),
    "nested 900 deep": holding(deep().encode() + b"\n"),
    "nested 100,000 deep": holding(deep(100_000).encode() + b"\n"),
    "lists 100,000 deep": holding(b"[" * 100_000),
    "dots 900 deep": holding(b"a" + b".a" * 900 + b" = 1\n"),
    "400 digits": holding(
        f'{{"steps": {DIGITS}, "step": {DIGITS}, "time": {DIGITS}, "event": "end"}}\n'.encode()
    ),
    "5,000 digits": holding(b'{"steps": ' + b"9" * 5000 + b"}\n"),
    "a number alone": holding(b"1"),
    "null": holding(b"null"),
    "a list": holding(b"[]"),
    "an empty object": holding(b"{}\n"),
    "a long line": holding(b'{"event": "' + b"x" * 5_000_000 + b'"}\n'),
}
"""The ways to replace a file."""


def cut(path: Path, rng: random.Random) -> None:
    """Cut the file off."""
    size = path.stat().st_size
    os.truncate(path, rng.randrange(size) if size else 0)


def flip(path: Path, rng: random.Random) -> None:
    """Change a few bytes."""
    content = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 3, 30))):
        if content:
            content[rng.randrange(len(content))] = rng.randrange(256)
    path.write_bytes(bytes(content))


def odd_numbers(path: Path, rng: random.Random) -> None:
    """Put extreme steps, times or values into the records of a table."""
    content = bytearray(path.read_bytes())
    odd = [
        struct.pack("<d", value)
        for value in (1e300, -1e300, float("nan"), float("inf"), float("-inf"), 0.0, -1.0, 5e-324)
    ]
    odd += [struct.pack("<I", value) for value in (0, 2**32 - 1, 2**31)]
    for _ in range(rng.choice((1, 5, 50))):
        piece = rng.choice(odd)
        if len(content) > len(piece):
            at = rng.randrange(len(content) - len(piece)) // 4 * 4
            content[at : at + len(piece)] = piece
    path.write_bytes(bytes(content))


def odd_json(path: Path, rng: random.Random) -> None:
    """Change values of a JSON file, or of some lines of it."""
    lines = path.read_bytes().decode(errors="replace")
    whole = not path.name.endswith(".jsonl")
    texts = [lines] if whole else lines.splitlines()
    for _ in range(rng.choice((1, 1, 3, 10))):
        if not texts:
            return
        number = rng.randrange(len(texts))
        try:
            value = json.loads(texts[number])
        except (ValueError, RecursionError):
            continue
        texts[number] = json.dumps(changed(value, rng))
    path.write_bytes(("\n".join(texts) + "\n").encode(errors="surrogatepass"))


def changed(value: Any, rng: random.Random) -> Any:
    """Return the value with one member changed, removed or added."""
    if isinstance(value, dict) and value:
        key = rng.choice(list(value))
        what = rng.randrange(6)
        if what == 0:
            return {name: member for name, member in value.items() if name != key}
        if what == 1:
            return {**value, rng.choice(("x", "event", "step", "time", "", "code", "set")): odd_value(rng)}
        if what == 2 or not isinstance(value[key], dict | list):
            return {**value, key: odd_value(rng)}
        return {**value, key: changed(value[key], rng)}
    if isinstance(value, list) and value:
        at = rng.randrange(len(value))
        return [*value[:at], changed(value[at], rng), *value[at + 1 :]]
    return odd_value(rng)


def odd_value(rng: random.Random) -> Any:
    """Return a value that does not fit; seldom, it is nested deep."""
    if rng.randrange(20) == 0:
        return json.loads(deep(rng.choice((70, 300, 900))))
    return rng.choice(ODD_VALUES)


def odd_text(path: Path, rng: random.Random) -> None:
    """Change a line of a text such as TOML."""
    lines = path.read_bytes().decode(errors="replace").splitlines() or [""]
    value = rng.choice(
        ("1e300", "9" * 400, "9" * 5000, '"x"', "[]", "{}", "nan", "inf", "-1", "true", '"\\u0000"', "a")
    )
    at = rng.randrange(len(lines))
    key = lines[at].partition("=")[0]
    lines[at] = rng.choice(
        (f"{key}= {value}", f"{key}", value, f"x = {value}", "a" + ".a" * 300 + " = 1", "")
    )
    path.write_text("\n".join(lines))


def damage_at_random(path: Path, rng: random.Random) -> str:
    """Damage a file in one random way, and return the name of that way."""
    if rng.random() < 0.35 or not path.is_file():
        name = rng.choice(list(REPLACED))
        REPLACED[name](path)
        return name
    ways = [cut, flip]
    if path.suffix in (".json", ".jsonl"):
        ways += [odd_json] * 8
    elif path.suffix == ".f32":
        ways += [odd_numbers] * 4
    else:
        ways += [odd_text] * 4
    way = rng.choice(ways)
    way(path, rng)
    return way.__name__


def _clear(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
