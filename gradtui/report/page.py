"""A Page is what a shared report says, as plain data; `html_page` and `markdown_page` write it.

Every text in it may come from a run folder of another user. No block holds markup, apart from the drawings, which
`gradtui.charts.svg` has made and whose texts it has escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


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
    """A Notice is a finding: how severe it is, its code, what that means, where it was seen, and the evidence."""

    severity: str
    code: str
    title: str
    where: str
    evidence: str


@dataclass(frozen=True)
class Advice:
    """An Advice is a change that may help: its name, why, what it costs, and what one types for it."""

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
    """A Picture is a chart: as SVG, and as lines of text for where no SVG is shown."""

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
    """A Folding shows its title, and its blocks once one asks for them."""

    title: str
    blocks: Sequence[Block]


Block = Heading | Prose | Source | Notice | Advice | Grid | Picture | Columns | Folding


@dataclass(frozen=True)
class Page:
    """A Page is a title and blocks, in the order in which they are read."""

    title: str
    blocks: Sequence[Block]
    made: str
    """The line at the end: which program made it, and when."""
