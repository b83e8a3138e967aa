"""Test reading and writing TOML, and the one line that names an error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradtui.experiment import Experiment, ExperimentError, dumps, from_dict, load, loads, resolve, to_dict
from tests.support.experiments import experiments


@given(experiments())
@settings(max_examples=50, deadline=None)
def test_what_is_written_is_read_back(exp: Experiment) -> None:
    assert loads(dumps(exp)) == exp
    assert loads(dumps(exp, defaults=True)) == exp
    assert from_dict(to_dict(exp)) == exp


def test_a_short_file_leaves_defaults_out_and_a_whole_one_names_them() -> None:
    exp = Experiment(name="mine")
    assert dumps(exp) == 'name = "mine"\n\n[data]\nsource = "digits"\n\n[[net]]\nblock = "dense"\n'
    for field in ("forget_bias", "warmup_steps", "loss_scale", "freeze"):
        assert f"\n{field} = " in dumps(exp, defaults=True)


LINES = [
    ({"net": [{"width": -3}]}, "net.0.width: -3 is not allowed; expected a whole number from 1 to 65536"),
    (
        {"net": [{}, {"width": 2.5}]},
        "net.1.width: 2.5 is not allowed; expected a whole number from 1 to 65536",
    ),
    ({"net": [{"width": True}]}, "net.0.width: true is not allowed; expected a whole number from 1 to 65536"),
    ({"net": [{"widht": 3}]}, 'net.0.widht: no such field; did you mean "width"?'),
    ({"optimiser": {}}, 'optimiser: no such field; did you mean "optimizer"?'),
    (
        {"data": {"zzz": 1}},
        "data.zzz: no such field; expected one of source, batch_size, path, sequence, length, samples, scaling",
    ),
    (
        {"net": [{"norm": "bach"}]},
        'net.0.norm: "bach" is not allowed; expected one of none, batch, layer, group, rms',
    ),
    ({"net": 3}, "net: 3 is not allowed; expected 1 to 1000 groups ([[net]] tables)"),
    ({"net": []}, "net: a list is not allowed; expected 1 to 1000 groups ([[net]] tables)"),
    ({"net": {"width": 3}}, "net: a table is not allowed; expected 1 to 1000 groups ([[net]] tables)"),
    ({"net": [3]}, "net.0: 3 is not allowed; expected a table of fields"),
    ({"data": 7}, "data: 7 is not allowed; expected a table of fields"),
    ({"cures": {"pretrain": 7}}, "cures.pretrain: 7 is not allowed; expected a table of fields"),
    ({"optimizer": {"lr": -1}}, "optimizer.lr: -1 is not allowed; expected a number above 0"),
    ({"optimizer": {"lr": "0.1"}}, 'optimizer.lr: "0.1" is not allowed; expected a number above 0'),
    ({"optimizer": {"lr": float("nan")}}, "optimizer.lr: nan is not allowed; expected a number above 0"),
    ({"net": [{"bias_mean": float("-inf")}]}, "net.0.bias_mean: -inf is not allowed; expected a number"),
    (
        {"optimizer": {"momentum": 1}},
        "optimizer.momentum: 1 is not allowed; expected a number from 0 to below 1",
    ),
    ({"cures": {"l2": -0.1}}, "cures.l2: -0.1 is not allowed; expected a number, 0 or more"),
    (
        {"net": [{"branch_gain": "deep"}]},
        'net.0.branch_gain: "deep" is not allowed; expected a number, 0 or more, or "depth"',
    ),
    ({"seed": 2**32}, "seed: 4294967296 is not allowed; expected a whole number from 0 to 4294967295"),
    (
        {"run": {"steps": 10**30}},
        "run.steps: a number beyond 64 bits is not allowed; expected a whole number from 1 to 1000000000",
    ),
    (
        {"run": {"device": "gpu"}},
        'run.device: "gpu" is not allowed; expected auto, cpu, cuda, cuda:1 (or :2 …) or mps',
    ),
    ({"name": ""}, 'name: "" is not allowed; expected text of 1 to 200 characters'),
    ({"name": "a\nb"}, 'name: "a b" is not allowed; expected text on one line without control characters'),
    ({1: 2}, "experiment: a field's name is not text; expected fields with names"),
    (3, "experiment: 3 is not allowed; expected a table of fields"),
]


@pytest.mark.parametrize(("raw", "line"), LINES, ids=[line.split(":")[0] for _, line in LINES])
def test_an_error_names_field_value_and_what_is_allowed(raw: object, line: str) -> None:
    with pytest.raises(ExperimentError) as caught:
        from_dict(raw)
    assert str(caught.value) == line
    assert line.startswith(caught.value.field + ": ")


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.dictionaries(st.text() | st.integers() | st.none() | st.just("$.net[0]"), inner, max_size=3)
    ),
    max_leaves=8,
)
names = st.sampled_from(
    [
        "name",
        "seed",
        "data",
        "net",
        "optimizer",
        "cures",
        "run",
        "source",
        "width",
        "pretrain",
        "lr",
        "steps",
        "block",
    ]
)
near = st.dictionaries(names, junk | st.lists(st.dictionaries(names, junk)) | st.dictionaries(names, junk))


def error_of(read: Callable[[], object]) -> str:
    """Return the message of an ExperimentError, or nothing. Any other exception fails the test."""
    try:
        read()
    except ExperimentError as error:
        return str(error)
    return ""


@given(junk | near)
@settings(max_examples=60, deadline=None)
def test_junk_gives_one_line(raw: object) -> None:
    line = error_of(lambda: from_dict(raw))
    assert len(line.splitlines()) <= 1
    line.encode()


@given(st.text(max_size=200) | st.sampled_from(["[net]\n", "net = 1\n", "[[net]]\nwidth = "]))
@settings(max_examples=60, deadline=None)
def test_junk_text_gives_one_line(text: str) -> None:
    assert len(error_of(lambda: loads(text, "mine.toml")).splitlines()) <= 1


def test_a_deep_nest_is_refused() -> None:
    raw: dict[str, object] = {}
    for _ in range(100_000):
        raw = {"data": raw}
    with pytest.raises(ExperimentError):
        from_dict(raw)


def test_an_error_of_syntax_names_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('name = "x"\nseed = = 3\n')
    with pytest.raises(ExperimentError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: not valid TOML: line 2, column 8: ")


def test_a_field_of_a_file_is_named_as_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[[net]]\n[[net]]\nstride = 99\n")
    with pytest.raises(
        ExperimentError, match=r"^net\.1\.stride: 99 is not allowed; expected a whole number from 1 to 16$"
    ):
        load(path)


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00", b"x = 1" + b"0" * 5000, b"d = 2020-13-45", b"[" * 2000], ids=range(4)
)
def test_a_file_that_is_no_toml_gives_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(ExperimentError) as caught:
        load(path)
    assert str(caught.value).startswith(str(path)) or caught.value.field in ("x", "d")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sigmiod-20", 'sigmiod-20: no such preset or file; did you mean "sigmoid-20"?'),
        ("qqq", "qqq: no such preset or file"),
        ("missing.toml", "missing.toml: cannot be read: No such file or directory"),
        ("~nobody-here/x.toml", "~nobody-here/x.toml: cannot be read"),
        ("a\0b/c", "a b/c: cannot be read"),
        ("x" * 5000, "x" * 199 + "…: no such preset or file"),
        ("", ": no such preset or file"),
    ],
    ids=["preset", "nothing near", "file", "home", "nul", "long", "empty"],
)
def test_what_cannot_be_resolved_is_named(name: str, words: str) -> None:
    with pytest.raises(ExperimentError) as caught:
        resolve(name)
    assert str(caught.value).startswith(words)
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_experiment(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="Is a directory"):
        resolve(tmp_path)


def test_resolve_takes_a_preset_and_a_file(tmp_path: Path) -> None:
    preset = resolve("sigmoid-20")
    path = tmp_path / "copy.toml"
    path.write_text(dumps(preset))
    assert resolve(path) == resolve(str(path)) == preset
