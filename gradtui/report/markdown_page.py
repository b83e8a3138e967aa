"""Write a page as Markdown; its charts are lines of text, which every viewer shows."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gradtui.plain_text import plain
from gradtui.report import page as kinds
from gradtui.report.page import SEVERITY_MARKS, Block, Page

_SPECIAL = re.compile(r"([\\`*_{}\[\]#|~!$^])")
_AT_FIRST = re.compile(r"^(\s*)([-+=]|\d+[.)])")
_LINKS = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;", "://": "&#58;//", "www.": "www&#46;"}
"""The characters that could become HTML, a mention or a link."""


def markdown_of(page: Page) -> str:
    """Return a page as the text of a Markdown file."""
    parts = [f"# {_text(page.title)}"]
    for block in page.blocks:
        parts += _block(block)
    return "\n\n".join([*parts, "---", _text(page.made)]) + "\n"


def _block(block: Block) -> Iterator[str]:
    match block:
        case kinds.Heading():
            yield f"{'#' * min(6, max(2, block.level))} {_text(block.text)}"
        case kinds.Prose():
            yield f"**{_text(block.text)}**" if block.style == "lead" else _text(block.text)
        case kinds.Source():
            yield _fenced(block.text)
        case kinds.Notice():
            mark = SEVERITY_MARKS.get(block.severity, SEVERITY_MARKS["warning"])
            title = block.title and f": {block.title}"
            yield f"**{mark} {_text(block.code)}**{_text(title)} – {_text(block.where)}"
            yield _text(block.evidence)
        case kinds.Advice():
            price = f" Costs: {_text(block.price)}" if block.price else ""
            yield f"**{_text(block.name)}**. {_text(block.why)}{price}"
            if block.source:
                yield _fenced(block.source)
        case kinds.Grid():
            yield _table(block)
        case kinds.Picture():
            yield from _picture(block)
        case kinds.Folding():
            yield f"*{_text(block.title)}*"
            for inner in block.blocks:
                yield from _block(inner)
        case kinds.Columns():
            for picture in (*block.left, *block.right):
                yield from _picture(picture)


def _picture(picture: kinds.Picture) -> Iterator[str]:
    yield f"### {_text(picture.title)}"
    if picture.caption:
        yield _text(picture.caption)
    yield _fenced(picture.text)


def _table(grid: kinds.Grid) -> str:
    head, *rows = grid.rows
    aligned = "---:" if grid.numbers else "---"
    lines = [head, ["---", *[aligned] * (len(head) - 1)]]
    cells = [
        " | ".join(map(_text, head)),
        " | ".join(lines[1]),
        *(" | ".join(map(_text, row)) for row in rows),
    ]
    return "\n".join(f"| {line} |" for line in cells)


def _fenced(text: str) -> str:
    """Return a block of code with a fence longer than any in the text."""
    lines = [plain(line).rstrip() for line in text.split("\n")]
    longest = max((len(found) for line in lines for found in re.findall(r"`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([fence, *lines, fence])


def _text(text: str) -> str:
    """Return a text on one line, escaped so that no part of it is Markdown or HTML."""
    text = _AT_FIRST.sub(_escaped, _SPECIAL.sub(r"\\\1", plain(text)))
    for what, entity in _LINKS.items():
        text = text.replace(what, entity)
    return text


def _escaped(found: re.Match[str]) -> str:
    return f"{found[1]}{found[2][:-1]}\\{found[2][-1]}"
