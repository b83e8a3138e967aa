"""Test the shared page in a real browser: its charts have the right colours and shapes, light and dark."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gradtui.charts.palette import ramp
from gradtui.report.share import run_page, share_runs, write_page
from gradtui.runs.folder import new_folder
from gradtui.runs.reader import open_run
from tests.support.studies import sigmoids, write_run

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [pytest.mark.long, pytest.mark.skipif(BROWSER is None, reason="no chromium")]

BLUE, DARK_BLUE = (0, 114, 178), (88, 166, 255)


def pixels(png: bytes) -> np.ndarray:
    """Return the pixels of an 8-bit PNG without interlacing, (height, width, 3), decoded by its standard."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, data = 8, b""
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        kind, content = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", content)
            assert (depth, interlaced) == (8, 0)
            channels = {2: 3, 6: 4}[colour]
        data += content if kind == b"IDAT" else b""
        at += 12 + size
    lines = np.frombuffer(zlib.decompress(data), np.uint8).reshape(height, 1 + width * channels)
    shown = np.zeros((height, width * channels), np.uint8)
    before = np.zeros(width * channels, np.uint8)
    for number, line in enumerate(lines):
        rule, raw = int(line[0]), line[1:].copy()
        if rule == 2:
            raw += before
        elif rule:
            for i in range(len(raw)):
                left = int(raw[i - channels]) if i >= channels else 0
                corner = int(before[i - channels]) if i >= channels else 0
                up = int(before[i])
                guess = left + up - corner
                nearest = min((left, up, corner), key=lambda value: abs(guess - value))
                raw[i] = (int(raw[i]) + {1: left, 3: (left + up) // 2, 4: nearest}[rule]) % 256
        shown[number] = before = raw
    return shown.reshape(height, width, channels)[..., :3]


def drawn(page: Path, folder: Path, *flags: str, width: int = 500, height: int = 900) -> np.ndarray:
    """Return what a browser without a network draws."""
    out = folder / "drawn.png"
    command = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", *flags]
    command += [
        f"--window-size={width},{height}",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--screenshot={out}",
    ]
    command += [f"--user-data-dir={folder / 'browser'}", page.as_uri()]
    subprocess.run(command, capture_output=True, timeout=120, check=True)
    return pixels(out.read_bytes())


def is_colour(shown: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return (np.abs(shown.astype(int) - colour) <= 3).all(axis=-1)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run whose gradient falls by nine decades, its charts first."""
    folder = tmp_path_factory.mktemp("home")
    run = write_run(new_folder(folder / "runs", "sigmoids"), sigmoids())
    share_runs([run], folder / "page.html")
    whole = (folder / "page.html").read_text()
    # The charts alone, so that they lie at the top of a small window.
    charts = re.search(r'<div class="columns">', whole)
    assert charts
    start = whole.index("<main>") + len("<main>")
    (folder / "charts.html").write_text(whole[:start] + whole[charts.start() :])
    return folder / "charts.html"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_bars_and_waterfall_are_drawn(page: Path, tmp_path: Path, dark: bool) -> None:
    flags = ["--blink-settings=preferredColorScheme=0"] if dark else []
    shown = drawn(page, tmp_path, *flags)
    ground = (13, 17, 23) if dark else (255, 255, 255)
    assert is_colour(shown, ground).mean() > 0.3
    bars = is_colour(shown[:420], DARK_BLUE if dark else BLUE)
    heights = bars.sum(axis=0)
    columns = np.flatnonzero(heights > 3)
    # 13 layers, evenly from the input to the output: each bar is higher than the one before it.
    groups = np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1)
    tops = [int(np.median(heights[group])) for group in groups if len(group) > 8]
    assert len(tops) >= 12
    steps = np.diff(tops[-12:])
    assert (steps > 0).all()
    assert steps.max() - steps.min() <= 3
    # The waterfall goes through the ramp from the input to the output, in columns of one colour each.
    places = [np.flatnonzero(is_colour(shown[460:], colour).sum(axis=0) > 60) for colour in ramp(dark)]
    middles = [float(np.median(columns)) for columns in places if columns.size]
    assert len(middles) >= 10
    assert middles == sorted(middles)


def test_nothing_is_wider_than_a_phone(page: Path, tmp_path: Path) -> None:
    frame = tmp_path / "phone.html"
    whole = page.parent / "page.html"
    style = "width:390px;height:890px;border:0"
    frame.write_text(
        f'<body style="margin:0;background:#f0f"><iframe src="{whole.as_uri()}" style="{style}">'
    )
    shown = drawn(frame, tmp_path)
    # A page that is too wide would show its text up to the edge of the frame, or a bar to scroll it at the bottom.
    assert is_colour(shown[:880, 376:389], (255, 255, 255)).mean() > 0.97


def test_attacks_run_nothing(tmp_path: Path) -> None:
    folder = write_run(new_folder(tmp_path / "runs", "made"), sigmoids())
    page = run_page([open_run(folder)])
    attack = "<script>document.body.style.background='#f0f'</script><body style='background:#f0f'>"
    write_page(replace(page, title=attack), tmp_path / "page.html")
    assert not is_colour(drawn(tmp_path / "page.html", tmp_path), (255, 0, 255)).any()
