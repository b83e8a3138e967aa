"""Draw the inside of a block as lines: operations in boxes on a wire, the paths around them in lanes on the right."""

from __future__ import annotations

from gradtui.ui.drawing.block import BlockSteps, Chain, Join, OperationRow, Split, Wire, WireMark
from gradtui.ui.drawing.canvas import Canvas, cut

WIDEST_BOX = 60
"""The greatest width of a box: a wider one would only move its right border away from the numbers."""
WIRE_COLUMN = 2
"""The column of the wire; the boxes begin at column 0."""
LINE = "$secondary 70%"
SHORTCUT_COLOUR = "$primary"
TEXT_COLOUR = "$secondary"
NUMBER_COLOUR = "$secondary"


def diagram(block: BlockSteps, width: int) -> Canvas:
    """Return the block drawn on a sheet of this width."""
    return _Drawer(block, width).draw()


class _Drawer:
    def __init__(self, block: BlockSteps, width: int) -> None:
        self.block = block
        width = min(width, WIDEST_BOX)
        self.canvas = Canvas(width)
        steps = block.steps
        self.bracket = width - 1
        right = width - (2 if block.repeat > 1 else 0)
        lanes = {step.lane for step in steps if isinstance(step, Split)}
        self.lanes: dict[int, int] = {}
        for lane in sorted(lanes):
            self.lanes[lane] = right - 1
            right -= 2
        rows = [row for step in steps if isinstance(step, Chain) for layer in step.layers for row in layer]
        self.loop = right - 1 if any(row.looped for row in rows) else None
        self.right = right - (2 if self.loop is not None else 1 if lanes else 0) - 1
        """The column of the boxes' right border."""
        self.room = self.right - 3
        longest = max(len(row.name) for row in rows)
        needed = max(longest + 1 + len(row.text) + _tail(row) for row in rows)
        self.names = longest if needed <= self.room else 0
        """The width of the names' column, if all rows can be aligned."""
        self.open: dict[int, int] = {}
        """The open lanes, with the row in which the path left."""

    def draw(self) -> Canvas:
        """Draw all steps from top to bottom."""
        canvas = self.canvas
        last = None
        for step in self.block.steps:
            if isinstance(last, Chain) and isinstance(step, Chain):
                canvas.put(canvas.height, WIRE_COLUMN, "│", LINE)
            match step:
                case Wire(text):
                    self._wire(text)
                case Chain():
                    self._chain(step)
                case Split():
                    self._split(step)
                case WireMark():
                    self._mark(step)
                case Join():
                    self._join(step)
            last = step
        self._repeat()
        return canvas

    def _wire(self, text: str) -> None:
        row = self.canvas.height
        self.canvas.put(row, WIRE_COLUMN, "│", LINE)
        self.canvas.put(row, WIRE_COLUMN + 2, cut(text, self.right - WIRE_COLUMN - 2), TEXT_COLOUR)

    def _mark(self, step: WireMark) -> None:
        row, end = self.canvas.height, self.right - 2
        number = f"{step.parameters:,}" if step.parameters else ""
        self.canvas.put(row, WIRE_COLUMN, step.sign, f"bold {SHORTCUT_COLOUR}")
        self.canvas.put(
            row, WIRE_COLUMN + 2, cut(step.text, end - WIRE_COLUMN - 1 - len(number)), TEXT_COLOUR
        )
        self.canvas.put(row, end - len(number) + 1, number, NUMBER_COLOUR)

    def _chain(self, chain: Chain) -> None:
        canvas, row = self.canvas, self.canvas.height
        dash = "─" * (self.right - 1)
        canvas.put(row, 0, f"┌{dash}┐", LINE)
        canvas.put(row, WIRE_COLUMN, "┴", LINE)
        for number, layer in enumerate(chain.layers):
            if number:
                canvas.put(canvas.height, 0, f"├{dash}┤", LINE)
            top = canvas.height
            for operation in layer:
                self._row(operation)
            self._looped(layer, top)
        row = canvas.height
        canvas.put(row, 0, f"└{dash}┘", LINE)
        canvas.put(row, WIRE_COLUMN, "┬", LINE)

    def _row(self, row: OperationRow) -> None:
        canvas, at = self.canvas, self.canvas.height
        canvas.put(at, 0, "│", LINE)
        canvas.put(at, self.right, "│", LINE)
        number = f"{row.parameters:,}" if row.parameters else ""
        end = self.right - 2
        canvas.put(at, end - len(number) + 1, number, NUMBER_COLOUR)
        end -= len(number) + 1 if number else 0
        column = 2
        canvas.put(at, column, cut(row.name, end - column + 1), "bold" if row.weights else "")
        column += max(self.names, len(row.name)) + 1
        room = end - column + 1
        text = cut(row.text if len(row.text) <= room else row.text.replace(" → ", "→"), room)
        canvas.put(at, column, text, "" if row.weights else TEXT_COLOUR)
        column += len(text) + (1 if text else 0)
        if column + len(row.curve) - 1 <= end:
            canvas.put(at, column, row.curve, SHORTCUT_COLOUR)
            column += len(row.curve)
        # A note is never cut: it either fits or is left out.
        if row.note and end - column - len(row.note) >= 2:
            canvas.put(at, end - len(row.note) - (1 if number else -1), row.note, NUMBER_COLOUR)

    def _looped(self, layer: tuple[OperationRow, ...], top: int) -> None:
        rows = [top + number for number, row in enumerate(layer) if row.looped]
        if not rows or self.loop is None:
            return
        canvas = self.canvas
        canvas.put(rows[0], self.right, "│◀╮", SHORTCUT_COLOUR)
        canvas.put(rows[0], self.right, "│", LINE)
        canvas.line(self.right + 2, rows[0] + 1, rows[-1], "│", SHORTCUT_COLOUR)
        canvas.put(rows[-1], self.right, "├─╯", SHORTCUT_COLOUR)

    def _split(self, step: Split) -> None:
        canvas, row, lane = self.canvas, self.canvas.height, self.lanes[step.lane]
        canvas.put(row, WIRE_COLUMN, "├" + "─" * (lane - WIRE_COLUMN - 1) + "╮", SHORTCUT_COLOUR)
        number = f"{step.parameters:,}" if step.parameters else ""
        room = lane - WIRE_COLUMN - 5 - (len(number) + 3 if number else 0)
        text = step.text if len(step.text) <= room else cut(step.short, room)
        canvas.put(row, WIRE_COLUMN + 2, f" {text} ", TEXT_COLOUR)
        if number:
            canvas.put(row, self.right - 2 - len(number), f" {number} ", NUMBER_COLOUR)
        self.open[step.lane] = row

    def _join(self, step: Join) -> None:
        canvas, row, lane = self.canvas, self.canvas.height, self.lanes[step.lane]
        canvas.put(row, WIRE_COLUMN, step.sign, f"bold {SHORTCUT_COLOUR}")
        canvas.put(row, WIRE_COLUMN + 1, "◀" + "─" * (lane - WIRE_COLUMN - 2) + "╯", SHORTCUT_COLOUR)
        if step.text:
            canvas.put(row, WIRE_COLUMN + 3, f" {step.text} ", TEXT_COLOUR)
        canvas.line(lane, self.open.pop(step.lane) + 1, row - 1, "│", SHORTCUT_COLOUR)

    def _repeat(self) -> None:
        repeat = self.block.repeat
        if repeat == 1:
            return
        canvas, last = self.canvas, self.canvas.height - 1
        canvas.put(0, self.bracket, "╮", LINE)
        canvas.line(self.bracket, 1, last - 1, "│", LINE)
        text = f"×{repeat:,} "
        canvas.put(last, self.bracket - len(text), text, "bold")
        canvas.put(last, self.bracket, "╯", LINE)


def _tail(row: OperationRow) -> int:
    """Return the number of columns to the right of a row's text."""
    number = len(f"{row.parameters:,}") + 1 if row.parameters else 0
    return number + (len(row.curve) + 1 if row.curve else 0)
