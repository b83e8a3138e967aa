"""Make random valid experiments, for the tests of every package that builds something from them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from gradtui.experiment import Experiment, ExperimentError, from_dict
from gradtui.experiment.fields import FieldInfo, fields_of
from gradtui.experiment.spec import Cures, Data, Group, Optimizer, RunSettings

SMALL = {"width": 12, "repeat": 3, "layers": 3, "kernel": 5, "stride": 3, "heads": 4}
"""Upper bounds that keep a net small enough to be built in a test."""


def _value(info: FieldInfo) -> st.SearchStrategy[Any]:
    if info.kind == "choice":
        return st.sampled_from(info.choices)
    if info.kind == "int":
        return st.integers(int(info.low or 0), min(int(info.high or 10**6), SMALL.get(info.name, 10**6)))
    if info.kind == "text":
        return st.text(min_size=1, max_size=20)
    high = info.high if info.high is not None else 100.0
    numbers = st.floats(
        info.low if info.low is not None else -5.0,
        high,
        exclude_min=info.low_open,
        exclude_max=info.high_open,
    )
    return numbers | st.sampled_from(info.choices) if info.choices else numbers


def _tables(part: type, **fixed: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    free = {info.name: _value(info) for info in fields_of(part)}
    return st.fixed_dictionaries({}, optional={**free, **fixed})


@st.composite
def experiments(
    draw: st.DrawFn, sources: tuple[str, ...] = ("digits", "spirals", "adding", "copy")
) -> Experiment:
    """Draw any valid experiment on one of these sources, with up to four small groups."""
    data = draw(_tables(Data, source=st.sampled_from(sources), path=st.just(""), length=st.integers(1, 12)))
    raw = {
        "name": draw(st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=20)),
        "seed": draw(st.integers(0, 2**32 - 1)),
        "data": data,
        "net": draw(st.lists(_tables(Group), min_size=1, max_size=4)),
        "optimizer": draw(_tables(Optimizer)),
        "cures": draw(_tables(Cures)),
        "run": draw(_tables(RunSettings, device=st.sampled_from(["auto", "cpu", "cuda:1"]))),
    }
    return _repaired(raw, draw)


def _repaired(raw: dict[str, Any], draw: st.DrawFn) -> Experiment:
    """Draw the field that an error names again, until none is left; this rejects fewer examples than filtering."""
    for _ in range(60):
        try:
            return from_dict(raw)
        except ExperimentError as error:
            *way, last = error.field.split(".")
            part: Any = raw
            for key in way:
                part = part[int(key)] if key.isdecimal() else part[key]
            info = next(
                info
                for kind in (Group, Data, Optimizer, Cures, RunSettings)
                for info in fields_of(kind)
                if info.name == last
            )
            part[last] = draw(_value(info))
    # If redrawing has not made the chain of blocks valid, use one that accepts every source.
    return from_dict({**raw, "net": [{"width": 5}]})
