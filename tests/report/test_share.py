"""Test that a shared page says what `gradtui diagnose --json` says, and that no text of a run becomes markup."""

from __future__ import annotations

import json
import os
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import numpy as np
import pytest

from gradtui.charts.svg import COLOURS
from gradtui.report.html_page import html_of
from gradtui.report.markdown_page import markdown_of
from gradtui.report.page import Advice, Columns, Folding, Grid, Heading, Notice, Page, Picture, Prose, Source
from gradtui.report.run_svg import HEALTHY
from gradtui.report.share import ShareError, checked_path, run_page, share_runs
from gradtui.runs.folder import new_folder
from gradtui.runs.label import Label, write_label
from gradtui.runs.meta import TableMeta, read_meta, write_meta
from gradtui.runs.reader import open_run
from tests.support.command_line import forked_gradtui
from tests.support.studies import sigmoids, write_run

ATTACKS = (
    "<script>alert(1)</script>",
    "</title></style><img src=x onerror=alert(1)>",
    '"><svg/onload=alert(1)>',
    "' onmouseover='alert(1)",
    "</svg><iframe src=//evil.example>",
    "&lt;b&gt; &amp; ]]> <!-- ",
    "[a](javascript:alert(1)) ![i](//evil.example/i.png) `x` **b** | c",
    "https://evil.example/ www.evil.example @everyone",
    "\x1b[31mred\x07 \u202eevil\u2028line",
    "```\n# heading\n<script>",
)
TAGS = frozenset(
    re.findall(
        r"\w+",
        "html head meta title style body main h1 h2 h3 h4 p section span strong figure figcaption svg rect polyline "
        "polygon circle path text div ol li br pre table thead tbody tr th td details summary footer",
    )
)


class Reader(HTMLParser):
    """A Reader collects what a browser would see: tags, attributes and text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.cells: list[list[str]] = []
        self._cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.cells.append([])
        if tag in ("td", "th"):
            self.cells[-1].append("")
        self._cell = tag in ("td", "th")

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self._cell:
            self.cells[-1][-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._cell = False


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    return reader


def assert_harmless(text: str) -> None:
    """Nothing runs, nothing is loaded, and no character orders anything."""
    for tag, attributes in read(text).tags:
        assert tag in TAGS, tag
        assert not [
            name for name in attributes if name.startswith("on") or name in ("src", "href", "action", "style")
        ]
    assert text.replace("\n", "").isprintable()
    assert "default-src 'none'" in text
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(new_folder(tmp_path_factory.mktemp("home") / "runs", "sigmoids"), sigmoids())


def test_html_is_whole_and_stands_alone(run: Path, tmp_path: Path) -> None:
    share_runs([run], tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert_harmless(text)
    assert text.startswith("<!doctype html>")
    assert 'name="viewport" content="width=device-width' in text
    assert "@media (prefers-color-scheme: dark)" in text
    headings = re.findall(r"<h[12]>(.*?)</h", text)
    assert headings[:3] == ["sigmoids", "Findings", "Gradient and learning"]
    assert {"Possible cures, best first", "Experiment", "Cost"} <= set(headings)
    drawings = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(drawings) == 4
    for drawing in drawings:
        assert ET.fromstring(drawing).get("aria-label")


@pytest.mark.parametrize("ending", ["html", pytest.param("md", marks=pytest.mark.long)])
def test_numbers_and_findings_are_those_of_diagnose(run: Path, tmp_path: Path, ending: str) -> None:
    told = forked_gradtui(run.parent.parent, "report", run.name, str(tmp_path / f"page.{ending}"))
    assert (told.returncode, told.stderr, told.stdout) == (0, "", f"{tmp_path}/page.{ending}\n")
    text = (tmp_path / f"page.{ending}").read_text()
    expected = json.loads(forked_gradtui(run.parent.parent, "diagnose", run.name, "--json").stdout)
    assert expected["findings"]
    if ending == "html":
        reader = read(text)
        rows, said = reader.cells, "".join(reader.text)
    else:
        said = text.replace("\\", "")
        rows = [line.strip("| ").split(" | ") for line in said.splitlines() if line.startswith("|")]
    table = {row[0]: row for row in rows}
    heads = table["layer"]
    for layer in expected["layers"]:
        row = dict(zip(heads, table[layer["name"]], strict=True))
        assert row["parameters"] == str(layer["parameters"])
        for end in ("first", "last"):
            assert float(row[f"grad_norm {end}"]) == layer["grad_norm"][end]
    first = expected["findings"][0]
    assert f"{first['code'].capitalize()} since step {first['step']:,}; at the end the gradient" in said
    for finding in expected["findings"]:
        assert finding["code"] in said
        assert finding["evidence"] in said
        for cure in finding["cures"]:
            assert cure["name"] in said
            for path in cure["set"]:
                assert f"--set {path}=" in said
                assert ending != "html" or f'<span class="option">--set {path}=' in text


@pytest.mark.parametrize("attack", ATTACKS)
def test_text_of_a_run_stays_text(tmp_path: Path, attack: str) -> None:
    folder = write_run(new_folder(tmp_path / "runs", "made"), sigmoids(), end="stopped", reason=attack)
    meta = read_meta(folder)
    layers = tuple(msgspec.structs.replace(layer, name=f"{attack}{n}") for n, layer in enumerate(meta.layers))
    changed = {"layers": layers, "device": attack, "versions": {attack: attack}, "name": attack}
    write_meta(folder, msgspec.structs.replace(meta, **changed))
    page = run_page([open_run(folder), open_run(folder)])
    plain = re.sub(r"[\x00-\x1f\x7f\u202e\u2028]", "�", attack)
    text = html_of(page)
    assert_harmless(text)
    assert plain in "".join(read(text).text)
    marked = markdown_of(page)
    assert marked.replace("\n", "").isprintable()
    outside = re.sub(r"^(`{3,}).*?^\1$", "", marked, flags=re.DOTALL | re.MULTILINE)
    for harmful in ("<", "](", "://", "www.", "@"):
        assert harmful not in outside.replace("\\]", ""), harmful
    assert outside.count("\n# ") == 0


def test_every_block_passes_the_boundary() -> None:
    attack = "<script>alert(1)</script>"
    blocks = [
        Heading(attack), Prose(attack, attack), Source(attack), Notice(attack, attack, attack, attack, attack),
        Advice(attack, attack, attack, attack), Grid([[attack, attack], [attack, attack]]),
        Columns([Picture(attack, attack, "<svg ></svg>", attack)], []), Folding(attack, [Prose(attack)]),
    ]  # fmt: skip
    assert_harmless(html_of(Page(attack, blocks, attack)))


def test_broken_numbers_have_pages_too(tmp_path: Path) -> None:
    from tests.support.run_folders import describe, write_rows

    norms = np.geomspace(1e-9, 1, 30 * 3).reshape(30, 3)
    norms[10:, 0], norms[20:, 1], norms[:, 2] = np.nan, np.inf, 0
    scalars = np.column_stack(
        [np.r_[np.geomspace(1, 1e30, 20), np.full(10, np.nan)], np.full(30, np.nan), np.ones(30)]
    )
    for number, rows in enumerate((30, 1, 0)):
        folder = tmp_path / f"run{number}"
        describe(folder)
        if rows:
            write_rows(folder, {"scalars": scalars[:rows], "grad_norm": norms[:rows]})
    for folders in (["run0"], ["run1"], ["run2"], ["run0", "run1", "run2"]):
        page = run_page([open_run(tmp_path / name) for name in folders])
        assert_harmless(html_of(page))
        for drawing in re.findall(r"<svg.*?</svg>", html_of(page), re.DOTALL):
            assert not re.search(r'="[^"]*\b(nan|inf)', drawing)
        assert markdown_of(page)


def test_pictures_have_the_gradient_over_time_lags_round_steps_and_one_green(tmp_path: Path) -> None:
    from tests.support.run_folders import SCALARS, describe, write_rows

    lags = ("0", "1", "2", "3")
    tables = {
        "scalars": TableMeta(SCALARS, "scalars"),
        "grad_norm": TableMeta(("dense1", "dense2", "dense3")),
    }
    folder = tmp_path / "run"
    describe(folder, tables={**tables, "hidden_grad": TableMeta(lags, "lags")})
    scalars = np.column_stack([np.linspace(2, 1.9, 330), np.full(330, np.nan), np.ones(330)])
    write_rows(folder, {"scalars": scalars, "grad_norm": np.full((330, 3), 0.1)})
    write_rows(folder, {"hidden_grad": np.array([[1.0, 1.0, 1.0, 1.0], [1.0, 1e-2, 1e-4, 1e-6]])}, first=329)
    page = html_of(run_page([open_run(folder)]))
    assert "1.0 million times weaker 3 steps back" in page, "the first sentence compares what vanishes here"
    drawings = [ET.fromstring(drawing) for drawing in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]
    profile, over_lags, over_steps = drawings[:3]
    blue = [shape for shape in over_lags.findall("{*}rect") if shape.get("fill") == COLOURS[0]]
    heights = [float(shape.attrib["height"]) for shape in blue[:4]]
    assert np.diff(heights) == pytest.approx([-(heights[0] - heights[-1]) / 3] * 3, abs=0.2), (
        "two decades a lag"
    )
    assert heights[0] > heights[-1] > 0
    texts = [text.text for text in over_lags.findall("{*}text")]
    assert "steps back in time" in texts
    assert [text for text in texts if text in lags] == list(lags)
    numbers = [int(text.text or "") for text in over_steps.findall("{*}text") if (text.text or "").isdigit()]
    assert numbers[:7] == [1, 50, 100, 150, 200, 250, 300]
    band = [shape for shape in profile.findall("{*}polygon") if shape.get("fill") == HEALTHY]
    assert {shape.get("fill-opacity") for shape in band} == {"1"}
    keys = [shape for shape in profile.findall("{*}rect") if shape.get("fill") == HEALTHY]
    assert len(keys) == 1, "the legend has the very colour of the healthy range"


def test_several_runs_are_compared(run: Path, tmp_path: Path) -> None:
    other = write_run(
        new_folder(tmp_path / "runs", "other"), sigmoids(name="other"), learns=True, decades=0.2
    )
    told = forked_gradtui(tmp_path, "report", str(run), str(other), str(tmp_path / "both.html"))
    assert (told.returncode, told.stderr) == (0, "")
    text = (tmp_path / "both.html").read_text()
    rows = read(text).cells[:3]
    assert [row[0] for row in rows] == ["run", "1  sigmoids", "2  other"]
    assert "vanishing" in rows[1][-1]
    assert rows[2][-1] == "none"
    # The first hidden layer over the last one, as on the screens.
    assert [row[-2] for row in rows[:2]] == ["input ÷ output", "3e-9"]
    first = re.search(r"<svg.*?</svg>", text, re.DOTALL)
    assert first
    assert "1  sigmoids" in first[0]
    assert "2  other" in first[0]


def test_links_and_other_things_are_left_alone(run: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.html"
    kept.write_text("mine")
    (tmp_path / "link.html").symlink_to(kept)
    (tmp_path / "folder.html").mkdir()
    os.mkfifo(tmp_path / "pipe.html")
    for name in ("link.html", "folder.html", "pipe.html", "page.pdf", "no/page.html", "a\0b.html"):
        with pytest.raises(ShareError) as caught:
            checked_path(tmp_path / name)
        assert str(caught.value).count("\n") == 0
    told = forked_gradtui(run.parent.parent, "report", run.name, str(tmp_path / "link.html"))
    assert (told.returncode, told.stdout) == (2, "")
    assert (
        told.stderr
        == f"gradtui: {tmp_path}/link.html: is a symbolic link, and gradtui changes nothing through one\n"
    )
    assert kept.read_text() == "mine"
    before = kept.stat().st_ino
    share_runs([run], kept)
    assert kept.read_text().startswith("<!doctype html>")
    assert kept.stat().st_ino != before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("words", [("nothing", "x.html"), ("x.html",), ("nothing", "x")])
def test_bad_input_is_one_line(tmp_path: Path, words: tuple[str, ...]) -> None:
    told = forked_gradtui(tmp_path, "report", *(str(tmp_path / w) if "." in w else w for w in words))
    assert (told.returncode, told.stdout, told.stderr.count("\n")) == (2, "", 1)


def test_a_name_that_a_person_gave_is_the_title(run: Path, tmp_path: Path) -> None:
    folder = write_run(new_folder(tmp_path / "runs", "named"), sigmoids())
    write_label(folder, Label(name="for Anna"))
    assert run_page([open_run(folder)]).title == "for Anna"
