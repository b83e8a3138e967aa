"""Made-up logs of TensorBoard and W&B become runs that can be opened, or are refused in one line."""

from __future__ import annotations

import json
import random
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest

from tests.support.bounded_command import run_command
from tests.support.damage import REPLACED, changed, cut, flip
from tests.support.fuzzing import Attack, faults_of_case, fuzz, warm
from tests.support.hostile_text import KINDS
from tests.support.log_files import framed, leveldb, usual

TAGS = (
    "grad_norm/dense1",
    "gradients/dense2.weight",
    "loss",
    "acc/train",
    "",
    "/",
    "a" * 5000,
    *KINDS.values(),
)
NUMBERS = (0.0, -1.0, 1.0, 1e-40, 1e300, -1e300, float("nan"), float("inf"), 0.5, 1e9)
WHOLE = (0, 1, 2, 3, 5, 7, -1, 2**31, 2**32, 2**62, -(2**63))
TIMES = (1e9, 1e9 + 1, 0.0, -1.0, 1e300, float("nan"), float("-inf"))


def tensorboard_event(rng: random.Random, step: int) -> bytes:
    """Return an event with some values, as TensorBoard's own classes write it."""
    from tensorboard.compat.proto.event_pb2 import Event

    event = Event(step=usual(rng, step, WHOLE), wall_time=usual(rng, 1e9 + step, TIMES))
    for layer in range(rng.choice((1, 3, 40))):
        value = event.summary.value.add(tag=usual(rng, f"grad_norm/dense{layer}", TAGS))
        value.metadata.plugin_data.plugin_name = usual(
            rng, "", ("scalars", "histograms", "images", "x\x1b[2J")
        )
        kind = rng.randrange(4)
        if kind < 2:
            value.simple_value = usual(rng, 0.5, (0.0, -1.0, float("nan"), float("inf"), 3e38))
        elif kind == 2:
            histogram = value.histo
            histogram.min, histogram.max = usual(rng, -1.0, NUMBERS), usual(rng, 1.0, NUMBERS)
            histogram.num = usual(rng, 8.0, NUMBERS)
            histogram.sum_squares = usual(rng, 2.0, NUMBERS)
            histogram.bucket_limit.extend(usual(rng, 0.5, NUMBERS) for _ in range(rng.choice((0, 3, 5))))
            histogram.bucket.extend(usual(rng, 2.0, NUMBERS) for _ in range(rng.choice((0, 3, 3, 4))))
        else:
            tensor = value.tensor
            tensor.dtype = usual(rng, 1, (0, 2, 3, 4, 7, 9, 10, 14, 19, 20, 99))
            for _ in range(rng.choice((0, 0, 1, 2, 2, 9))):
                tensor.tensor_shape.dim.add(size=usual(rng, 3, (0, 1, -1, 2**40, 2**62)))
            tensor.float_val.extend(
                usual(rng, 0.5, (float("nan"), 3e38)) for _ in range(rng.choice((0, 1, 9)))
            )
            tensor.tensor_content = rng.randbytes(rng.choice((0, 0, 4, 36, 37)))
            tensor.string_val.extend([b"\xff"] * rng.choice((0, 0, 1)))
    content = bytearray(event.SerializeToString())
    for _ in range(rng.choice((0, 0, 0, 1, 5))):
        content[rng.randrange(len(content))] = rng.randrange(256)
    return bytes(content)


def tensorboard(rng: random.Random, place: Path) -> list[str]:
    """Import a folder of event files."""
    log = place / "log"
    for number in range(rng.choice((1, 1, 2, 3))):
        folder = log / usual(rng, "", ("a", "b/c", "x\x1b[2J\n"))
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"events.out.tfevents.{number}.x"
        if path.exists():
            continue
        path.write_bytes(
            b"".join(framed(tensorboard_event(rng, step), rng) for step in range(rng.choice((1, 8, 30))))
        )
        _damage(path, rng)
    return _imported(log, place)


def wandb(rng: random.Random, place: Path) -> list[str]:
    """Import an offline run."""
    from wandb.proto.wandb_internal_pb2 import Record

    records = []
    named = Record()
    named.run.display_name = usual(rng, "a run", tuple(KINDS.values()))
    records.append(named)
    for step in range(rng.choice((1, 5, 20))):
        record = Record()
        record.history.step.num = step
        bins = {"_type": "histogram", "values": [1, 2, 3], "bins": [0.0, 0.1, 0.2, 0.3]}
        packed = {"_type": "histogram", "values": [1, 2], "packedBins": {"min": 0.0, "size": 0.1, "count": 2}}
        values: dict[str, Any] = {"_step": step, "_timestamp": 1e9 + step, "loss": 1.0, "a": {"b": 2.0}}
        values |= {f"gradients/dense{layer}.weight": dict(rng.choice((bins, packed))) for layer in range(4)}
        for _ in range(rng.choice((0, 1, 3))):
            values = changed(values, rng)
        for key, value in values.items():
            item = record.history.item.add()
            for part in usual(rng, [], (["a", "b"], ["a"] * 2000, ["", ""], ["loss", "x"])):
                item.nested_key.append(part)
            if not item.nested_key:
                item.key = usual(rng, key, TAGS).encode(errors="replace").decode()
            text = usual(rng, _json(value), ("{", "NaN", "Infinity", "[" * 5000, "9" * 5000, ""))
            item.value_json = text.encode(errors="replace").decode()
        records.append(record)
    (place / "log").mkdir()
    path = place / "log" / "run-x.wandb"
    path.write_bytes(leveldb([bytes(record.SerializeToString()) for record in records], rng))
    _damage(path, rng)
    return _imported(place / "log", place)


def _json(value: Any) -> str:
    digits = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        return json.dumps(value)
    finally:
        sys.set_int_max_str_digits(digits)


def _damage(path: Path, rng: random.Random) -> None:
    way = rng.choice((None, None, None, cut, flip, "replace"))
    if way == "replace":
        REPLACED[rng.choice(list(REPLACED))](path)
    elif callable(way):
        way(path, rng)


def _imported(log: Path, place: Path) -> list[str]:
    """Import the log, and look at each run that it makes."""
    home, faults = place / "home", []
    outcome = run_command(["import", str(log)], home)
    # What was left out is said on stderr, one line a file.
    if outcome.fault and not (
        outcome.fault.startswith("wrote to stderr: gradtui: left out") and outcome.code == 0
    ):
        faults.append(f"import: {outcome.fault}")
    runs = sorted(home.glob("runs/2*"))
    if outcome.code != 0 and runs and not outcome.stdout:
        faults.append(f"import failed and left {runs}")
    for run in runs:
        for words in (["diagnose", run.name], ["diagnose", "--json", run.name], ["runs"]):
            outcome = run_command(words, home)
            if outcome.fault or outcome.code != 0:
                faults.append(f"{' '.join(words)}: {outcome.fault or outcome.stderr}")
    return faults


ATTACKS: dict[str, Attack] = {attack.__name__: attack for attack in (tensorboard, wandb)}


@pytest.mark.parametrize("name", ATTACKS)
def test_made_up_log_causes_no_fault(name: str, tmp_path: Path) -> None:
    _need(name)
    assert [fault for seed in range(4) for fault in faults_of_case(ATTACKS[name], seed, tmp_path)] == []


@pytest.mark.long
@pytest.mark.parametrize("name", ATTACKS)
def test_fuzz_imports(name: str, tmp_path: Path) -> None:
    _need(name)
    fuzz(ATTACKS[name], tmp_path)


@pytest.mark.parametrize("half", ["\ud800", "\udfff"], ids=["first", "second"])  # noqa: PT014
def test_half_of_a_pair_of_utf_16_in_names_is_imported(half: str, tmp_path: Path) -> None:
    _need("wandb")
    from wandb.proto.wandb_internal_pb2 import Record

    records = []
    for step in range(3):
        record = Record()
        record.history.step.num = step
        bins = {"_type": "histogram", "values": [1, 2], "bins": [0.0, 0.1, 0.2]}
        text = json.dumps({f"gradients/a{half}": bins, half: 1.0})
        record.history.item.add(key="_step", value_json=str(step))
        for key, value in json.loads(text).items():
            record.history.item.add(key=key.encode(errors="replace").decode(), value_json=json.dumps(value))
        # A nested object keeps what its own JSON says.
        record.history.item.add(key="gradients", value_json=json.dumps({f"b{half}": bins}))
        records.append(bytes(record.SerializeToString()))
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "run-x.wandb").write_bytes(leveldb(records, random.Random(9)))
    assert _imported(tmp_path / "log", tmp_path) == []
    assert list((tmp_path / "home" / "runs").glob("2*"))


def test_record_of_gigabytes_is_refused(tmp_path: Path) -> None:
    _need("wandb")
    path = tmp_path / "log" / "run-x.wandb"
    path.parent.mkdir()
    block = (1 << 15) - 7

    def fragment(length: int) -> bytes:
        return struct.pack("<IHB", zlib.crc32(b"\3" + bytes(length)), length, 3) + bytes(length)

    with path.open("wb") as file:
        file.write(b":W&B\0\0\0" + fragment(block - 7))
        for _ in range(3_000):
            file.write(fragment(block))
    outcome = run_command(["import", str(path)], tmp_path / "home")
    assert (outcome.fault, outcome.code) == ("", 2)
    assert outcome.stderr == f"gradtui: {path}: holds a record of more than 64 MB\n"


def _need(name: str) -> None:
    """Import the program whose logs are made, once for all cases."""
    pytest.importorskip(
        {
            "tensorboard": "tensorboard.backend.event_processing.event_file_loader",
            "wandb": "wandb.proto.wandb_internal_pb2",
        }[name]
    )
    warm("gradtui.diagnosis.monitor", "gradtui.report.output")
