"""Test each piece of code that a finding advises: put into a script with that fault, it removes the finding."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import gradtui
from gradtui.diagnosis.cures.code import CodeWriter
from gradtui.diagnosis.findings import CODES, CureOffer, Finding
from gradtui.diagnosis.monitor import diagnose_run
from gradtui.monitor.launch.changes import parse_change
from gradtui.runs.reader import Run
from gradtui.runs.script_training import ScriptTraining

DATA = """
x = torch.randn(256, 16)
y = (x @ torch.randn(16, 4)).argmax(1)
"""
LOSS = "torch.nn.functional.cross_entropy(net(x), y)"


@dataclass(frozen=True)
class Script:
    """A Script is a training with a fault, in parts between which advice may be put."""

    model: str
    optimizer: str
    loss: str = LOSS
    clear: str = "opt.zero_grad()"
    after: str = ""
    """What follows the backward pass."""
    steps: int = 120
    activations: bool = False
    scaler: str = ""
    """The variable of a gradient scaler."""

    def text(self, piece: str = "") -> str:
        """Return the script with a piece of code at the place that the piece names."""
        parts = _parts(piece)
        taken = {name: parts.pop(name, "") for name in PLACES}
        assert not parts, f"no such place: {list(parts)}"
        return "\n".join(
            [
                "import gradtui, torch",
                "torch.manual_seed(0)",
                DATA,
                textwrap.dedent(self.model),
                taken["before the optimizer"],
                taken["replaces the optimizer"] or taken["where the optimizer"] or self.optimizer,
                taken["after the optimizer"],
                taken["once, before the loop"],
                f"{self.scaler} = torch.amp.GradScaler('cpu', init_scale=8.0)" if self.scaler else "",
                "probe = gradtui.watch(net, opt, budget=None, activations=ACTIVATIONS)".replace(
                    "ACTIVATIONS", str(self.activations)
                ),
                f"for step in range({self.steps}):",
                textwrap.indent(taken["before loss.backward()"] or self.clear or "pass", "    "),
                f"    loss = {self.loss}",
                textwrap.indent(
                    taken["replaces loss.backward()"] or self._step(taken["between loss.backward()"]),
                    "    ",
                ),
                "    probe.log(loss=loss)",
                "probe.close()",
            ]
        )

    def _step(self, piece: str) -> str:
        replaced = "instead of the present" in piece
        first, last = "loss.backward()", "opt.step()"
        if self.scaler:
            first = f"{self.scaler}.scale(loss).backward()"
            last = f"{self.scaler}.step(opt); {self.scaler}.update()"
        return "\n".join(filter(None, (first, "" if replaced else self.after, piece, last)))

    def run(self, piece: str = "") -> Run:
        """Train it, with a piece of code or without, and return the run."""
        names: dict[str, Any] = {}
        exec(compile(self.text(piece), "train.py", "exec"), names)
        return gradtui.open_run(names["probe"].run)


PLACES = (
    "before the optimizer",
    "replaces the optimizer",
    "where the optimizer",
    "after the optimizer",
    "once, before the loop",
    "before loss.backward()",
    "replaces loss.backward()",
    "between loss.backward()",
)


def _parts(piece: str) -> dict[str, str]:
    """Return the lines of a piece by the place that the comment before them names."""
    found: dict[str, str] = {}
    place = ""
    for line in piece.splitlines():
        named = next((one for one in PLACES if line.startswith(f"# {one}")), "")
        place = named or place
        assert place, f"does not begin with a place: {piece}"
        found[place] = f"{found.get(place, '')}{line}\n"
    return found


def mlp(depth: int, activation: str, start: str = "") -> str:
    """Return code that makes a net of linear layers of 32 units."""
    return f"""
    layers = [torch.nn.Linear(16, 32), torch.nn.{activation}()]
    for _ in range({depth} - 2):
        layers += [torch.nn.Linear(32, 32), torch.nn.{activation}()]
    net = torch.nn.Sequential(*layers, torch.nn.Linear(32, 4))
    for layer in net:
        if isinstance(layer, torch.nn.Linear):
            {start or "pass"}
    """


def sgd(rate: float, more: str = "") -> str:
    return f"opt = torch.optim.SGD(net.parameters(), lr={rate}{more})"


NORMAL = "torch.nn.init.normal_(layer.weight, std={}); torch.nn.init.zeros_(layer.bias)"
IN_FLOAT = "torch.nn.functional.cross_entropy(net(x.to(net[0].weight.dtype)).float(), y)"
RECURRENT = """
    net = torch.nn.ModuleDict(
        {"rnn": torch.nn.RNN(1, 32, batch_first=True, nonlinearity="relu"), "out": torch.nn.Linear(32, 4)}
    )
    torch.nn.init.normal_(net.rnn.weight_hh_l0, std=0.5)
"""
READ_OUT = "torch.nn.functional.cross_entropy(net.out(net.rnn(x[:, :, None])[0][:, -1]), y)"
POST_NORM = """
    block = torch.nn.TransformerEncoderLayer(16, 1, 32, dropout=0.0, batch_first=True)
    stack = torch.nn.TransformerEncoder(block, 24, enable_nested_tensor=False)
    net = torch.nn.Sequential(torch.nn.Embedding(8, 16), stack, torch.nn.Linear(16, 8))
    tokens = torch.randint(0, 8, (200, 16, 8))
"""
OF_TOKENS = (
    "torch.nn.functional.cross_entropy(net(tokens[step]).flatten(0, 1), tokens[step].flip(1).flatten())"
)
CLIPPED = "torch.nn.utils.clip_grad_norm_(net.parameters(), 1e-4)"
COPIED = "import copy; opt = torch.optim.SGD(copy.deepcopy(net).parameters(), lr=0.1)"

CASES: dict[str, tuple[Script, dict[str, list[str]]]] = {
    "a rate of 20": (
        Script(mlp(3, "ReLU"), sgd(20.0)),
        {"exploding": ["smaller learning rate, 0.05"], "unstable-loss": ["smaller learning rate, 0.05"]},
    ),
    "a rate of 3 for Adam": (
        Script(mlp(3, "ReLU"), "opt = torch.optim.Adam(net.parameters(), lr=3.0)"),
        {"exploding": ["smaller learning rate, 0.001"]},
    ),
    "weights that are too large": (
        Script(mlp(8, "ReLU", NORMAL.format(0.9)), sgd(0.01)),
        {
            "nonfinite": [
                "He initialisation",
                "a norm after each hidden layer",
                "clip at 1",
                "smaller learning rate, 0.0001",
            ]
        },
    ),
    "weights that are too small": (
        Script(mlp(12, "Tanh", NORMAL.format(0.02)), sgd(0.1)),
        {"vanishing": ["Xavier initialisation", "a norm after each hidden layer"]},
    ),
    "sigmoids": (Script(mlp(12, "Sigmoid"), sgd(0.1)), {"vanishing": ["ReLU + He initialisation"]}),
    "a recurrence that grows": (
        Script(RECURRENT, sgd(0.05), READ_OUT),
        {"nonfinite": ["clip at 1", "He initialisation"]},
    ),
    "a recurrence that grows, with a scaler": (
        Script(RECURRENT, sgd(0.05), READ_OUT, scaler="amp"),
        {"nonfinite": ["clip at 1"]},
    ),
    "gradients that are kept": (
        Script(mlp(3, "ReLU"), sgd(0.05), clear=""),
        {"not-cleared": ["clear the gradients"]},
    ),
    "gradients that are gone before the step": (
        Script(mlp(3, "ReLU"), sgd(0.05), clear="", after="opt.zero_grad()"),
        {"no-gradient": ["clear the gradients earlier"]},
    ),
    "gradients that are set to 0 before the step": (
        Script(mlp(3, "ReLU"), sgd(0.05), clear="", after="opt.zero_grad(set_to_none=False)"),
        {"no-gradient": ["clear the gradients earlier"]},
    ),
    "gradients that are clipped at 0": (
        Script(mlp(3, "ReLU"), sgd(0.05), after="torch.nn.utils.clip_grad_norm_(net.parameters(), 0.0)"),
        {"no-gradient": ["clear the gradients earlier"]},
    ),
    "an optimizer of a copy": (
        Script(mlp(3, "ReLU"), COPIED),
        {"not-optimized": ["create the optimizer last"]},
    ),
    "a tiny rate": (
        Script(mlp(3, "ReLU"), sgd(1e-7)),
        {"not-learning": ["larger learning rate, 0.05", "Adam at 0.001"]},
    ),
    "a rate of 0": (Script(mlp(3, "ReLU"), sgd(0.0)), {"not-learning": ["larger learning rate, 0.05"]}),
    "weights in bfloat16": (
        Script(
            mlp(3, "ReLU") + "\n    net.bfloat16()",
            "opt = torch.optim.Adam(net.parameters(), lr=1e-4)",
            IN_FLOAT,
            steps=400,
        ),
        {"not-learning": ["keep the weights in float32"]},
    ),
    "weights in float16": (
        Script(mlp(3, "ReLU") + "\n    net.half()", sgd(0.05), f"1e-6 * {IN_FLOAT}"),
        {"underflow": ["keep the weights in float32"]},
    ),
    "a threshold that is too low": (
        Script(mlp(3, "ReLU"), sgd(0.05), after=CLIPPED),
        {"overclipped": ["clip at 0.2"]},
    ),
    "clipping before the backward pass": (
        Script(mlp(3, "ReLU"), sgd(20.0), clear=f"opt.zero_grad(); {CLIPPED}"),
        {"clip-unused": ["clip after backward()"]},
    ),
    "a stack of post-norm blocks": (
        Script(POST_NORM, "opt = torch.optim.Adam(net.parameters(), lr=3e-3)", OF_TOKENS, steps=150),
        {"vanishing": ["norm before the block (pre-norm)"]},
    ),
    "biases of -3": (
        Script(mlp(4, "ReLU", "torch.nn.init.constant_(layer.bias, -3.0)"), sgd(0.1), activations=True),
        {"dead-units": ["He initialisation", "leaky ReLU"]},
    ),
    "a branch that the loss does not use": (
        Script(
            """
    net = torch.nn.ModuleDict({"body": torch.nn.Linear(16, 32), "out": torch.nn.Linear(32, 4)})
    net["side"] = torch.nn.Sequential(torch.nn.Linear(32, 8), torch.nn.Linear(8, 2))
    """,
            sgd(0.1),
            "torch.nn.functional.cross_entropy(net.out(net.body(x).relu()), y)",
        ),
        {"no-gradient": ["freeze what the loss does not use"]},
    ),
    "an output that is dead": (
        Script(
            mlp(3, "ReLU") + "\n    net.append(torch.nn.ReLU()); torch.nn.init.constant_(net[-2].bias, -9.0)",
            sgd(0.01),
            "torch.nn.functional.mse_loss(net(x), x[:, :4])",
        ),
        {"no-gradient": ["no activation after the last layer"]},
    ),
    "a model that no optimizer moves": (
        Script(
            """
    net = {"body": torch.nn.Linear(16, 32), "head": torch.nn.Linear(32, 4)}
    body, head = net.values()
    """,
            'opt = torch.optim.SGD(net["head"].parameters(), lr=0.1)',
            "torch.nn.functional.cross_entropy(head(body(x).relu()), y)",
        ),
        {"not-optimized": ["create the optimizer last"]},
    ),
    "flat ends": (
        Script(mlp(6, "Tanh", NORMAL.format(20.0)), sgd(0.004), activations=True),
        {"saturated": ["Xavier initialisation", "a norm after each hidden layer"]},
    ),
}
QUICK = ("a rate of 20",)
CHECK = "reconnect the layers"
"""Code that shows where a graph is cut; it mends nothing by itself."""
WITHOUT_CODE = {"degradation", "spikes"}
"""What no line of code mends wherever it is put; `spikes` are seen before they are clipped."""


def found(script: Script, piece: str = "") -> dict[str, Finding]:
    """Return the findings of a script with a piece of code, by their codes."""
    return {finding.code: finding for finding in diagnose_run(script.run(piece)).findings}


@pytest.fixture(autouse=True)
def own_home(home: Path) -> Path:
    """Let every test have a home of its own."""
    return home


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=() if case in QUICK else pytest.mark.long) for case in CASES]
)
def test_the_code_of_a_cure_takes_the_finding_away(case: str) -> None:
    script, expected = CASES[case]
    findings = found(script)
    assert expected.keys() <= findings.keys()
    for code, names in expected.items():
        cures = {cure.name: cure for cure in findings[code].cures}
        # The first advice is one that helps.
        assert next(name for name in cures if name != CHECK) == names[0]
        for name in names:
            assert 2 <= cures[name].code.count("\n") + 1 <= 8
            assert code not in found(script, cures[name].code), cures[name].code


def test_every_code_that_has_code_is_tried_on_a_script() -> None:
    tried = {code for _, expected in CASES.values() for code in expected}
    assert tried | WITHOUT_CODE == set(CODES)


def test_code_has_the_scripts_own_names_and_a_change_is_one_that_a_trial_takes() -> None:
    script, _ = CASES["weights that are too large"]
    for cure in found(script)["nonfinite"].cures:
        assert "net" in cure.code or "opt." in cure.code
        assert cure.to_json()["code"] == cure.code
        assert CureOffer.from_json(cure.to_json()).code == cure.code
        if cure.change:
            assert parse_change(cure.change).parts


def test_modules_are_written_as_their_author_writes_them() -> None:
    modules = (
        ("G.body.0.attn.qkv", "Linear"),
        ("G.head", "Linear"),
        ("G.a b", "Linear"),
        ("D.class", "Linear"),
        ("D.0", "Conv2d"),
    )
    training = ScriptTraining(
        models={"G": "netG", "D": "self"}, optimizers={"G": "opt_g", "D": "opt_d"}, modules=modules
    )
    G = CodeWriter.of(training, ["G.head"])
    assert (G.model, G.optimizer) == ("netG", "opt_g")
    assert [G.path(name) for name, _ in G.modules] == [
        "netG.body[0].attn.qkv",
        "netG.head",
        'netG.get_submodule("a b")',
    ]
    D = CodeWriter.of(training, ["D.0"])
    assert [D.path(name) for name, _ in D.modules] == ['self.get_submodule("class")', "self[0]"]
    assert D.clip(1.0).endswith("clip_grad_norm_(self.parameters(), 1)")
    unknown = CodeWriter.of(ScriptTraining())
    assert unknown.clear().endswith("optimizer.zero_grad()")
    assert (unknown.has_layers, unknown.norm) == (False, "")
