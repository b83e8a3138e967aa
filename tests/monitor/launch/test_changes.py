"""Test the changes of `gradtui watch --try` as they are typed, and those that are refused."""

from __future__ import annotations

import pytest

from gradtui.monitor.launch.changes import (
    ChangePart,
    TrialChange,
    WrongChange,
    parse_change,
    problem_with_steps,
)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("lr=x0.1", [ChangePart("lr", (0.1,), factor=True)]),
        ("lr=1e-3", [ChangePart("lr", (0.001,))]),
        ("clip=1.0", [ChangePart("clip", (1.0,))]),
        ("clip_value=0.5", [ChangePart("clip_value", (0.5,))]),
        ("weight_decay=0", [ChangePart("weight_decay", (0.0,))]),
        ("init=he", [ChangePart("init", word="he")]),
        ("betas=0.9,0.95", [ChangePart("betas", (0.9, 0.95))]),
        ("warmup=50", [ChangePart("warmup", (50.0,))]),
        ("skip_nonfinite", [ChangePart("skip_nonfinite")]),
        ("lr=1e+3+clip=2", [ChangePart("lr", (1000.0,)), ChangePart("clip", (2.0,))]),
        ("skip_nonfinite+lr=x10", [ChangePart("skip_nonfinite"), ChangePart("lr", (10.0,), factor=True)]),
    ],
)
def test_a_change_is_read(text: str, parts: list[ChangePart]) -> None:
    assert parse_change(text) == TrialChange(text, tuple(parts))


@pytest.mark.parametrize(
    "text",
    [
        "lr",
        "lr=",
        "lr=0",
        "lr=-1",
        "lr=x1",
        "lr=xx2",
        "lr=nan",
        "lr=inf",
        "lr= 1",
        "lr=1_0",
        "clip=0",
        "clip=x2",
        "weight_decay=-0.1",
        "init=kaiming",
        "init=xhe",
        "betas=0.9",
        "betas=0.9,1",
        "warmup=0",
        "warmup=2.5",
        "skip_nonfinite=1",
        "momentum=0.9",
        "=1",
        "lr=0.1+lr=x2",
        "lr=0.1+",
    ],
)
def test_what_is_no_change_is_refused_in_one_line_that_names_it(text: str) -> None:
    with pytest.raises(WrongChange) as refused:
        parse_change(text)
    assert text in str(refused.value) or "lr=" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_slip_of_the_hand_is_understood() -> None:
    with pytest.raises(WrongChange, match="did you mean warmup"):
        parse_change("warm_up=10")


def test_a_warm_up_must_end_within_the_trial() -> None:
    assert "50 steps" in problem_with_steps(parse_change("warmup=50"), 50)
    assert problem_with_steps(parse_change("warmup=50+lr=x2"), 51) == ""
