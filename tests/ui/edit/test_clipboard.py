"""Test experiments as text: copied, pasted as a whole and in parts, and wrong texts that a person pastes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from textual.app import App, ComposeResult

from gradtui.experiment import Experiment, ExperimentError, Group, resolve, set_fields
from gradtui.experiment.overrides import diff
from gradtui.experiment.presets import names
from gradtui.ui.edit.clipboard import MAX_CHARACTERS, copied, pasted
from gradtui.ui.screens.lab.workbench import Workbench
from tests.support.experiments import experiments

HERE = set_fields(resolve("sigmoid-20"), {"optimizer.momentum": 0.9, "cures.clip_norm": 1.0})


@given(experiments())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_is_copied_can_be_pasted(exp: Experiment) -> None:
    assert pasted(copied(exp), HERE) == exp


@pytest.mark.parametrize("name", names())
def test_every_preset_survives_a_fence_and_indentation(name: str) -> None:
    text = "\n".join(f"    {line}" for line in copied(resolve(name)).splitlines())
    assert pasted(f"Try this:\n\n  ```toml\n{text}\n  ```\n\nIt learns.", HERE) == resolve(name)
    assert pasted(text.replace("\n", "\r\n").replace("    ", "\t\N{NO-BREAK SPACE}"), HERE) == resolve(name)


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("[optimizer]\nkind = 'sgd'\nlr = 0.5", {"optimizer.kind": "sgd", "optimizer.lr": 0.5}),
        ("[cures.pretrain]\nkind = 'autoencoder'", {"cures.pretrain.kind": "autoencoder"}),
        ("seed = 7", {"seed": 7}),
        ('net.0.activation = "relu"', {"net.0.activation": "relu"}),
        ("name = 'another'\n[run]\nsteps = 9", {"name": "another", "run.steps": 9}),
        ("~~~\n[optimizer]\nlr = 1\n~~~", {"optimizer.lr": 1.0}),
        ("```\n[optimizer]\nlr = 1", {"optimizer.lr": 1.0}),
        ("[optimizer]", {}),
    ],
)
def test_pasted_part_changes_only_its_fields(text: str, changed: dict[str, object]) -> None:
    assert diff(HERE, pasted(text, HERE)) == changed


def test_groups_take_the_place_of_all_groups() -> None:
    made = pasted('[[net]]\nwidth = 32\n\n  [[net]]\nwidth = 8\nactivation = "relu"', HERE)
    assert made.net == (Group(width=32), Group(width=8, activation="relu"))
    assert diff(made, HERE).keys() == {"net"}


def test_an_experiment_of_its_own_owes_nothing_to_the_present_one() -> None:
    made = pasted('[data]\nsource = "spirals"\n[[net]]\nwidth = 8', HERE)
    assert made == Experiment(data=made.data, net=(Group(width=8),))
    assert pasted('name = "x"\n[[net]]', HERE) == Experiment(name="x")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "pasted text: empty; expected an experiment"),
        ("```\n```", "pasted text: empty"),
        ("the gradient vanishes", "pasted text: not valid TOML: line 1, column 5"),
        ("Look:\n```toml\n[optimizer]\nlr = = 1\n```", "pasted text: not valid TOML: line 4, column 6"),
        ("[optimizer]\nlr = -1", "optimizer.lr: -1 is not allowed; expected a number above 0"),
        ("[optimizer]\nrate = 1", "optimizer.rate: no such field"),
        ("[opt]\nlr = 1", "opt: no such field; expected one of name"),
        ("[net]\nwidth = 3", "net: a group has two brackets: [[net]]"),
        ("net.4.width = 3", "net.4: no such group"),
        ("[[net]]\nwidth = 3\n[[net]]\nwidht = 3", 'net.1.widht: no such field; did you mean "width"?'),
        ("[[net]]\nblock = 'conv'\nkernel = 2", "net.0.kernel: 2 is not allowed"),
        ("name = 'x'\n[[net]]\nwidth = '3'", 'net.0.width: "3" is not allowed'),
        ("[data]\nsource = 'npz'\npath = '/nowhere.npz'", "data.path: "),
        ("x" * (MAX_CHARACTERS + 1), "pasted text: longer than any experiment"),
        ("a = " + "[" * 5000, "pasted text: not valid TOML"),
    ],
)
def test_what_is_wrong_is_one_line(text: str, line: str) -> None:
    with pytest.raises(ExperimentError) as caught:
        pasted(text, HERE)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=200) | st.text("[]{}=.\"'`~\n# netoplr0123", max_size=60))
@settings(max_examples=80, deadline=None)
def test_any_text_is_an_experiment_or_one_line(text: str) -> None:
    try:
        made: Experiment | str = pasted(text, HERE)
    except ExperimentError as error:
        made = str(error)
    assert isinstance(made, Experiment) or len(made.splitlines()) == 1


class Stage(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.edits: list[Workbench.Edited] = []
        self.toasts: list[str] = []

    def compose(self) -> ComposeResult:
        yield Workbench(HERE)

    def on_workbench_edited(self, event: Workbench.Edited) -> None:
        self.edits.append(event)

    def notify(self, message: str, **options: object) -> None:  # type: ignore[override]
        assert options.get("markup") is False or "[" not in message
        self.toasts.append(message)


async def test_the_workbench_copies_and_pastes() -> None:
    app = Stage()
    async with app.run_test(size=(60, 50)) as pilot:
        bench = app.query_one(Workbench)
        bench.copy()
        assert app.clipboard == copied(HERE)
        bench.paste(copied(resolve("relu-20")))
        await pilot.pause()
        assert bench.experiment == resolve("relu-20")
        assert [event.after for event in app.edits] == [resolve("relu-20")]
        bench.undo()
        await pilot.pause()
        assert bench.experiment == HERE
        assert app.toasts == ["sigmoid-20, as TOML", "u undoes it."]


async def test_a_bad_paste_changes_nothing() -> None:
    app = Stage()
    async with app.run_test(size=(60, 50)) as pilot:
        bench = app.query_one(Workbench)
        bench.paste("[optimizer]\nlr = -1")
        bench.paste(copied(HERE))
        await pilot.pause()
        assert bench.experiment == HERE
        assert not app.edits
        assert not bench.draft.past
        assert app.toasts == [
            "optimizer.lr: -1 is not allowed; expected a number above 0",
            "Nothing changed.",
        ]
