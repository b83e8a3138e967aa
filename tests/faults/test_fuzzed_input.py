"""Made-up experiments, studies and data files are taken, or refused in one line, whatever they hold."""

from __future__ import annotations

import gzip
import io
import random
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradtui.experiment import Experiment, from_dict, to_dict
from gradtui.experiment.errors import ExperimentError
from gradtui.experiment.fields import fields_of, parts_of
from gradtui.experiment.presets import load_preset, names
from gradtui.experiment.short_string import to_short_string
from gradtui.experiment.spec import Group
from gradtui.study import presets as studies
from gradtui.study.spec import dumps as study_text
from gradtui.toml_text import parse
from tests.support.bounded_command import run_bounded, run_command
from tests.support.damage import REPLACED, changed, cut, flip, odd_text, odd_value
from tests.support.fuzzing import document, faults_of_case, fuzz, warm

QUICK = range(4)


def made_experiment(rng: random.Random) -> dict[str, Any]:
    """Return the fields of an experiment: a preset's, or any that are allowed one by one."""
    raw = to_dict(load_preset(rng.choice(names())))
    if rng.randrange(3):
        raw["net"] = [fields_at_random(Group, rng) for _ in range(rng.choice((1, 1, 2, 3)))]
        for name, part in parts_of(Experiment).items():
            if name != "net" and rng.randrange(2):
                raw[name] |= fields_at_random(part, rng)
    for _ in range(rng.choice((0, 0, 1, 3))):
        raw = changed(raw, rng)
    return raw


def fields_at_random(part: Any, rng: random.Random) -> dict[str, Any]:
    """Return some fields of a part with values within their ranges, and some at the very ends of these."""
    chosen: dict[str, Any] = {}
    for field in fields_of(part):
        if rng.randrange(3) == 0 or field.kind == "text":
            continue
        if field.choices and (field.kind == "choice" or rng.randrange(3) == 0):
            chosen[field.name] = rng.choice(field.choices)
            continue
        low = -1e3 if field.low is None else field.low
        high = 1e3 if field.high is None else field.high
        near = min(high, max(low, 1) * rng.choice((1, 2, 4, 8, 64, 1e-9, 1e-300, 1e6, 1e38)))
        value = rng.choice((low, high, near, near, near, rng.uniform(low, min(high, low + 64))))
        chosen[field.name] = int(value) if field.kind == "int" else value
    return chosen


def odd_file(path: Path, rng: random.Random) -> None:
    """Sometimes damage a file as a whole."""
    way = rng.choice((None, None, None, cut, flip, odd_text, "replace"))
    if way == "replace":
        REPLACED[rng.choice(list(REPLACED))](path)
    elif callable(way):
        way(path, rng)


def experiment(rng: random.Random, place: Path) -> list[str]:
    """Give an experiment to the commands that describe it: as a file, as changes, as a string."""
    raw = made_experiment(rng)
    path = place / "x.toml"
    path.write_text(document(raw) if isinstance(raw, dict) else str(raw), errors="replace")
    odd_file(path, rng)
    commands = [["predict", str(path)], ["predict", "--json", str(path)], [str(path)]]
    name = rng.choice(names())
    where = rng.choice(
        ("net.0.width", "optimizer.lr", "run.device", "data.path", "seed", "name", "net", "a.b.c", "")
    )
    value = str(odd_value(rng))[:10_000].replace("\0", "").encode(errors="replace").decode()
    commands.append(["predict", name, "--set", f"{where}={value}"])
    short = list(to_short_string(load_preset(name)))
    short[rng.randrange(4, len(short))] = rng.choice("aZ09-_=!\u202e")
    commands.append(["predict", "".join(short)])
    return faults_of(commands, place)


def faults_of(commands: list[list[str]], place: Path) -> list[str]:
    outcomes = [(" ".join(words)[-200:], run_command(words, place / "home")) for words in commands]
    return [f"{words}: {outcome.fault}" for words, outcome in outcomes if outcome.fault]


def study(rng: random.Random, place: Path) -> list[str]:
    """Plan a study as the command does before it trains."""
    raw = parse(study_text(studies.load_preset(rng.choice(studies.names()))))
    if rng.randrange(4) == 0:
        raw["base"] = made_experiment(rng)
    for _ in range(rng.choice((0, 1, 1, 3))):
        raw = changed(raw, rng)
    path = place / "x.toml"
    path.write_text(document(raw) if isinstance(raw, dict) else str(raw), errors="replace")
    odd_file(path, rng)

    def work() -> int:
        from gradtui.study.plan import plan
        from gradtui.study.study_folder import write_study

        try:
            spec = studies.resolve(str(path))
            plan(spec)
            write_study(place / "written", spec)
        except ExperimentError as error:
            print(error, file=sys.stderr)
            return 2
        return 0

    faults = [outcome.fault] if (outcome := run_bounded(work)).fault else []
    if outcome.code == 0 and not faults:
        # What was planned is a study that can be looked at.
        (place / "home" / "runs").mkdir(parents=True)
        faults = faults_of([["report", str(place / "written"), str(place / "out.html")]], place)
    return faults


def idx_file(rng: random.Random, *sizes: int) -> bytes:
    count = int(np.prod([size % 1000 for size in sizes]))
    odd = [rng.choice((size, size, size, size + 1, 0, 2**31, 2**32 - 1)) for size in sizes]
    kind = rng.choice((8, 8, 8, 9, 14, 0))
    return (
        bytes([0, 0, kind, len(sizes)]) + np.array(odd, ">u4").tobytes() + rng.randbytes(min(count, 100_000))
    )


def npz_file(rng: random.Random) -> bytes:
    count = rng.choice((1, 2, 10, 40))
    kinds = ("f4", "f8", "f2", "u1", "i8", "i2", "u8", "?", "c8", "S3", "U2", "M8[s]", ">f4", "i4,f4", "f4")
    shapes = (
        (count, 5),
        (count, 5),
        (count, 8, 8),
        (count, 1, 8, 8),
        (count,),
        (),
        (0, 5),
        (count, 0),
        (count + 1, 3),
    )
    arrays = {}
    with np.errstate(all="ignore"):
        for name in ("x", "y"):
            shape = (
                rng.choice(shapes)
                if name == "x"
                else rng.choice(((count,), (count,), (count, 2), (count + 1,), ()))
            )
            values = np.array(
                np.frombuffer(rng.randbytes(8 * int(np.prod(shape)) or 0), "i8") % rng.choice((3, 250, 2**62))
            )
            try:
                arrays[name] = np.asfortranarray(values.reshape(shape).astype(rng.choice(kinds)))
            except (ValueError, TypeError):
                arrays[name] = values.reshape(shape)
            if arrays[name].dtype.kind == "f" and arrays[name].size and rng.randrange(3) == 0:
                arrays[name].flat[0] = rng.choice((np.nan, np.inf, -0.0))
    if rng.randrange(8) == 0:
        arrays[rng.choice(("x", "z", "../x"))] = arrays.pop(rng.choice(("x", "y")))
    file = io.BytesIO()
    (np.savez if rng.randrange(2) else np.savez_compressed)(file, **arrays)
    content = file.getvalue()
    if rng.randrange(3) == 0:
        content = repacked(content, rng)
    return content


def repacked(content: bytes, rng: random.Random) -> bytes:
    """Change bytes of the members of an archive, whose checksums are right afterwards."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(file, "w", rng.choice((0, 8, 12, 14))) as new,
    ):
        for name in old.namelist():
            member = bytearray(old.read(name))
            for _ in range(rng.choice((0, 1, 3))):
                member[rng.randrange(min(len(member), 128))] = rng.choice(b"0123456789(),<>'|Offi\x00\xff")
            new.writestr(
                name, bytes(member[: rng.choice((len(member), len(member), rng.randrange(len(member)))) or 1])
            )
    return file.getvalue()


def made_data(rng: random.Random, place: Path) -> dict[str, Any]:
    """Write files of data, damage one of them, and return the part [data] that names them."""
    source = rng.choice(("idx", "npz", "text", "cifar10", "npz"))
    path, files = place / "data", []
    if source == "idx":
        count, gz = rng.choice((2, 20)), rng.choice(("", ".gz"))
        for part, size in (("train", count), ("t10k", 4)) if rng.randrange(2) else (("train", count),):
            for kind, sizes in (("images-idx3", (size, 8, 8)), ("labels-idx1", (size,))):
                content = idx_file(rng, *sizes) if rng.randrange(3) == 0 else None
                body = bytes(size % 10 for size in range(int(np.prod(sizes))))
                content = content or bytes([0, 0, 8, len(sizes)]) + np.array(sizes, ">u4").tobytes() + body
                files.append(path / f"{part}-{kind}-ubyte{gz}")
                path.mkdir(exist_ok=True)
                files[-1].write_bytes(gzip.compress(content) if gz else content)
    elif source == "cifar10":
        path.mkdir()
        for number in range(rng.choice((1, 5))):
            files.append(path / f"data_batch_{number + 1}.bin")
            files[-1].write_bytes(rng.randbytes(3073))
    else:
        path = place / f"x.{source}"
        files.append(path)
        text = "".join(
            chr(rng.choice((65, 66, 10, 13, 0x202E, 0x10FFFF, 0x301))) for _ in range(rng.choice((3, 500)))
        )
        path.write_bytes(npz_file(rng) if source == "npz" else text.encode())
    if rng.randrange(2):
        odd_file(rng.choice(files), rng)
    chosen = rng.choice((path, path, path, files[0], place, place / "nothing"))
    return {
        "source": source,
        "path": str(chosen),
        "length": rng.choice((1, 2, 30, 100_000)),
        "scaling": rng.choice(("standard", "unit", "none")),
        "sequence": rng.choice(("none", "rows", "pixels")),
    }


def data(rng: random.Random, place: Path) -> list[str]:
    """Give files of data to the commands that look at their shape, and load them."""
    about = made_data(rng, place)
    block = "rnn" if about["source"] == "text" or about["sequence"] != "none" else "dense"
    words = [f"data.{name}={value}" for name, value in about.items()] + [f"net.0.block={block}"]
    commands = [
        ["predict", *extra, *(part for word in words for part in ("--set", word))]
        for extra in ([], ["--json"])
    ]
    faults = faults_of(commands, place)

    def work() -> int:
        from gradtui.data import load
        from gradtui.experiment import net_shape

        try:
            made = from_dict({"data": about, "net": [{"block": block}]})
            net_shape(made)
            load(made.data, 0)
        except ExperimentError as error:
            print(error, file=sys.stderr)
            return 2
        return 0

    if "torch" not in sys.modules:
        # It takes longer to import than a case may take; the fuzzer has imported it.
        return faults
    return faults + ([f"load {about}: {outcome.fault}"] if (outcome := run_bounded(work)).fault else [])


def training(rng: random.Random, place: Path) -> list[str]:
    """Train two steps of a small net; what breaks is said in plain words."""
    raw = made_experiment(rng)
    if not isinstance(raw, dict) or not isinstance(raw.get("net"), list):
        return []
    try:
        for group in raw["net"]:
            group |= {
                "width": min(group["width"], 64) if "width" in group else 16,
                "repeat": rng.choice((1, 2, 5)),
            }
            group |= {"layers": min(2, group.get("layers", 1)), "kernel": min(5, group.get("kernel", 3))}
        if rng.randrange(4) == 0:
            raw["data"] = made_data(rng, place)
        raw["data"] |= {"length": min(raw["data"].get("length", 5), 12), "samples": 64}
        raw["data"]["batch_size"] = min(raw["data"].get("batch_size", 8), 64)
        raw["run"] |= {"steps": 3, "device": "cpu", "threads": 1, "checkpoint_every": rng.choice((0, 1))}
        raw["cures"]["pretrain"]["epochs"] = 1
        made = from_dict(raw)
    except (ExperimentError, TypeError, KeyError, AttributeError, ValueError):
        return []

    def work() -> int:
        from gradtui.training.launch import create_run
        from gradtui.training.process import train_folder

        return train_folder(create_run(made, place / "home" / "runs"))

    outcome = run_bounded(work, 30.0)
    faults = [f"training {raw}: {outcome.fault}"] if outcome.fault else []
    for log in place.glob("home/runs/*/trainer.log"):
        kinds = re.findall(r"^(?:\w+\.)*(\w+): .*", log.read_text(errors="replace"), re.MULTILINE)
        plain = (
            "ExperimentError",
            "DataError",
            "CheckpointError",
            "TrainingFailed",
            "MemoryError",
            "DefaultCPUAllocator",
        )
        known = re.search("Expected more than 1 value per channel", log.read_text(errors="replace"))
        if kinds and kinds[-1] not in plain and not known:
            faults.append(f"training {raw}: {log.read_text(errors='replace')[-600:]}")
        elif re.search("Warning(?!: Mismatch dtype)", log.read_text(errors="replace")):
            faults.append(f"training {raw}: warned: {log.read_text(errors='replace')[:600]}")
    if not faults and not outcome.fault:
        faults = faults_of([["diagnose"], ["diagnose", "--json"], ["runs"]], place)
    return faults


ATTACKS = {attack.__name__: attack for attack in (experiment, study, data)}


@pytest.mark.parametrize("name", ATTACKS)
def test_made_up_input_causes_no_fault(name: str, tmp_path: Path) -> None:
    assert [fault for seed in QUICK for fault in faults_of_case(ATTACKS[name], seed, tmp_path)] == []


@pytest.mark.long
@pytest.mark.parametrize("name", [*ATTACKS, "training"])
def test_fuzz_input(name: str, tmp_path: Path) -> None:
    warm("gradtui.diagnosis.theory", "gradtui.report.output", "gradtui.training.run")
    from gradtui.training.without_compiler import postpone_compiler

    postpone_compiler()
    fuzz(training if name == "training" else ATTACKS[name], tmp_path)
