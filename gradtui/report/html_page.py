"""Write a page as one HTML file that needs no network, no script and no other file.

`charts.svg.markup` escapes every text, and no text becomes a name, a style or a link.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from gradtui.charts.palette import ramp
from gradtui.charts.svg import COLOURS, FONT, GRID, GROUND, TEXT, WEAK, markup
from gradtui.report import page as kinds
from gradtui.report.page import SEVERITY_MARKS, Block, Page
from gradtui.report.run_svg import HEALTHY, INF_COLOUR, NAN_COLOUR, PLANE_COLOURS, RAMP_COLOURS, hex_of

STYLES = frozenset({"lead", "weak", "good"})

_DARK_COLOURS = {
    GROUND: "#0d1117",
    TEXT: "#e6edf3",
    WEAK: "#9198a1",
    GRID: "#262c36",
    HEALTHY: "#152c20",
    NAN_COLOUR: "#ff6a69",
    INF_COLOUR: "#f082ff",
    **dict(
        zip(
            COLOURS,
            ("#58a6ff", "#ff9f50", "#3fc99a", "#e39ac4", "#f0b93a", "#86cdf5", "#a8a8a8", "#ffffff"),
            strict=True,
        )
    ),
    **dict(zip(RAMP_COLOURS, map(hex_of, ramp(True)), strict=True)),
    **dict(
        zip(
            PLANE_COLOURS,
            ("#1b3a5c", "#5c3d22", "#1a4a3b", "#543a49", "#59451a", "#31495a", "#3d3d3d", "#5c5c5c"),
            strict=True,
        )
    ),
}
"""The colour that replaces each colour of the drawings on a dark background."""

_DARK_DRAWINGS = "\n".join(
    f'svg [fill="{light}"]{{fill:{dark}}} svg [stroke="{light}"]{{stroke:{dark}}}'
    for light, dark in _DARK_COLOURS.items()
)

_STYLE = f"""
:root {{ color-scheme: light dark; --ground: {GROUND}; --text: {TEXT}; --weak: {WEAK}; --line: #d1d9e0;
  --panel: #f6f8fa; --critical: #cf222e; --warning: #9a6700; --good: #1a7f37; --accent: #0969da; }}
* {{ box-sizing: border-box; }}
body {{ margin: 0; background: var(--ground); color: var(--text); font: 16px/1.55 {FONT}; }}
main {{ max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; overflow-wrap: anywhere; }}
h1 {{ font-size: 1.7rem; line-height: 1.25; margin: 0 0 .25rem; }}
h2 {{ font-size: 1.2rem; margin: 2.25rem 0 .75rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line); }}
h3 {{ font-size: 1rem; margin: 1.5rem 0 .5rem; }}
p {{ margin: .5rem 0; }}
.lead {{ font-size: 1.15rem; }}
.weak, figcaption, footer {{ color: var(--weak); font-size: .9rem; }}
.good {{ color: var(--good); font-weight: 600; }}
.notice {{ border-left: .3rem solid var(--accent); background: var(--panel); border-radius: .25rem;
  padding: .6rem .9rem; margin: .75rem 0; }}
.notice p {{ margin: .25rem 0 0; }}
.critical {{ border-color: var(--critical); }}
.critical .mark {{ color: var(--critical); }}
.warning {{ border-color: var(--warning); }}
.warning .mark {{ color: var(--warning); }}
ol.advice {{ padding-left: 1.4rem; margin: .5rem 0; }}
ol.advice li {{ margin: .6rem 0; }}
.columns {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 0 2rem; }}
figure {{ margin: 0 0 1.5rem; min-width: 0; }}
figure h3 {{ margin: .5rem 0 0; }}
svg {{ display: block; width: 100%; height: auto; max-width: 40rem; }}
pre, code {{ font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: .85rem; }}
pre {{ background: var(--panel); border-radius: .25rem; padding: .75rem; overflow-x: auto; margin: .5rem 0; }}
main > pre {{ white-space: pre-wrap; }}
ol.advice pre {{ white-space: pre-wrap; padding: .4rem .75rem; }}
.option {{ display: inline-block; }}
.scroll {{ overflow-x: auto; overflow-wrap: normal; }}
.scroll td, .scroll th {{ white-space: nowrap; }}
table {{ border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }}
th, td {{ text-align: left; padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top;
  min-width: 3.5rem; }}
th {{ color: var(--weak); font-weight: 600; }}
table.numbers td:not(:first-child), table.numbers th:not(:first-child) {{ text-align: right; }}
summary {{ cursor: pointer; color: var(--accent); }}
details {{ margin: .5rem 0; }}
footer {{ margin-top: 3rem; border-top: 1px solid var(--line); padding-top: .75rem; }}
@media print {{ details > * {{ display: block; }} }}
@media (prefers-color-scheme: dark) {{
:root {{ --ground: #0d1117; --text: #e6edf3; --weak: #9198a1; --line: #3d444d; --panel: #161b22;
  --critical: #ff6a69; --warning: #d29922; --good: #3fb950; --accent: #58a6ff; }}
{_DARK_DRAWINGS}
}}
"""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The policy forbids the page to load or run anything, in case a text was not escaped."""


def html_of(page: Page) -> str:
    """Return a page as the text of an HTML file."""
    title = markup(page.title)
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title} – gradtui</title>",
            f"<style>{_STYLE}</style>",
            "</head>",
            "<body><main>",
            f"<h1>{title}</h1>",
            *_blocks(page.blocks),
            f"<footer>{markup(page.made)}</footer>",
            "</main></body>",
            "</html>",
            "",
        ]
    )


def _blocks(blocks: Sequence[Block]) -> Iterator[str]:
    listed = False
    for block in blocks:
        if isinstance(block, kinds.Advice) != listed:
            listed = not listed
            yield '<ol class="advice">' if listed else "</ol>"
        yield _block(block)
    if listed:
        yield "</ol>"


def _block(block: Block) -> str:
    match block:
        case kinds.Heading():
            level = min(6, max(2, block.level))
            return f"<h{level}>{markup(block.text)}</h{level}>"
        case kinds.Prose():
            style = f' class="{block.style}"' if block.style in STYLES else ""
            return f"<p{style}>{markup(block.text)}</p>"
        case kinds.Source():
            return f"<pre>{_lines(block.text)}</pre>"
        case kinds.Notice():
            return _notice(block)
        case kinds.Advice():
            price = f' <span class="weak">Costs: {markup(block.price)}</span>' if block.price else ""
            source = f"<pre>{_OPTION.sub(_UNBROKEN, _lines(block.source))}</pre>" if block.source else ""
            return f"<li><strong>{markup(block.name)}</strong><br>{markup(block.why)}{price}{source}</li>"
        case kinds.Grid():
            return _table(block)
        case kinds.Picture():
            return _picture(block)
        case kinds.Columns():
            stacks = ("".join(map(_picture, stack)) for stack in (block.left, block.right))
            return '<div class="columns">' + "".join(f"<div>{stack}</div>" for stack in stacks) + "</div>"
        case kinds.Folding():
            content = "".join(_blocks(block.blocks))
            return f"<details><summary>{markup(block.title)}</summary>{content}</details>"


def _notice(block: kinds.Notice) -> str:
    severity = block.severity if block.severity in SEVERITY_MARKS else "warning"
    return (
        f'<section class="notice {severity}"><span class="mark">{SEVERITY_MARKS[severity]}</span>'
        f" <strong>{markup(block.code)}</strong>{markup(block.title and f': {block.title}')}"
        f' <span class="weak">{markup(block.where)}</span><p>{markup(block.evidence)}</p></section>'
    )


def _picture(picture: kinds.Picture) -> str:
    caption = f"<figcaption>{markup(picture.caption)}</figcaption>" if picture.caption else ""
    title = markup(picture.title)
    # A screen reader reads the title; the numbers are in the tables.
    drawing = picture.svg.replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1)
    return f"<figure><h3>{title}</h3>{caption}{drawing}</figure>"


def _table(grid: kinds.Grid) -> str:
    head, *rows = grid.rows
    cells = "".join(f"<th>{markup(cell)}</th>" for cell in head)
    lines = "".join("<tr>" + "".join(f"<td>{markup(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    style = ' class="numbers"' if grid.numbers else ""
    return f'<div class="scroll"><table{style}><thead><tr>{cells}</tr></thead><tbody>{lines}</tbody></table></div>'


_OPTION = re.compile(r"--set \S+")
_UNBROKEN = r'<span class="option">\g<0></span>'
"""What keeps an option of the command line together, since a browser also breaks lines at hyphens."""


def _lines(text: str) -> str:
    return "\n".join(markup(line) for line in text.split("\n"))
