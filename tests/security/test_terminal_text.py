"""Test that text from another person's run cannot control a terminal or a spreadsheet, nor add lines."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gradtui.plain_text import spreadsheet_cell
from gradtui.runs.jsonl import encode_line
from gradtui.runs.label import LABEL_FILE
from gradtui.runs.meta import LayerMeta, RunMeta, TableMeta, write_meta
from gradtui.study.results import write_csv_rows
from tests.support.command_line import GRADTUI, environment, forked_gradtui, strictly
from tests.support.hostile_text import KINDS, MARKUP, orders_in, orders_on_screen
from tests.support.log_files import framed, leveldb
from tests.support.run_folders import SCALARS, write_rows


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
    result = forked_gradtui(tmp_path, *(given.get(word, word) for word in words))
    shown = words[0] in ("runs", "export") or words in (["diagnose"], ["diagnose", "--json"])
    assert result.returncode == (0 if shown and words[-1] != "RUN" else 2), result.stderr
    for output in (result.stdout, result.stderr):
        assert orders_in(output) == []
        assert not any(line.startswith("fake") for line in output.split("\n"))
    if "--json" in words:
        told = strictly(result.stdout)
        told = told[0] if isinstance(told, list) else told
        assert all(text in told["name"] for text in KINDS.values()), "JSON keeps the text, escaped"


def tensorboard_log(folder: Path) -> None:
    """Write a log whose layers, tags and folder have hostile names, as TensorBoard's own classes do."""
    event_pb2 = pytest.importorskip("tensorboard.compat.proto.event_pb2")
    records = []
    for step in range(3):
        event = event_pb2.Event(step=step, wall_time=1e9 + step)
        for number, text in enumerate(KINDS.values()):
            event.summary.value.add(tag=f"grad_norm/a{text}b{number}{MARKUP}", simple_value=0.5)
            event.summary.value.add(tag=text, simple_value=1.0)
        records.append(framed(event.SerializeToString()))
    (folder / "hostile\x1b[2J\u202e\nfake").mkdir(parents=True)
    (folder / "hostile\x1b[2J\u202e\nfake" / "events.out.tfevents.1.x").write_bytes(b"".join(records))


def wandb_log(folder: Path) -> None:
    """Write an offline run whose name, layers and numbers have hostile names, as W&B's own classes do."""
    internal = pytest.importorskip("wandb.proto.wandb_internal_pb2")
    run = internal.Record()
    run.run.display_name = "hostile" + "".join(KINDS.values())
    records = [run]
    for step in range(3):
        record = internal.Record()
        bins = {"_type": "histogram", "values": [1, 2], "bins": [0.0, 0.1, 0.2]}
        # Digits that make no integer are in the names too.
        layers = [f"a{text}b{number}{MARKUP}" for number, text in enumerate(KINDS.values())] + [
            "1²2",
            "9" * 5000,
        ]
        numbers = {"_step": step, "loss": 1.0, **dict.fromkeys(KINDS.values(), 1.0)}
        for key, value in (numbers | dict.fromkeys([f"gradients/{layer}" for layer in layers], bins)).items():
            record.history.item.add(key=key, value_json=json.dumps(value))
        records.append(record)
    folder.mkdir()
    (folder / "run-x.wandb").write_bytes(leveldb([record.SerializeToString() for record in records]))


@pytest.mark.parametrize("write", [tensorboard_log, wandb_log])
def test_imported_names_order_nothing(write: Callable[[Path], None], home: Path, tmp_path: Path) -> None:
    write(tmp_path / "log")
    imported = forked_gradtui(home, "import", str(tmp_path / "log"))
    assert imported.returncode == 0, imported.stderr
    [run] = (home / "runs").iterdir()
    told = [imported, *(forked_gradtui(home, *words) for words in (["runs"], ["diagnose", run.name]))]
    told.append(forked_gradtui(home, "diagnose", "--json", run.name))
    out = tmp_path / "page.html"
    told += [
        forked_gradtui(home, "report", run.name, str(out)),
        forked_gradtui(home, "export", run.name, "--to", "csv", str(tmp_path / "out.csv")),
    ]
    for result in told:
        assert result.returncode == 0, result.stderr
        assert orders_in(result.stdout + result.stderr) == []
    for file in (out, tmp_path / "out.csv"):
        assert orders_in(file.read_text()) == []
    # A tag with a line break names no layer.
    assert len(strictly(told[3].stdout)["layers"]) >= len(KINDS) - 1


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
    for kind, order in KINDS.items():
        # The app sends some of these sequences itself, but not in the middle of a name.
        assert f"a{order}b" not in text, kind
        assert f"<{order}>" not in text, kind
    assert orders_on_screen(text) == []
