"""Test the table of rows with a cursor."""

from __future__ import annotations

import math

import pytest
from textual.app import App, ComposeResult
from textual.content import Content

from gradtui.ui.widgets.row_table import RowTable
from gradtui.ui.widgets.table_columns import SIGNS, Column, PlacedColumn, fitted, in_order, placed
from tests.support.lab import screen_text

Row = tuple[str, float | None]

COLUMNS = (
    Column[Row]("name", "name", lambda row: row[0], 6, 20, rank=0, value=lambda row: row[0], beside="note"),
    Column[Row]("figure", "figure", lambda row: f"{row[1]}", 8, rank=1, right=True, value=lambda row: row[1]),
    Column[Row]("note", "note", lambda row: Content(f"#{row[0]}"), 10, rank=2),
)


def keys(width: int) -> list[str]:
    return [place.column.key for place in placed(COLUMNS, width)]


def test_columns_of_a_higher_rank_give_way() -> None:
    assert keys(60) == ["name", "figure", "note"]
    assert keys(SIGNS + 6 + 1 + 8) == ["name", "figure"]
    assert keys(SIGNS + 6 + 1 + 7) == ["name"]
    assert keys(3) == []


@pytest.mark.parametrize("width", range(10, 130))
def test_cells_neither_overlap_nor_leave_the_line(width: int) -> None:
    places = placed(COLUMNS, width)
    ends = [place.start + place.width for place in places]
    assert all(end < place.start for end, place in zip(ends, places[1:], strict=False))
    assert all(end <= width for end in ends)
    assert all(place.column.least <= place.width for place in places)


def test_what_has_no_value_goes_last_either_way() -> None:
    rows: list[Row] = [("b", None), ("a", 2.0), ("c", math.nan), ("d", 1.0), ("e", 2.0)]
    up = in_order(rows, COLUMNS[1], descending=False)
    down = in_order(rows, COLUMNS[1], descending=True)
    assert [name for name, _ in up] == ["d", "a", "e", "c", "b"]
    assert [name for name, _ in down] == ["a", "e", "d", "c", "b"]


class TableApp(App[None]):
    CSS = "Screen { layout: vertical; }"
    ascii = False

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[object] = []

    def compose(self) -> ComposeResult:
        yield RowTable(COLUMNS)

    def on_row_table_chosen(self, event: RowTable.Chosen) -> None:
        self.heard.append((event.index, event.again))

    def on_row_table_sorted(self, event: RowTable.Sorted) -> None:
        self.heard.append(event.key)


def lines(app: App[None]) -> list[str]:
    return [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]


async def test_the_window_follows_the_cursor_and_a_click_counts_from_it() -> None:
    app = TableApp()
    rows = [(f"row {number}", float(number)) for number in range(100)]
    async with app.run_test(size=(60, 11)) as pilot:
        table = app.query_one(RowTable)
        table.show(rows, 0, by="figure")
        await pilot.pause()
        assert lines(app)[0].split() == ["name", "▴figure", "note"]
        assert lines(app)[1].startswith(" ▸   row 0")
        assert lines(app)[10].split()[:3] == ["↓", "row", "9"]
        table.show(rows, 42, {41})
        await pilot.pause()
        assert lines(app)[10].startswith(" ▸↓  row 42")
        assert lines(app)[9].startswith("   ● row 41")
        await pilot.click(RowTable, offset=(8, 3))
        await pilot.click(RowTable, offset=(8, 10))
        await pilot.click(RowTable, offset=(8, 0))
        await pilot.pause()
        assert app.heard == [(35, False), (42, True), "name"]


async def test_only_lines_that_look_otherwise_are_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    app = TableApp()
    rows = [(f"row {number}", float(number)) for number in range(5)]
    async with app.run_test(size=(60, 11)) as pilot:
        table = app.query_one(RowTable)
        table.show(rows, 0)
        await pilot.pause()
        painted: list[int] = []
        monkeypatch.setattr(table, "refresh", lambda *regions: painted.extend(region.y for region in regions))
        table.show(rows, 0)
        assert painted == []
        table.show(rows, 3)
        assert painted == [1, 4]
        table.show([*rows[:2], ("other", 2.0), *rows[3:]], 3)
        assert painted == [1, 4, 3]


async def test_signs_show_that_there_are_rows_out_of_view() -> None:
    app = TableApp()
    async with app.run_test(size=(60, 6)) as pilot:
        table = app.query_one(RowTable)
        signs = []
        for cursor in (0, 4, 9):
            table.show([(f"row {number}", 1.0) for number in range(10)], cursor)
            await pilot.pause()
            signs.append("".join(line[:3].strip() or "." for line in lines(app)[1:]))
        assert signs == ["▸...↓", "....▸↓", "↑...▸"]
        app.ascii = True
        table.show([(f"row {number}", 1.0) for number in range(10)], 0)
        await pilot.pause()
        assert lines(app)[5].split()[:3] == [":", "row", "4"], "no letter beside a word"
        assert lines(app)[5].startswith(" : "), "a space before what follows"


@pytest.mark.parametrize(
    ("name", "told"), [("ab", "ab  #ab"), ("abcdefg", "abcde…  #abcde…"), ("a" * 30, "aaaaa…  #aaaaa…")]
)
async def test_of_a_long_name_and_its_note_both_are_seen(name: str, told: str) -> None:
    app = TableApp()
    async with app.run_test(size=(30, 4)) as pilot:
        app.query_one(RowTable).show([(name, 1.0)], 0)
        await pilot.pause()
        assert f" ▸   {told} " in lines(app)[1]


async def test_where_a_column_has_no_room_its_cell_follows_in_another() -> None:
    app = TableApp()
    async with app.run_test(size=(26, 4)) as pilot:
        app.query_one(RowTable).show([("ab", 1.0)], 0, nothing="none")
        await pilot.pause()
        assert "ab  #ab" in lines(app)[1]
        app.query_one(RowTable).show([], 0, nothing="none")
        await pilot.pause()
        assert lines(app)[2].strip() == "none"


@pytest.mark.parametrize("name", ["short", "degradation: residual · 28", "twelve cells"])
def test_a_long_name_is_cut_in_the_middle(name: str) -> None:
    column = Column[str]("name", "name", str, 12, middle=True)
    cell = fitted(Content(name), PlacedColumn(column, 0, 12)).plain
    assert len(cell) == 12
    assert cell[:3] == name[:3]
    assert cell.rstrip()[-3:] == name[-3:]


async def test_a_long_text_goes_on_while_all_rows_have_room_and_an_empty_column_gives_its_room() -> None:
    question = "what happens as the net gets deeper and deeper"
    columns = (
        Column[Row]("name", "name", lambda row: row[0], 6, rank=0),
        Column[Row](
            "about", "about", lambda row: "short" if row[0] == "b" else question, 20, 24, rank=1, wraps=True
        ),
        Column[Row]("figure", "figure", lambda row: "" if row[1] is None else "x", 8, rank=2, sparse=True),
    )
    heard: list[RowTable.Chosen] = []

    class Wrapped(App[None]):
        def compose(self) -> ComposeResult:
            yield RowTable(columns, marks=False)

        def on_row_table_chosen(self, event: RowTable.Chosen) -> None:
            heard.append(event)

    app = Wrapped()
    async with app.run_test(size=(60, 8)) as pilot:
        table = app.query_one(RowTable)
        table.show([("a", None), ("b", None), ("c", None)], 0)
        await pilot.pause()
        lines = [" ".join(line.split()) for line in screen_text(app).splitlines()]
        assert lines[:6] == [
            "name about",
            "▸ a what happens as the net",
            "gets deeper and deeper",
            "b short",
            "c what happens as the net",
            "gets deeper and deeper",
        ], "each row has the lines that it needs"
        for y in (2, 3, 5, 6):
            await pilot.click(RowTable, offset=(4, y))
        await pilot.pause()
        assert [event.index for event in heard] == [0, 1, 2], "the line beneath the rows is none"
        # More rows have one line each, and a column with anything in it is there again.
        table.show([(letter, 1.0) for letter in "abcdef"], 0)
        await pilot.pause()
        lines = [" ".join(line.split()) for line in screen_text(app).splitlines()]
        assert lines[:3] == [
            "name about figure",
            "▸ a what happens as the net… x",
            "b short x",
        ]


def test_columns_get_first_what_their_longest_cells_need() -> None:
    columns = (
        Column[Row]("name", "name", lambda row: row[0], 10, 80, rank=0),
        Column[Row]("findings", "findings", lambda row: row[0], 10, 30, rank=1),
    )
    even = placed(columns, SIGNS + 1 + 60)
    assert [place.width for place in even] == [30, 30]
    needy = placed(columns, SIGNS + 1 + 60, needs={"name": 44, "findings": 12})
    assert [place.width for place in needy] == [46, 14], "what is left over is shared"
    assert [place.width for place in placed(columns, SIGNS + 1 + 60, needs={"name": 99})] == [50, 10]
