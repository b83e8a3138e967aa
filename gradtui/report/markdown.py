"""Print Markdown to a terminal: paragraphs and tables that fit its width, and code that can be copied."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Markdown, TableElement
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

if TYPE_CHECKING:
    from gradtui.report.output import Paper

CODE_INDENT = "    "
BETWEEN_COLUMNS = 3
"""The most columns of the terminal that a table needs beside those of each of its columns."""
STYLES = dict.fromkeys(("markdown.h2", "markdown.h3", "markdown.code", "markdown.table.header"), "bold")
"""The styles that are not those of rich: no colour, so that they suit every terminal."""
_PICTURE = re.compile(r"^!\[[^]]*\]\([^)]*\)\n*", re.MULTILINE)
_LINK = re.compile(r"\[([^][]*)\]\(([^)]*)\)")


class _Code(CodeBlock):
    """A _Code is a block of code whose lines are never broken, because people copy them."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in str(self.text).rstrip().splitlines():
            yield Text(f"{CODE_INDENT}{line}", no_wrap=True, overflow="ignore")


class _Table(TableElement):
    """A _Table has columns as wide as their longest words, where rich would cut these words."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for part in super().__rich_console__(console, options):
            if isinstance(part, Table):
                texts = [[str(cell) for cell in (column.header, *column.cells)] for column in part.columns]
                widths = _column_widths(texts, options.max_width - len(texts) * BETWEEN_COLUMNS)
                for column, width in zip(part.columns, widths, strict=True):
                    column.width, column.overflow = width, "fold"
            yield part


def _column_widths(columns: list[list[str]], width: int) -> list[int]:
    """Return the widths of columns: their longest words fit, and they share what is left as far as they need it."""
    widths = [max(len(word) for text in texts for word in [*text.split(), ""]) for texts in columns]
    wanted = [max(map(len, texts)) for texts in columns]
    while sum(widths) > width:
        widths[widths.index(max(widths))] -= 1
    spare = width - sum(widths)
    by_need = sorted(range(len(widths)), key=lambda column: wanted[column] - widths[column])
    for place, column in enumerate(by_need):
        given = min(wanted[column] - widths[column], spare // (len(by_need) - place))
        widths[column] += given
        spare -= given
    return widths


class _Page(Markdown):
    """A _Page is Markdown with this module's code blocks and tables."""

    elements: ClassVar = {**Markdown.elements, "fence": _Code, "code_block": _Code, "table_open": _Table}


def print_markdown(text: str, paper: Paper) -> None:
    """Print a text, without its pictures; a link to a file of text becomes the path of the file."""
    console = Console(
        width=paper.width,
        color_system="auto" if paper.colour else None,
        highlight=False,
        theme=Theme(STYLES),
    )
    console.print(_Page(_LINK.sub(_link, _PICTURE.sub("", text))), crop=False)


def _link(found: re.Match[str]) -> str:
    text, target = found[1], found[2]
    path = target.partition("#")[0]
    return f"{text} ({path})" if path.endswith(".md") and path != text else text
