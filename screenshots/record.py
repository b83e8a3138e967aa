"""Record the app while a story of keys is played: as an asciicast, and as an SVG that moves.

Both come from the same frames, which are what the app would have painted. A terminal player shows the asciicast
(``asciinema play screenshots/story.cast``), and the README shows the SVG.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TypeVar

from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual.app import App

CELL, LINE, SIZE = 8, 17, 13.3
"""The pixels of a column, of a line, and of the letters."""
MARGIN, CAPTION = 10, 34
"""The pixels around the screen, and beneath it for what was pressed."""
LONGEST = 1.6
"""The most seconds that nothing changes; a longer wait of the story is cut."""
LAST = 3.5
"""The seconds that the last picture stays before the story begins anew."""
BLOCKS = {"▀": 0.5, **{block: (height + 1) / 8 for height, block in enumerate("▁▂▃▄▅▆▇█")}}
"""The characters that fill a share of their cell; drawn as shapes they leave no seams."""
GROUND, TEXT, KEY = "#13161d", "#d5d9e2", "#e7c15a"

Line = tuple[tuple[str, Style | None], ...]
T = TypeVar("T")


@dataclass(frozen=True)
class Frame:
    """A Frame is the whole screen at a time, with what was pressed last."""

    time: float
    lines: tuple[Line, ...]
    caption: str


class Recording:
    """A Recording collects the frames of an app that differ."""

    def __init__(self, app: App[None]) -> None:
        self.frames: list[Frame] = []
        self.caption = ""
        """What is said beneath the screen from now on."""
        self._app = app
        self._began = time.monotonic()

    def take(self) -> None:
        """Add a frame, if the screen is not the same as in the last one."""
        lines = tuple(
            tuple((segment.text, segment.style) for segment in Segment.simplify(strip))
            for strip in self._app.screen._compositor.render_strips()
        )
        before = self.frames[-1] if self.frames else None
        if before is None or (lines, self.caption) != (before.lines, before.caption):
            self.frames.append(Frame(time.monotonic() - self._began, lines, self.caption))

    def cut(self) -> list[Frame]:
        """Return the frames from second 0 on, with waits of LONGEST at most."""
        now, last, frames = 0.0, self.frames[0].time, []
        for frame in self.frames:
            now += min(LONGEST, frame.time - last)
            last = frame.time
            frames.append(Frame(round(now, 3), frame.lines, frame.caption))
        return frames


def write_cast(frames: Sequence[Frame], path: Path, title: str) -> None:
    """Write an asciicast of version 2: a header, then for each frame the lines that changed."""
    width = sum(len(text) for text, _ in frames[0].lines[0])
    header = {"version": 2, "width": width, "height": len(frames[0].lines), "title": title}
    out = [json.dumps({**header, "env": {"TERM": "xterm-256color", "COLORTERM": "truecolor"}})]
    before: tuple[Line, ...] = ()
    for frame in frames:
        changed = [row for row, line in enumerate(frame.lines) if not before or line != before[row]]
        text = "".join(f"\x1b[{row + 1};1H{_ansi(frame.lines[row])}" for row in changed)
        if text:
            out.append(json.dumps([frame.time, "o", ("" if before else "\x1b[?25l\x1b[2J") + text]))
        before = frame.lines
    # The last picture stays a while, and the cursor comes back.
    out.append(json.dumps([round(frames[-1].time + LAST, 3), "o", "\x1b[0m\x1b[?25h\r\n"]))
    path.write_text("\n".join(out) + "\n")


def _ansi(line: Line) -> str:
    return "".join(
        style.render(text, color_system=ColorSystem.TRUECOLOR) if style else text for text, style in line
    )


def write_svg(frames: Sequence[Frame], path: Path) -> None:
    """Write an SVG that moves: each line of the screen is there as long as it stays the same."""
    height = len(frames[0].lines)
    width = sum(len(text) for text, _ in frames[0].lines[0])
    end = frames[-1].time + LAST
    size = width * CELL + 2 * MARGIN, height * LINE + 2 * MARGIN + CAPTION
    kinds: dict[str, str] = {}
    shapes = []
    for row in range(height):
        top = MARGIN + row * LINE
        for start, stop, line in _stretches([(frame.time, frame.lines[row]) for frame in frames], end):
            shapes.append(_shown(_drawn(line, top, kinds), start, stop, end))
    bottom = MARGIN + height * LINE + CAPTION * 0.65
    for start, stop, caption in _stretches([(frame.time, frame.caption) for frame in frames], end):
        key, _, what = caption.partition(" ")
        said = f'<tspan fill="{KEY}">{escape(key)}</tspan> {escape(what)}'
        text = f'<text x="{MARGIN}" y="{bottom:g}" fill="{TEXT}">{said}</text>'
        shapes.append(_shown(text if caption else "", start, stop, end))
    styles = "".join(f".{name}{{{css}}}" for css, name in kinds.items())
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]:g} {size[1]:g}" width="{size[0]:g}">'
        f"<style>text{{font:{SIZE}px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;white-space:pre}}"
        f'path{{shape-rendering:crispEdges}}{styles}</style><rect width="100%" height="100%" rx="6" fill="{GROUND}"/>\n'
        + "\n".join(shapes)
        + "\n</svg>\n"
    )


def _stretches(values: Iterable[tuple[float, T]], end: float) -> list[tuple[float, float, T]]:
    """Return (start, stop, value) of the stretches of time in which a value stays the same."""
    found: list[tuple[float, float, T]] = []
    for start, value in values:
        if found and found[-1][2] == value:
            continue
        if found:
            found[-1] = (found[-1][0], start, found[-1][2])
        found.append((start, end, value))
    return found


def _shown(shape: str, start: float, stop: float, end: float) -> str:
    """Return a shape that is seen from one time to another, again and again."""
    if not shape or (start <= 0 and stop >= end):
        return shape
    times, values = [0.0, start / end, stop / end], ["hidden", "visible", "hidden"]
    if start <= 0:
        times, values = [0.0, stop / end], ["visible", "hidden"]
    elif stop >= end:
        times, values = times[:2], values[:2]
    keys = ";".join(f"{share:.4g}" for share in times)
    first = values[0]
    return (
        f'<g visibility="{first}">{shape}<animate attributeName="visibility" calcMode="discrete" dur="{end:.2f}s" '
        f'repeatCount="indefinite" keyTimes="{keys}" values="{";".join(values)}"/></g>'
    )


def _drawn(line: Line, top: int, kinds: dict[str, str]) -> str:
    """Return a line: the grounds of its cells and its blocks, those of one colour as one shape, and its texts."""
    grounds: dict[str, str] = {}
    blocks: dict[str, str] = {}
    texts, column = [], 0

    def fill(
        shapes: dict[str, str], colour: str, left: int, wide: int, share: float, from_above: bool = False
    ) -> None:
        name = kinds.setdefault(f"fill:{colour}", f"c{len(kinds)}")
        high = round(LINE * share, 2)
        y = top if from_above else round(top + LINE - high, 2)
        shapes[name] = shapes.get(name, "") + f"M{left} {y:g}h{wide}v{high:g}h-{wide}z"

    for text, style in line:
        ink, ground = _colours(style)
        left, wide = MARGIN + column * CELL, len(text) * CELL
        if ground != GROUND:
            fill(grounds, ground, left, wide, 1.0)
        if len(set(text)) == 1 and text[0] in BLOCKS:
            fill(blocks, ink, left, wide, BLOCKS[text[0]], from_above=text[0] == "▀")
        elif text.strip():
            css = f"fill:{ink}" + (";font-weight:bold" if style and style.bold else "")
            name = kinds.setdefault(css, f"c{len(kinds)}")
            left += (len(text) - len(text.lstrip())) * CELL
            said = text.strip()
            length = f' textLength="{len(said) * CELL}"' if len(said) > 1 else ""
            texts.append(f'<text class="{name}" x="{left}" y="{top + 13}"{length}>{escape(said)}</text>')
        column += len(text)
    # The blocks lie over the grounds of their cells.
    paths = [*grounds.items(), *blocks.items()]
    return "".join([*(f'<path class="{name}" d="{d}"/>' for name, d in paths), *texts])


def _colours(style: Style | None) -> tuple[str, str]:
    """Return the colours of the text and of its ground."""
    if style is None:
        return TEXT, GROUND
    ink = style.color.get_truecolor().hex if style.color and not style.color.is_default else TEXT
    ground = style.bgcolor.get_truecolor().hex if style.bgcolor and not style.bgcolor.is_default else GROUND
    return (ground, ink) if style.reverse else (ink, ground)
