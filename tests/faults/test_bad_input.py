"""Whatever is wrong with the input, a command says it in one line and ends with 2."""

from __future__ import annotations

import gzip
import io
import os
import re
import stat
import struct
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support.bounded_command import run_command
from tests.support.command_line import GRADTUI, environment, forked_gradtui
from tests.support.run_folders import describe, make

PATHS = {
    "unknown user": "~nouser-here/x",
    "long": "x" * 5000,
    "long with slashes": "x/" * 2500,
    "not UTF-8": os.fsdecode(b"/tmp/\xff\xfe/x"),
    "root": "/",
    "device": "/dev/zero",
}


@pytest.mark.parametrize("name", PATHS)
def test_impossible_path_is_one_line(name: str, tmp_path: Path) -> None:
    path = PATHS[name]
    make(tmp_path / "runs", "20260101-000000-run", started=1e9)
    for words in (
        ["diagnose", path],
        ["attach", path],
        ["export", path, "--to", "csv", str(tmp_path / "out")],
        ["import", path if path != "/" else "/nowhere"],
        ["run", path + ".toml"],
        ["run", "--resume", path],
        ["run", "--from", path + "@5"],
        ["study", path + ".toml"],
        ["predict", path + "/x.toml"],
    ):
        outcome = run_command(words, tmp_path)
        assert (words, outcome.fault, outcome.code) == (words, "", 2), outcome.stderr
        assert len(outcome.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("name", 'name = "a\\u0007b"'),
        ("change.1.name", 'name = "a"\n[[change]]\nname = "b"\n[[change]]\nname = "\\u202ec"'),
    ],
)
def test_study_with_text_that_no_line_can_show(field: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(text)
    result = forked_gradtui(tmp_path, "study", str(tmp_path / "study.toml"))
    assert (result.returncode, result.stdout) == (2, "")
    assert re.fullmatch(f"gradtui: {re.escape(field)}: .*without control characters\n", result.stderr)
    assert not (tmp_path / "studies").exists()


@pytest.mark.parametrize("words", ["learn", "run", "study"])
def test_large_toml_is_refused_before_it_is_parsed(words: str, tmp_path: Path) -> None:
    file = tmp_path / "large.toml"
    file.write_bytes(b"#" * 10_000_001)
    result = forked_gradtui(tmp_path, words, str(file))
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"gradtui: {file}: larger than 10 MB; expected a TOML file\n"


def test_number_of_thousands_of_digits_is_no_change_of_a_script(tmp_path: Path) -> None:
    result = forked_gradtui(tmp_path, "watch", "--try", f"warmup={'9' * 5000}", "--", "true")
    assert (result.returncode, result.stdout) == (2, "")
    assert re.fullmatch("gradtui: --try: warmup=9+.*\n", result.stderr)


@pytest.mark.parametrize("option", ["--csv", "--parquet", "--svg", "--text"])
def test_result_of_a_study_takes_the_place_of_no_device(option: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    result = forked_gradtui(tmp_path, "study", "degradation", option, str(tmp_path / "fifo"))
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"gradtui: {option}: {tmp_path / 'fifo'}: is not an ordinary file\n"
    assert stat.S_ISFIFO((tmp_path / "fifo").stat().st_mode)


def test_run_without_evaluations_is_exported(tmp_path: Path) -> None:
    make(tmp_path / "runs", "20260101-000000-run", started=1e9)
    describe(tmp_path / "runs" / "20260101-000001-empty")
    outcome = run_command(["export", "000-run", "--to", "csv", str(tmp_path / "csv")], tmp_path)
    assert (outcome.fault, outcome.code) == ("", 0), outcome.stderr
    outcome = run_command(["export", "empty", "--to", "csv", str(tmp_path / "empty")], tmp_path)
    assert (outcome.fault, outcome.code) == ("", 2)


def idx(*sizes: int, body: bytes = b"") -> bytes:
    return b"\0\0\x08" + bytes([len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes) + body


def npy(shape: str, descr: str = "<f4", body: bytes = b"") -> bytes:
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}}}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + body


def npz(x: bytes, y: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", x)
        archive.writestr("y.npy", y)
    return file.getvalue()


def structured() -> bytes:
    """Return an array of pairs, whose dtype is a list in the header."""
    file = io.BytesIO()
    np.save(file, np.zeros((10, 3), "i4,f4"))
    return file.getvalue()


def damaged_lzma() -> bytes:
    """Return an archive whose members are compressed by LZMA, and damaged."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("x.npy", npy("(10, 5)", body=bytes(200)))
        archive.writestr("y.npy", GOOD_Y)
    content = bytearray(file.getvalue())
    content[44:60] = b"\xff" * 16
    return bytes(content)


GOOD_Y = npy("(10,)", "<i8", bytes(80))
DATA: dict[str, Callable[[], tuple[str, dict[str, bytes]]]] = {
    "idx that lies": lambda: ("idx", {"images": idx(2**31, 2**31, 2**31), "labels": idx(2**31)}),
    "idx labels that lie": lambda: (
        "idx",
        {"images": idx(4_000_000_000, 8, 8), "labels": idx(4_000_000_000)},
    ),
    "idx cut": lambda: ("idx", {"images": idx(10, 8, 8, body=b"x"), "labels": idx(10, body=bytes(10))}),
    "idx of 255 dimensions": lambda: (
        "idx",
        {"images": b"\0\0\x08\xff" + b"\1" * 2000, "labels": idx(10, body=bytes(10))},
    ),
    "gz bomb": lambda: (
        "idx",
        {
            "images.gz": gzip.compress(idx(300_000, 28, 28, body=bytes(300_000 * 784)), 9),
            "labels.gz": gzip.compress(idx(300_000, body=bytes(300_000))),
        },
    ),
    "gz that lies": lambda: (
        "idx",
        {"images.gz": gzip.compress(idx(2**31, 28, 28)), "labels.gz": gzip.compress(idx(2**31))},
    ),
    "gz damaged": lambda: (
        "idx",
        {"images.gz": gzip.compress(idx(10, 8, 8))[:-5], "labels.gz": b"\x1f\x8b\x08"},
    ),
    "npz bomb": lambda: (
        "npz",
        {"x.npz": npz(npy("(10, 30000000)", body=bytes(1_200_000_000 // 4)), GOOD_Y)},
    ),
    "npz that lies": lambda: ("npz", {"x.npz": npz(npy("(10, 3000000000000)"), GOOD_Y)}),
    "npz of less than nothing": lambda: ("npz", {"x.npz": npz(npy("(10, -5)"), GOOD_Y)}),
    "npz of huge shape": lambda: ("npz", {"x.npz": npz(npy("(" + "9" * 5000 + ", 5)"), GOOD_Y)}),
    "npz of objects": lambda: ("npz", {"x.npz": npz(npy("(10, 5)", "|O"), GOOD_Y)}),
    "npz of records": lambda: ("npz", {"x.npz": npz(structured(), GOOD_Y)}),
    "npz of damaged LZMA": lambda: ("npz", {"x.npz": damaged_lzma()}),
    "npz nested": lambda: ("npz", {"x.npz": npz(npy("(" * 3000), GOOD_Y)}),
    "npz that is none": lambda: ("npz", {"x.npz": b"PK\x03\x04" + bytes(100)}),
    "text that is none": lambda: ("text", {"x.txt": b"\xff\xfe" * 100}),
    "short text": lambda: ("text", {"x.txt": b"a"}),
}
"""Each makes a kind of data and its files; made when they are needed, for the bombs take seconds to make."""


@pytest.mark.parametrize("name", DATA)
def test_data_file_with_false_header_is_refused(name: str, tmp_path: Path) -> None:
    source, files = DATA[name]()
    for file, content in files.items():
        (tmp_path / file).write_bytes(content)
    path = tmp_path / next(iter(files))
    outcome = run_command(
        ["predict", "--json", "--set", f"data.source={source}", "--set", f"data.path={path}"], tmp_path
    )
    assert outcome.fault == ""
    from gradtui.experiment import from_dict, net_shape

    block = "rnn" if source == "text" else "dense"
    experiment = from_dict({"data": {"source": source, "path": str(path)}, "net": [{"block": block}]})
    if name in ("idx cut", "gz bomb"):
        # Its header is right; the loader says what is wrong.
        from gradtui import data

        with pytest.raises(ValueError, match=r"images|labels"):
            data.load(experiment.data, 0)
        return
    with pytest.raises(ValueError, match=r"^data\.(path|length):.*") as raised:
        net_shape(experiment)
    assert "\n" not in str(raised.value)


def test_holes_and_fifos_in_place_of_data(tmp_path: Path) -> None:
    from gradtui.experiment import from_dict, net_shape

    for name in ("images", "labels", "x.npz", "x.txt"):
        os.mkfifo(tmp_path / name)
    zeros = (("idx", "/dev/zero"), ("text", "/dev/zero"))
    for source, name in (("idx", "images"), ("npz", "x.npz"), ("text", "x.txt"), *zeros):
        block = "rnn" if source == "text" else "dense"
        given = {"data": {"source": source, "path": str(tmp_path / name)}, "net": [{"block": block}]}
        with pytest.raises(ValueError, match=r"does not exist|not an ordinary file"):
            net_shape(from_dict(given))
    (tmp_path / "images").unlink()
    (tmp_path / "labels").unlink()
    (tmp_path / "labels").write_bytes(idx(1_000_000, body=bytes(1_000_000)))
    (tmp_path / "images").write_bytes(idx(1_000_000, 64, 64))
    os.truncate(tmp_path / "images", 16 + 4096 * 1_000_000)
    from gradtui import data

    experiment = from_dict({"data": {"source": "idx", "path": str(tmp_path / "images")}, "net": [{}]})
    with pytest.raises(ValueError, match="unpacks"):
        data.load(experiment.data, 0)


def tensorboard_file(folder: Path, events: list[bytes]) -> Path:
    writer = pytest.importorskip("tensorboard.summary.writer.record_writer")
    path = folder / "events.out.tfevents.1.x"
    with path.open("wb") as file:
        records = writer.RecordWriter(file)
        for event in events:
            records.write(event)
        records.flush()
    return path


def event(step: int, time: float, value: float) -> bytes:
    proto = pytest.importorskip("tensorboard.compat.proto.event_pb2")
    made = proto.Event(step=step, wall_time=time)
    made.summary.value.add(tag="grad_norm/dense1", simple_value=value)
    return bytes(made.SerializeToString())


@pytest.mark.parametrize("time", [float("nan"), float("inf"), 1e300, -1e300])
def test_import_leaves_odd_entries_out(time: float, tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    good = [event(step, 1e9 + step, 1.0) for step in range(1, 6)]
    odd = [b"\xff\xff\xff", event(0, time, 1.0), b"\x00rubbish"]
    tensorboard_file(tmp_path / "log", [*odd, *good, *odd])
    outcome = run_command(["import", str(tmp_path / "log")], tmp_path)
    assert (outcome.fault, outcome.code) == ("", 0)
    assert "damaged entries" in outcome.stdout
    assert run_command(["diagnose"], tmp_path).fault == ""


def test_import_of_a_tensor_that_claims_to_be_large(tmp_path: Path) -> None:
    proto = pytest.importorskip("tensorboard.compat.proto.event_pb2")
    made = proto.Event(step=3, wall_time=1e9)
    claimed = made.summary.value.add(tag="dense1/grad_norm")
    claimed.tensor.dtype = 1
    for size in (100_000_000, 3):
        claimed.tensor.tensor_shape.dim.add(size=size)
    claimed.tensor.float_val.append(1.0)
    (tmp_path / "log").mkdir()
    good = [event(step, 1e9 + step, 1.0) for step in range(1, 6)]
    tensorboard_file(tmp_path / "log", [*good, bytes(made.SerializeToString())])
    outcome = run_command(["import", str(tmp_path / "log")], tmp_path)
    assert (outcome.fault, outcome.code) == ("", 0)
    assert outcome.bytes < 600_000_000
    assert "damaged entries" in outcome.stdout


def test_import_of_nothing_but_odd_entries_makes_no_run(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    tensorboard_file(tmp_path / "log", [b"\xff\xff\xff", event(0, float("nan"), 1.0)])
    outcome = run_command(["import", str(tmp_path / "log")], tmp_path)
    assert (outcome.fault, outcome.code) == ("", 2)
    assert not list((tmp_path / "runs").glob("2*"))


@pytest.mark.parametrize("stream", [0, 1, 2])
@pytest.mark.parametrize("words", ["runs", "diagnose", "diagnose nothing", "--help"])
def test_closed_standard_stream_gives_no_traceback(stream: int, words: str, tmp_path: Path) -> None:
    make(tmp_path / "runs", "20260101-000000-run", started=1e9)
    command = " ".join([*GRADTUI, words, f"{stream}>&-" if stream else "<&-"])
    result = subprocess.run(
        ["sh", "-c", command],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if stream == 1:
        assert result.returncode == 2
        assert result.stderr == "gradtui: stdout is closed; > /dev/null discards what is printed\n"
    else:
        assert result.returncode == (2 if "nothing" in words else 0)
        assert len(result.stderr.splitlines()) == (stream == 0 and "nothing" in words)
        assert "Error" not in result.stderr


def test_full_disk_behind_stdout_is_one_line(tmp_path: Path) -> None:
    make(tmp_path / "runs", "20260101-000000-run", started=1e9)
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [*GRADTUI, "runs"],
            env=environment(tmp_path),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (result.returncode, result.stderr) == (2, "gradtui: stdout: No space left on device\n")


def test_values_of_arrays_are_not_read_for_their_shape(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.zeros((10, 3), np.float32), y=np.arange(10))
    outcome = run_command(
        ["predict", "--set", "data.source=npz", "--set", f"data.path={tmp_path / 'x.npz'}"], tmp_path
    )
    assert (outcome.fault, outcome.code) == ("", 0)
