"""Hold the numbers of some runs, small enough for the repository, so that each test run checks the rules with them."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np

from gradtui.diagnosis import Evidence, Series
from gradtui.diagnosis.evidence import Evaluation, Floats
from gradtui.experiment import dumps, loads

FOLDER = Path(__file__).parent / "recorded"
MANTISSA_BITS = 11
"""Bits of a number's mantissa that are kept: three digits and a half, in a third of the bytes."""
PLAIN = ("layers", "kinds", "parameters", "positions", "clip_threshold", "chance_loss", "steps_planned")


def write(name: str, evidence: Evidence) -> None:
    """Record a finished run."""
    assert evidence.experiment is not None
    arrays = {}
    for field in fields(evidence):
        value = getattr(evidence, field.name)
        if isinstance(value, Series):
            arrays[f"{field.name}.steps"] = value.steps.astype(np.int32)
            arrays[field.name] = _short(value.values)
    rest = {field: getattr(evidence, field) for field in PLAIN}
    rest["evaluations"] = [asdict(evaluation) for evaluation in evidence.evaluations]
    rest["experiment"] = dumps(evidence.experiment)
    FOLDER.mkdir(exist_ok=True)
    np.savez_compressed(FOLDER / f"{name}.npz", about=np.array(json.dumps(rest)), **arrays)


def _short(values: Floats) -> np.ndarray:
    """Return the values as float32 with the last bits of their mantissa 0, which packs to nothing."""
    bits = values.astype(np.float32).view(np.uint32)
    return (bits & np.uint32(0xFFFFFFFF << (23 - MANTISSA_BITS) & 0xFFFFFFFF)).view(np.float32)


def read(name: str) -> Evidence:
    """Return the evidence of a recorded run."""
    with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as file:
        rest = json.loads(str(file["about"]))
        series = {
            field.name: Series.of(file[f"{field.name}.steps"], file[field.name])
            for field in fields(Evidence)
            if field.name in file.files
        }
    evaluations = tuple(Evaluation(**one) for one in rest.pop("evaluations"))
    experiment = loads(rest.pop("experiment"))
    plain = {key: tuple(value) if isinstance(value, list) else value for key, value in rest.items()}
    return Evidence(**plain, **series, evaluations=evaluations, experiment=experiment, finished=True)
