"""Provide texts with control sequences for a terminal, and find those that were let through."""

from __future__ import annotations

import re

KINDS = {
    "title": "\x1b]0;EVIL\x07",
    "clipboard": "\x1b]52;c;RVZJTA==\x07",
    "link": "\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\",
    "clear": "\x1b[2J\x1b[H",
    "colour": "\x1b[31;7mEVIL",
    "report": "\x1b[6n\x1b[c",
    "alternate screen": "\x1b[?1049l",
    "mouse": "\x1b[?1003h",
    "hidden cursor": "\x1b[?25l",
    "paste": "\x1b[?2004h\x1b[201~",
    "reset": "\x1bc",
    "device": "\x1bP+q544e\x1b\\",
    "application": "\x1b_Gi=1;EVIL\x1b\\",
    "privacy": "\x1b^EVIL\x1b\\",
    "8-bit sequence": "\x9b31mEVIL",
    "8-bit command": "\x9d0;EVIL\x9c",
    "bell": "\x07\x07",
    "backspace": "\x08\x08\x08good",
    "delete": "\x7f\x7f",
    "return": "\rfinished  healthy",
    "line": "\nfake  finished  healthy",
    "tab": "\t\v\f",
    "null": "\0",
    "next line": "\x85fake",
    "separators": "\u2028fake\u2029fake",
    "override": "\u202egnp.exe\u202c",
    "isolate": "\u2066\u2067txt\u2069",
    "marks": "\u200e\u200f\u061c",
    "not seen": "\u200b\ufeff\u2060\u00ad",
    "tags": "\U000e0001\U000e0041",
    "charset": "\x0e\x0f\x1b(0",
}
FORBIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]"
)
"""Matches what no line of a report may contain; it is independent of the program's own list."""
MARKUP = "[bold red]EVIL[/] [@click=app.quit]x[/]"

OF_THE_APP = re.compile(
    r"\x1b\]22;[a-z]*(?:\x1b\\|\x07)|\x1b\[\?[0-9]+\$p|\x1b\[[0-9;?=<>]*[A-Za-z~]|\x1b[=>78]"
    # The app's own copies go to the clipboard, but never those of the hostile texts.
    r"|\x1b\]52;c;(?!RVZJTA)[A-Za-z0-9+/=]*\x07"
)
"""Sequences that move the cursor, set colours and switch modes; the app sends these itself."""


def orders_in(text: str) -> list[str]:
    """Return the forbidden sequences that a command has printed, each with some characters before it."""
    lines = text.replace("\r\n", "\n").split("\n")
    return [line[max(0, found.start() - 20) :][:60] for line in lines for found in FORBIDDEN.finditer(line)]


def orders_on_screen(painted: str) -> list[str]:
    """Return the forbidden sequences that the app has painted, without those that the app itself sends."""
    return orders_in(OF_THE_APP.sub("", painted).replace("\r", ""))
