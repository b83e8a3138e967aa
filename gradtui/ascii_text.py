"""Replace characters for terminals that show only ASCII: say when it is wanted, and what stands in for each
character.

The charts draw with ASCII characters of their own. Everything else, frames and marks and arrows and the text of a
person's files, is translated on its way to the terminal, cell for cell, so that nothing moves. The app and the
commands use the same table.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from rich.cells import cell_len, get_character_cell_size

_PLAIN_TERMINALS = frozenset({"linux", "vt100", "vt220", "ansi", "dumb"})
_COERCED = frozenset({"c.utf8", "utf8"})

_STAND_INS = {
    # Marks of states and findings: letters that are read, not boxes.
    "●": "*", "○": "-", "◌": "~", "◷": "@", "✖": "X", "✗": "X", "✓": "+", "▲": "!", "■": "#", "□": "o", "‖": "|",
    "◆": "*", "◇": "o", "•": "o", "·": ".", "…": "~", "∅": "0", "⚠": "!", "★": "*", "☆": "*",
    # Keys and directions.
    "←": "<", "→": ">", "↑": "^", "↓": "v", "↔": "-", "↕": "|", "⇥": ">", "⇤": "<", "⏎": "/", "↵": "/", "⌫": "<",
    "⌦": ">", "␣": "_", "⇧": "^", "‹": "<", "›": ">", "«": "<", "»": ">", "▶": ">", "▸": ">", "►": ">",
    "◀": "<", "◂": "<", "◄": "<", "▼": "|", "▾": "-", "△": "^", "▴": "+", "🔎": "/ ", "↻": "@",
    # Typography and mathematics.
    "–": "-", "—": "-", "−": "-", "⁻": "-", "‐": "-", "‑": "-", "‘": "'", "’": "'", "‚": ",", "“": '"', "”": '"',
    "„": '"', "′": "'", "″": '"', "×": "x", "÷": "/", "±": "+", "√": "V", "∞": "I", "≈": "~", "∼": "~", "≤": "<",
    "≥": ">", "≠": "!", "⊕": "+", "⋮": ":", "∇": "V", "∂": "d", "∈": "e", "°": "o", "ß": "s", "ø": "o", "Ø": "O",
    "æ": "a", "Æ": "A", "ł": "l", "Ł": "L", "đ": "d", "€": "E", "£": "L", "¥": "Y", "§": "S", "©": "c", "®": "r",
    "¦": "|", "∣": "|",
    "α": "a", "β": "b", "γ": "g", "δ": "d", "ε": "e", "ζ": "z", "η": "n", "θ": "t", "κ": "k", "λ": "l", "μ": "u",
    "ν": "v", "π": "p", "ρ": "r", "σ": "s", "τ": "t", "φ": "f", "χ": "x", "ψ": "y", "ω": "w", "Γ": "G", "Δ": "D",
    "Θ": "T", "Λ": "L", "Π": "P", "Σ": "S", "∑": "S", "Φ": "F", "Ψ": "Y", "Ω": "W",
    # Blocks: of frames and scroll bars, by where their ink is.
    "█": "#", "▉": "#", "▊": "|", "▋": "|", "▌": "|", "▍": "|", "▎": "|", "▏": "|", "▐": "|", "▕": "|", "▔": "-",
    "▀": '"', "▁": "_", "▂": "_", "▃": "-", "▄": "-", "▅": "=", "▆": "=", "▇": "#", "░": ":", "▒": "%", "▓": "#",
}  # fmt: skip


def ascii_wanted(charset: str, environ: Mapping[str, str]) -> bool:
    """Return whether to draw with ASCII only.

    Args:
        charset: "ascii", "unicode", or "auto": as the terminal and the locale say. $GRADTUI_CHARSET overrides it.
        environ: the environment.
    """
    asked = environ.get("GRADTUI_CHARSET", "").lower()
    charset = asked if asked in ("ascii", "unicode", "auto") else charset
    if charset != "auto":
        return charset == "ascii"
    return environ.get("TERM", "") in _PLAIN_TERMINALS or not _speaks_unicode(environ)


def _speaks_unicode(environ: Mapping[str, str]) -> bool:
    """Return False where the locale names an encoding other than UTF-8; one that names none counts as UTF-8."""
    language = environ.get("LANG", "")
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        locale = environ.get(name, "")
        _, dot, encoding = locale.partition("@")[0].rpartition(".")
        encoding = encoding.lower().replace("-", "")
        if locale in ("C", "POSIX"):
            return False
        if name == "LC_CTYPE" and locale.lower().replace("-", "") in _COERCED and language in ("C", "POSIX"):
            # Python itself sets this in the environment when the locale is C.
            continue
        if dot or encoding == "utf8":  # macOS sets LC_CTYPE=UTF-8
            return encoding == "utf8"
        if locale:
            return True
    return True


class _Table(dict[int, str]):
    """A _Table is what `str.translate` looks characters up in; it computes a missing stand-in once."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        found = self[code] = character if character.isascii() else _stand_in(character)
        return found


_TABLE = _Table({ord(character): stand_in for character, stand_in in _STAND_INS.items()})


def _stand_in(character: str) -> str:
    size = get_character_cell_size(character)
    if size != 1:
        # Combining marks have no cell of their own.
        return "?" * size
    code = ord(character)
    if 0x2500 <= code < 0x2580:
        return _line(unicodedata.name(character))
    if 0x2580 <= code < 0x25A0:
        return "#"
    if 0x2800 <= code < 0x2900:
        return " .:"[min(2, (code - 0x2800).bit_count())]
    if character.isspace():
        return " "
    letters = [c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c)]
    # é is an e, ² a 2; ½ would become 1 and is better not read at all.
    return _TABLE[ord(letters[0])] if len(letters) == 1 and letters[0] != character else "?"


def _line(name: str) -> str:
    """Return the stand-in of a piece of a frame or a rule, by its Unicode name."""
    words = set(name.replace("DOUBLE DASH", "DASH").split())
    lying, standing = words & {"HORIZONTAL", "LEFT", "RIGHT"}, words & {"VERTICAL", "UP", "DOWN"}
    if "DIAGONAL" in name:
        return "X" if "CROSS" in name else "/" if name.endswith("UPPER RIGHT TO LOWER LEFT") else "\\"
    if lying and standing:
        return "+"
    if standing:
        return "|"
    return "=" if words & {"HEAVY", "DOUBLE"} else "-"


def in_ascii(text: str) -> str:
    """Return the text in ASCII characters only, as many cells wide as before."""
    if text.isascii():
        return text
    # Of a mean with its deviation, a plus alone would make a sum. Dots that stand for something are dots; those of a
    # text that is cut have one cell.
    text = text.replace(" ± ", "+/-").replace(" …", "..")
    there = text.translate(_TABLE)
    return there if len(there) == cell_len(text) else _by_width(text)


def _by_width(text: str) -> str:
    """Translate character by character, where a joined character is narrower or wider than its parts."""
    parts: list[str] = []
    width = 0
    for end in range(1, len(text) + 1):
        grown = cell_len(text[:end]) - width
        parts.append(_TABLE[ord(text[end - 1])][: max(0, grown)].ljust(grown, "?"))
        width += max(0, grown)
    return "".join(parts)
