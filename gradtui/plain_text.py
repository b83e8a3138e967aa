"""Make text from run folders and files harmless for terminals and spreadsheets.

A name, a tag, a finding or an error may come from a folder that somebody else wrote. Its control characters could
control the terminal, its line breaks could forge lines of a report, and its bidirectional overrides could reorder what
is shown. Every text that gradtui prints, paints or exports passes through this file.
"""

from __future__ import annotations

import re

STAND_IN = "�"
"""The character that replaces a harmful one."""

_FORBIDDEN = (
    # Control characters of 7 and 8 bits, and the soft hyphen.
    "\x00-\x1f\x7f-\x9f\xad"
    # Marks, embeddings, overrides and isolates that change the direction of text.
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"
    # Separators of lines and paragraphs, and invisible characters. Joiners stay, because emojis need them.
    "\u2028\u2029\u180e\u200b\u2060-\u2064\ufeff\ufff9-\ufffb"
    # Tags, and lone surrogates, which no encoding has.
    "\U000e0000-\U000e007f\ud800-\udfff"
)
_PATTERN = re.compile(f"[{_FORBIDDEN}]")
_FORMULA = re.compile(r"\s*[=+\-@]")


def plain(text: str, stand_in: str = STAND_IN) -> str:
    """Return a text on one line, with each harmful character replaced, so that the number of characters stays."""
    # Nearly every text is printable, and this check takes a fraction of the pattern's time.
    return text if text.isprintable() else _PATTERN.sub(stand_in, text)


def escape_json(text: str) -> str:
    r"""Return JSON in which the characters that `plain` replaces are written as \uXXXX."""
    return text if text.isprintable() else _PATTERN.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    return f"\\u{0xD800 + ((code - 0x10000) >> 10):04x}\\u{0xDC00 + ((code - 0x10000) & 0x3FF):04x}"


def spreadsheet_cell(value: object) -> object:
    """Return a value for CSV; a text that a spreadsheet would take for a formula gets an apostrophe in front."""
    if not isinstance(value, str):
        return value
    text = plain(value)
    return f"'{text}" if _FORMULA.match(text) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text
