"""Test the recording of the README: the asciicast plays every frame, and the SVG shows each line at its time."""

from __future__ import annotations

import importlib.util
import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from types import ModuleType

import pytest
from rich.style import Style

from tests.support.terminal_screen import TerminalScreen

FOLDER = Path(__file__).parent.parent / "screenshots"
SVG = "{http://www.w3.org/2000/svg}"
MOST_BYTES = 400_000


@pytest.fixture(scope="module")
def record() -> ModuleType:
    spec = importlib.util.spec_from_file_location("record", FOLDER / "record.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["record"] = module
    spec.loader.exec_module(module)
    return module


PLAIN, BARS = Style.parse("#ffffff on #13161d"), Style.parse("#ff0000 on #0000ff")
SCREENS = [
    ((("one   ", PLAIN),), (("fixed ", PLAIN),)),
    ((("two <&", PLAIN),), (("fixed ", PLAIN),)),
    ((("▀▀", BARS), (" ▄▄ ", PLAIN)), (("fixed ", PLAIN),)),
]


def test_a_terminal_shows_each_frame_at_its_time(record: ModuleType, tmp_path: Path) -> None:
    frames = [record.Frame(float(at), lines, "x key") for at, lines in enumerate(SCREENS)]
    record.write_cast(frames, tmp_path / "a.cast", "title")
    header, *events = [json.loads(line) for line in (tmp_path / "a.cast").read_text().splitlines()]
    assert (header["version"], header["width"], header["height"]) == (2, 6, 2)
    screen = TerminalScreen(6, 2)
    for (moment, kind, text), lines in zip(events, SCREENS, strict=False):
        assert kind == "o"
        screen.feed(text, moment)
        assert screen.lines() == ["".join(text for text, _ in line) for line in lines]
    assert [event[0] for event in events[:3]] == [0.0, 1.0, 2.0]
    assert "fixed" not in events[1][2], "only lines that changed are written"


def test_the_moving_picture_shows_each_line_in_its_time(record: ModuleType, tmp_path: Path) -> None:
    frames = [record.Frame(float(at), lines, f"{at} key") for at, lines in enumerate(SCREENS)]
    record.write_svg(frames, tmp_path / "a.svg")
    root = ET.parse(tmp_path / "a.svg").getroot()
    end = 2.0 + record.LAST
    seen = {}
    for group in root.iter(f"{SVG}g"):
        text = "".join("".join(one.itertext()) for one in group.iter(f"{SVG}text"))
        animate = group.find(f"{SVG}animate")
        assert animate is not None
        times = [round(float(key) * end, 2) for key in animate.attrib["keyTimes"].split(";")]
        seen[text] = dict(zip(times, animate.attrib["values"].split(";"), strict=True))
    assert seen["one"] == {0.0: "visible", 1.0: "hidden"}
    assert seen["two <&"] == {0.0: "hidden", 1.0: "visible", 2.0: "hidden"}
    assert seen["2 key"] == {0.0: "hidden", 2.0: "visible"}
    assert "fixed" not in seen, "what never changes is always there"
    blocks = [path.attrib["d"] for path in root.iter(f"{SVG}path")]
    assert any(d.endswith("h16v8.5h-16z") for d in blocks), "two upper halves as one shape"


def test_long_waits_are_cut_and_frames_that_are_alike_are_one(record: ModuleType) -> None:
    recording = record.Recording.__new__(record.Recording)
    recording.frames = [record.Frame(at, SCREENS[0], "") for at in (3.0, 4.0, 60.0)]
    assert [frame.time for frame in recording.cut()] == [0.0, 1.0, 1.0 + record.LONGEST]


def test_the_files_of_the_readme_are_whole_and_small() -> None:
    assert (FOLDER / "story.svg").stat().st_size < MOST_BYTES
    root = ET.parse(FOLDER / "story.svg").getroot()
    assert "vanishing" in "".join(root.itertext())
    header, *events = [json.loads(line) for line in (FOLDER / "story.cast").read_text().splitlines()]
    screen = TerminalScreen(header["width"], header["height"])
    texts = []
    for moment, _, text in events:
        screen.feed(text, moment)
        texts.append("\n".join(screen.lines()))
    assert any("illion times weaker at the input" in text for text in texts)
    assert any("fixed: vanishing gone" in text for text in texts)
    assert any("Loss" in text for text in texts)
