"""Text from somebody else's run gives no orders to a terminal or a spreadsheet, and forges no lines."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import re
import select
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path

import numpy as np
import pytest

from gradtui.plain_text import spreadsheet_cell
from gradtui.runs.jsonl import encode_line
from gradtui.runs.label import LABEL_FILE
from gradtui.runs.meta import LayerMeta, RunMeta, TableMeta, write_meta
from gradtui.study.results import write_csv_rows
from tests.support.command_line import GRADTUI, environment, gradtui, strictly
from tests.support.run_folders import SCALARS, write_rows

KINDS = {
    "title": "\x1b]0;EVIL\x07",
    "clipboard": "\x1b]52;c;RVZJTA==\x07",
    "link": "\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\",
    "clear": "\x1b[2J\x1b[H",
    "colour": "\x1b[31;7mEVIL",
    "report": "\x1b[6n\x1b[c",
    "alternate screen": "\x1b[?1049l",
    "mouse": "\x1b[?1003h",
    "hidden cursor": "\x1b[?25l",
    "paste": "\x1b[?2004h\x1b[201~",
    "reset": "\x1bc",
    "device": "\x1bP+q544e\x1b\\",
    "application": "\x1b_Gi=1;EVIL\x1b\\",
    "privacy": "\x1b^EVIL\x1b\\",
    "8-bit sequence": "\x9b31mEVIL",
    "8-bit command": "\x9d0;EVIL\x9c",
    "bell": "\x07\x07",
    "backspace": "\x08\x08\x08good",
    "delete": "\x7f\x7f",
    "return": "\rfinished  healthy",
    "line": "\nfake  finished  healthy",
    "tab": "\t\v\f",
    "null": "\0",
    "next line": "\x85fake",
    "separators": "\u2028fake\u2029fake",
    "override": "\u202egnp.exe\u202c",
    "isolate": "\u2066\u2067txt\u2069",
    "marks": "\u200e\u200f\u061c",
    "not seen": "\u200b\ufeff\u2060\u00ad",
    "tags": "\U000e0001\U000e0041",
    "charset": "\x0e\x0f\x1b(0",
}
FORBIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]"
)
"""What no line of a report may have in it; written down apart from the program's own list."""
MARKUP = "[bold red]EVIL[/] [@click=app.quit]x[/]"


def hostile_run(root: Path) -> Path:
    """Write a run in which each kind of text stands in every place that is shown."""
    everything = "".join(f"<{text}>" for text in KINDS.values()) + MARKUP
    names = tuple(f"a{text}b{number}{MARKUP}" for number, text in enumerate(KINDS.values()))
    folder = root / "runs" / "hostile\x1b[2J\u202e\nfake"
    folder.mkdir(parents=True)
    meta = RunMeta.of_this_process(
        id=folder.name,
        name=everything,
        layers=tuple(LayerMeta(name, f"dense{name}", 20) for name in names),
        tables={"scalars": TableMeta(SCALARS, "scalars"), "grad_norm": TableMeta(names)},
        device=everything,
        versions={everything: everything},
    )
    write_meta(folder, meta)
    steps = 40
    norms = np.outer(np.ones(steps), np.logspace(-12, 0, len(names)))
    write_rows(folder, {"scalars": np.ones((steps, 3)), "grad_norm": norms})
    finding = {
        "code": everything,
        "severity": "critical",
        "layers": names,
        "evidence": everything,
        "cures": [{"name": everything, "set": {}, "why": everything, "code": everything}],
    }
    broke = {
        "measure": "loss",
        "loss": "nan",
        "before": 1.0,
        "part": everything,
        "layer": everything,
        "batch": [1],
    }
    events = [
        {"event": "finding", "time": 1e9, "step": 3, **finding},
        {"event": "finding", "time": 1e9, "step": 3, **finding, "code": "vanishing"},
        {"event": everything, "time": 1e9, "step": 4, "reason": everything},
        {"event": "broke", "time": 1e9, "step": 5, "reason": "nonfinite", **broke},
        {"event": "end", "time": 1e9, "step": steps, "status": "failed", "reason": everything},
    ]
    (folder / "events.jsonl").write_bytes(b"".join(map(encode_line, events)))
    (folder / LABEL_FILE).write_text(json.dumps({"name": everything, "tags": list(KINDS.values())}))
    (folder / "trainer.log").write_text(everything)
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ["runs"],
        ["runs", "--json"],
        ["diagnose"],
        ["diagnose", "--json"],
        ["export", "hostile", "--to", "csv", "OUT"],
        ["export", "hostile", "--to", "csv", "OUT.csv"],
        ["export", "hostile", "--to", "csv", "RUN"],
        ["run", "--resume", "hostile"],
        ["run", "--from", "hostile"],
        ["import", "RUN"],
        ["diagnose", "no\x1b[2Jsuch\nrun"],
        ["run", "--set", "net.0.\x1b[2J\n=1"],
        ["study", "no\x1b[2Jsuch\nstudy"],
    ],
    ids=" ".join,
)
def test_no_command_prints_what_a_run_orders(tmp_path: Path, words: list[str]) -> None:
    folder = hostile_run(tmp_path)
    given = {"RUN": str(folder), "OUT": str(tmp_path / "out"), "OUT.csv": str(tmp_path / "o\x1b[2J.csv")}
    result = gradtui(tmp_path, *(given.get(word, word) for word in words))
    shown = words[0] in ("runs", "export") or words in (["diagnose"], ["diagnose", "--json"])
    assert result.returncode == (0 if shown and words[-1] != "RUN" else 2), result.stderr
    for output in (result.stdout, result.stderr):
        for line in output.removesuffix("\n").split("\n"):
            assert not FORBIDDEN.search(line), line
            assert not line.startswith("fake")
    if "--json" in words:
        told = strictly(result.stdout)
        told = told[0] if isinstance(told, list) else told
        assert all(text in told["name"] for text in KINDS.values()), "JSON keeps the text, escaped"


def test_exported_text_is_no_formula(tmp_path: Path) -> None:
    cells = [
        "=1+1",
        "+cmd",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        " =1",
        "\r=1",
        "-0.5",
        "+inf",
        "nan",
        "layer-1",
        "1_0",
    ]
    path = tmp_path / "rows.csv"
    with path.open("wb") as file:
        write_csv_rows(["=a", "-layer"], [[cell, -0.5] for cell in cells], file)
    with path.open(newline="") as text:
        rows = list(csv.reader(text))
    assert rows[0] == ["'=a", "'-layer"]
    for cell, row in zip(cells[:7], rows[1:8], strict=True):
        # Where the first character was replaced, no formula is left.
        assert row[0][0] in "'�", cell
    assert [row[0] for row in rows[8:]] == cells[7:]
    assert {row[1] for row in rows[1:]} == {"-0.5"}
    assert spreadsheet_cell(-1.5) == -1.5


def painted(home: Path, words: list[str], keys: str) -> bytes:
    """Run the app on a terminal, press keys one after the other, and return all bytes that the terminal got."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 220, 0, 0))
    process = subprocess.Popen(
        [*GRADTUI, *words],
        env={**environment(home), "TERM": "xterm-256color", "LANG": "C.UTF-8"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    got = bytearray()
    try:
        _read(ours, got, 6.0)
        for key in keys:
            os.write(ours, key.encode())
            _read(ours, got, 1.5)
        assert process.poll() is None
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(ours)
    return bytes(got)


def _read(terminal: int, got: bytearray, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if select.select([terminal], [], [], left)[0]:
            got += os.read(terminal, 1 << 16)


OF_THE_APP = re.compile(
    r"\x1b\]22;[a-z]*(?:\x1b\\|\x07)|\x1b\[\?[0-9]+\$p|\x1b\[[0-9;?=<>]*[A-Za-z~]|\x1b[=>78]"
)
"""Sequences that move the cursor, set colours and switch modes; the app sends these itself."""


@pytest.mark.long
@pytest.mark.parametrize(
    ("words", "keys"),
    [(["attach", "hostile"], "fl?"), (["attach", "hostile"], "\r"), (["attach", "hostile"], "rL")],
    ids=["lab", "layer", "runs"],
)
def test_no_screen_paints_what_a_run_orders(tmp_path: Path, words: list[str], keys: str) -> None:
    hostile_run(tmp_path)
    text = painted(tmp_path, words, keys).decode(errors="replace")
    assert "EVIL" in text, "the run is not on the screen"
    left = OF_THE_APP.sub("", text)
    for kind, order in KINDS.items():
        # The app sends some of these sequences itself, but not in the middle of a name.
        assert f"a{order}b" not in text, kind
        assert f"<{order}>" not in text, kind
    found = FORBIDDEN.findall(left.replace("\r\n", ""))
    assert not found, [left[max(0, left.find(one) - 20) :][:60] for one in found[:3]]
