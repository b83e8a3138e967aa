"""Define the parts of a shared report as plain data, which `html_page` and `markdown_page` write.

Every text of a page may come from a run folder of another user. No block holds markup, apart from the drawings, which
`gradtui.charts.svg` makes and whose texts it escapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SEVERITY_MARKS = {"critical": "✖", "warning": "▲", "info": "·"}


@dataclass(frozen=True)
class Heading:
    """A Heading begins a section; level 2 is the highest."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Prose:
    """A Prose is a paragraph; style: "" or the name of one of the page's styles ("lead", "weak", "good")."""

    text: str
    style: str = ""


@dataclass(frozen=True)
class Source:
    """A Source is a text to copy, with its line breaks."""

    text: str


@dataclass(frozen=True)
class Notice:
    """A Notice is a finding: its severity, its code, what the code means, where it was found, and the evidence."""

    severity: str
    code: str
    title: str
    where: str
    evidence: str


@dataclass(frozen=True)
class Advice:
    """An Advice is a change that may help: its name, its reason, its cost, and the text to type for it."""

    name: str
    why: str
    price: str
    source: str


@dataclass(frozen=True)
class Grid:
    """A Grid is a table; the first row is its heading. Columns after the first hold numbers where `numbers` is set."""

    rows: Sequence[Sequence[str]]
    numbers: bool = True


@dataclass(frozen=True)
class Picture:
    """A Picture is a chart, both as SVG and as lines of text for viewers without SVG."""

    title: str
    caption: str
    svg: str
    text: str


@dataclass(frozen=True)
class Columns:
    """Columns are two stacks of pictures, side by side where there is room."""

    left: Sequence[Picture]
    right: Sequence[Picture]


@dataclass(frozen=True)
class Folding:
    """A Folding shows its title, and its blocks only after the reader opens it."""

    title: str
    blocks: Sequence[Block]


Block = Heading | Prose | Source | Notice | Advice | Grid | Picture | Columns | Folding


@dataclass(frozen=True)
class Page:
    """A Page is a title and blocks, in the order in which they are read."""

    title: str
    blocks: Sequence[Block]
    made: str
    """The last line, which says which program made the page, and when."""
